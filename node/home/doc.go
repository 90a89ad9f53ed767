// Package home keeps what a node has to know of itself before it can ask anybody: its id,
// the cluster that it belongs to, the era of its metadata, and its drives.
//
// It is a file of JSON, node.json, in one of the node's data directories, beside the
// metadata (meta/):
//
//	{"format":1,"node":"…","cluster":"…","era":1,"drives":[{"id":"…","dir":"…"}]}
//
// A node gets its id when the file is made, and keeps it for good. The cluster is missing
// until the node has found one, and never changes then. The era is missing before the first
// restore or recovery, and only grows.
//
// The file is replaced as a whole: a crash leaves the old one or the new. What a method has
// recorded is durable when it returns. A Home is safe for concurrent use; that no two
// processes use one is seen to by the lock of the drive in the same directory.
package home
