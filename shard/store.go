package shard

import (
	"context"
	"io"

	"github.com/cairnstore/cairn/cluster"
)

// Volume is a placement group: a scheme and the drive of each slot. It must not
// be changed; its Epoch grows whenever a slot moves.
type Volume struct {
	ID     VolumeID
	Epoch  uint32
	Scheme Scheme
	Slots  []cluster.DriveID // Len is Scheme.N().

	SlotEpochs []uint32 // Epoch at which each slot last moved; nil: none ever did.
	Move       *Move    // In progress; nil: none is.
	Formers    []Former // Where slots were that miss shards; oldest first.
}

// Former is a drive that a slot was taken from without a copy: it may come back with
// what lies there.
type Former struct {
	Slot  int
	Drive cluster.DriveID
}

// Move is a slot of a volume on its way to another drive. Until it is finished the
// slot lies where Slots says.
type Move struct {
	Slot    int
	To      cluster.DriveID
	Rebuild bool // Nothing is copied: the drive that has the slot is lost.
}

// MovedAt returns the epoch at which a slot last moved; 0: it never did.
func (v *Volume) MovedAt(slot int) uint32 {
	if slot >= len(v.SlotEpochs) {
		return 0
	}
	return v.SlotEpochs[slot]
}

// Store is one drive's shards, on this node or another. All methods are safe for
// concurrent use. Errors have the kinds of package errs: NotFound, Corrupt,
// Unavailable (the drive or its node is not there), NoSpace, Invalid.
type Store interface {
	// Create begins a shard. The header says its exact size, so room is
	// reserved at once (NoSpace).
	Create(ctx context.Context, h Header) (Writer, error)

	// Open returns the bytes of span of a shard's frames, as stored: the
	// caller checks them (CheckFrame). A span that reaches past the end is
	// Invalid. The caller must Close the result, which may be closed early;
	// ctx governs the reading too.
	Open(ctx context.Context, id ID, span Span) (io.ReadCloser, error)

	// Stat returns what the shard says of itself; NotFound where the drive has
	// no whole shard of that id.
	Stat(ctx context.Context, id ID) (Header, error)

	// Delete removes shards. One that does not exist is no error. On return no
	// Open succeeds; the space may come back later, and after a crash a shard
	// may be there again.
	Delete(ctx context.Context, ids []ID) error
}

// Writer takes one shard's frames in order. It is used by one goroutine. Either
// Commit or Abort ends it; Abort after Commit does nothing.
type Writer interface {
	// Write appends whole frames. p is borrowed until Write returns. A frame
	// whose checksum is wrong is refused (Corrupt).
	Write(p []byte) (int, error)

	// Commit returns nil once the whole shard is on stable storage. A shard
	// of the same id that was there before is replaced.
	Commit(ctx context.Context) error

	// Abort gives the room back. Nothing of the shard remains visible.
	Abort()
}
