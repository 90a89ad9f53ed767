// Package accesslog is the access logs of buckets: one line of S3's server access log
// format for each request to a bucket whose logging is on, kept on the node that
// answered it until they are written as objects into the bucket that they go to.
//
// Requests never wait for it. Lines are gathered in memory, at most a second, and then
// appended to a segment, a file in the node's directory; a segment that is old or large
// enough is delivered, each of its streams as one object, and removed. So what a node
// logged outlives it but for the last second, and it is delivered when the node is back.
// Everything is bounded: lines that find no room, in memory or on disk, and those that
// could not be delivered for a day, are dropped and counted.
//
// It is best effort, as at AWS: a line may be lost with the second before a crash (with
// more where the machine lost power, for nothing is synced), and comes twice where a
// node ended between an object and the note that it was written.
//
// A segment is a run of chunks, each of one stream:
//
//	uint32 LE  length of what follows the checksum
//	uint32 LE  CRC-32C of that
//	header     JSON: the stream, how many lines, since when; ended by a newline
//	lines      each ended by a newline
//
// A chunk that is cut short or damaged ends its segment.
package accesslog
