// Package audit keeps the audit log: one JSON line for each finished request to S3, STS and the
// admin API. The lines are written to a file, sent over HTTP, or both.
//
// Requests never wait for it. Each target has a bounded queue and one goroutine. A record is
// dropped, counted and reported if the queue is full or the target refuses it for good. Records of
// one target keep their order.
//
// A record has names (of accounts, users, buckets and keys, and access key ids) and never a secret:
// no query string, no header, no body.
package audit
