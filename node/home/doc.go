// Package home keeps what a node must know of itself before it can ask anybody: its id, the cluster
// that it belongs to, the era of its metadata, and its drives.
//
// All of this is in a JSON file, node.json, in one of the node's data directories, next to the
// metadata (meta/):
//
//	{"format":1,"node":"…","cluster":"…","era":1,"drives":[{"id":"…","dir":"…"}]}
//
// A node gets its id when the file is made, and keeps it for good. The cluster is missing until the
// node has found one, and never changes afterwards. The era is missing before the first restore or
// recovery, and only grows.
//
// The file is replaced as a whole: a crash leaves the old one or the new one. What a method records
// is durable when the method returns. A Home is safe for concurrent use. The lock of the drive in
// the same directory makes sure that no two processes use one.
package home
