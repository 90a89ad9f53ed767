// Package accesslog is the access logs of buckets. Each request to a bucket whose
// logging is on gives one line in S3's server access log format. Lines wait on the
// node that answered the request until they are written, as objects, into the bucket
// that is named for them.
//
// Requests never wait for this. Lines are gathered in memory for at most a second and
// then appended to a segment, which is a file in the node's directory. When a segment
// is old or large enough, each of its streams is written as one object, and the segment
// is removed. So lines outlive their node, except those of the last second, and are
// delivered when the node is back. Everything is bounded: lines that find no room, in
// memory or on disk, and lines that could not be delivered for a day, are dropped and
// counted.
//
// It is best effort, as at AWS. A crash loses the lines of the last second; a power
// failure may lose more, because nothing is synced. Lines come twice if the node ends
// after it has written an object and before it has noted that.
//
// A segment is a run of chunks, each of one stream:
//
//	uint32 LE  length of what follows the checksum
//	uint32 LE  CRC-32C of that
//	header     JSON: the stream, how many lines, since when; ended by a newline
//	lines      each ended by a newline
//
// What follows a chunk that is cut short or damaged is not read.
package accesslog
