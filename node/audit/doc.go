// Package audit keeps the audit log: one JSON line for each finished request to
// S3, STS and the admin API, written to a file, sent over HTTP, or both.
//
// Requests never wait for it. Each target has a bounded queue and one goroutine; a
// record that finds the queue full, or that a target refuses for good, is dropped,
// counted and told of. Within a target records keep their order.
//
// A record holds names (accounts, users, access key ids, buckets, keys) and never a
// secret: no query string, no header, no body.
package audit
