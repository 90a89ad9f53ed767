// Package wire carries shards between nodes: Handler serves the drives of a
// node, Client is a shard.Store for each drive of another. It knows HTTP/1.1 and
// nothing of who may connect: that is the transport's business (cluster/rpc).
//
// # Protocol
//
//	PUT  /shard/v1/{drive}/{volume}/{seq}/{slot}        body: all frames; 200 once they are on stable storage
//	GET  /shard/v1/{drive}/{volume}/{seq}/{slot}?{off}+{len}   200: that span of the frames
//	HEAD /shard/v1/{drive}/{volume}/{seq}/{slot}        200: the header
//	POST /shard/v1/{drive}/delete                       body: ids, 13 bytes each: volume 4, seq 8, slot 1, big endian
//
// A drive is 16 hex digits, numbers are decimal. The shard's header crosses as
// one value, Cairn-Shard: its version and then its numbers. Errors cross as
// rpc.WriteError writes them. A GET that fails after its first byte ends the
// connection.
//
// Frames are checked by the drive that stores them and by the reader that uses
// them, not here. Sizes that a peer names are checked before they are believed.
//
// # Stalls
//
// A body that makes no progress for StallTimeout ends its connection, on either side. A PUT is
// tried again on another connection only if the first one was closed while it was idle, and the
// caller still has all of its bytes.
//
// Handler and Client are safe for concurrent use. The only goroutine is that of each open Writer,
// for which Commit and Abort wait. Bytes are copied once on their way out, into the connection's
// buffer, and once on their way in.
package wire
