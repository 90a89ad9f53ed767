// Package object is the object service: what S3 means, apart from HTTP. It joins the metadata
// (meta.Client) and the data path (shard/stripe).
//
// Methods return a *s3err.Error if S3 has a code for the failure. Any other error is turned into a
// code by its kind, at the edge (package s3api). No error holds a key or a body.
//
// # Writing
//
// A body is first stored and then committed (put.go, write.go). It is stored inline, in the record
// of its part, or as extents. Extents are written one after another: while one becomes durable, the
// next is being written. What a command commits is durable on a quorum of each extent's slots.
//
// An extent that does not reach its quorum is re-encoded to another volume from the shards that are
// durable. If its volume fails before a byte was read, the extent goes to another volume.
//
// What is not committed is deleted. If it cannot be deleted, because a node has died, it lies under
// a lease that ends, and is found as an orphan. If the outcome of a commit is not known, its shards
// are left alone: they may be wanted.
//
// # Reading
//
// One query returns a version and the places of its bytes (content.go). WriteTo reads them. If the
// object is overwritten meanwhile, the places that were looked up stay readable for upkeep's grace
// period. A content of more than maxRefs pieces is looked up page by page. If it is dropped between
// two pages, the read ends short.
//
// # Copying
//
// Everything that can be refused is refused before a copy runs (copy_source.go). If source and
// destination are in one trust domain, the copy refers to the source's extents, with the packages
// at the edges of the range. Their data keys are wrapped anew and no byte moves (copy_refer.go).
// Its CRCs follow from those of the extents; only pieces of extents are read for them.
//
// Any other copy is re-encoded under a fresh data key. Each extent is a task, and several run at
// once (copy_parallel.go): on this node while it has room, else on another (copy_task.go, package
// lanes). An MD5 or a SHA has to see the bytes in order, so a copy that needs one is one stream
// instead. For that reason a re-encoded part of more than one extent has an MD5 for its ETag only
// if the setting demands it. A copy whose re-encoding takes long pins its source.
//
// # What it is not
//
// It authenticates nobody and evaluates no policy. The one right that it checks itself is that
// parts belong to the initiator of their upload. It holds no state of objects: any number of
// services work side by side, on any nodes.
//
// # Concurrency and memory
//
// Everything is safe for concurrent use, except that a Got and a Copy belong to one goroutine each.
// No goroutine outlives the call that started it. Buffers are bounded for each request (writeBound,
// readBound) and for all of them by the node's Budget. It turns requests away (SlowDown) before
// memory grows.
package object
