// Package object is the object service: what S3 means, apart from HTTP. It joins
// the metadata (meta.Client) and the data path (shard/stripe).
//
// Methods return *s3err.Error where S3 has a code for the failure; any other
// error is mapped by its kind at the edge. No error holds a key or a body.
//
// # Writing
//
// A body is stored first and committed then (put.go, write.go): inline, or as
// extents one after another, the next being written while the one before becomes
// durable. What a command commits is durable on a quorum of each extent's slots.
// An extent below its quorum is re-encoded to another volume; one whose volume
// fails before a byte was read goes to another. Whatever is not committed is
// deleted; whatever could not be deleted, because a node died, lies under a lease
// that ends, and is found as an orphan. Only where the outcome of a commit is not
// known are its shards left alone.
//
// # Reading
//
// One query answers a version and the places of its bytes (content.go). They are
// read when WriteTo is called: what is overwritten meanwhile stays readable for
// upkeep's grace period, as far as its places are looked up. A content of more
// than maxRefs pieces looks them up page by page, and ends short if it is cleared
// away between two pages.
//
// # Copying
//
// A copy is checked whole before it runs (copy_source.go). Where source and
// destination are in one trust domain it adds references to the source's extents,
// packages at the edges included, wraps their data keys anew and moves no byte
// (copy_refer.go). CRCs follow from those of the extents; only what is less than an
// extent is read for them.
//
// Else it is re-encoded under a fresh data key, an extent a task, several at once
// (copy_parallel.go): here while the node has room, else on another node that has
// (copy_task.go, lanes.go). A digest that must see the bytes in order, an MD5 or a
// SHA, makes it one stream instead; so a re-encoded part of more than one extent has
// an MD5 for its ETag only where the setting demands it. A long re-encoding pins its
// source.
//
// # What it is not
//
// It authenticates nobody and evaluates no policy, except that parts belong to
// the initiator of their upload. It keeps no state of objects: any number of
// services on any nodes work side by side.
//
// # Concurrency and memory
//
// Everything is safe for concurrent use, except that a Got and a Copy belong to
// one goroutine. No goroutine outlives the call that started it. Buffers are
// bounded per request (writeBound, readBound) and by the node's Budget, which
// turns requests away (SlowDown) rather than let memory grow.
package object
