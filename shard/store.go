package shard

import (
	"context"
	"io"

	"github.com/cairnstore/cairn/cluster"
)

// Volume is a placement group: a scheme and the drive of each slot. It must not be changed. Its
// Epoch grows whenever a slot moves.
type Volume struct {
	ID     VolumeID
	Epoch  uint32
	Scheme Scheme
	Slots  []cluster.DriveID // Len is Scheme.N().

	SlotEpochs []uint32 // The epoch at which each slot last moved; nil: none ever did.
	Move       *Move    // The move under way; nil: there is none.
	Formers    []Former // Where slots lay that miss shards, the oldest first.
}

// Former is a drive that a slot was taken from without a copy. It may come back with what lies
// there.
type Former struct {
	Slot  int
	Drive cluster.DriveID
}

// Move is a move of a slot to another drive. Until it is finished, the slot lies where Slots says.
type Move struct {
	Slot    int
	To      cluster.DriveID
	Rebuild bool // Nothing is copied, because the drive that has the slot is lost.
}

// MovedAt returns the epoch at which a slot last moved; 0: it never did.
func (v *Volume) MovedAt(slot int) uint32 {
	if slot >= len(v.SlotEpochs) {
		return 0
	}
	return v.SlotEpochs[slot]
}

// Store is one drive's shards, on this node or another. All methods are safe for concurrent use.
// Errors have the kinds of package errs: NotFound, Corrupt, Unavailable (the drive or its node
// cannot be reached), NoSpace, Invalid.
type Store interface {
	// Create begins a shard. Its header says its exact size, so room for all of it is reserved at
	// once; NoSpace if there is none.
	Create(ctx context.Context, h Header) (Writer, error)

	// Open returns the bytes of span of a shard's frames, as they are stored. The caller checks
	// them (CheckFrame) and closes the result, which may be before its end. ctx governs the reading
	// too. A span that reaches past the end is Invalid.
	Open(ctx context.Context, id ID, span Span) (io.ReadCloser, error)

	// Stat returns what the shard says of itself. It returns NotFound if the drive has no whole
	// shard of that id.
	Stat(ctx context.Context, id ID) (Header, error)

	// Delete removes shards. One that does not exist is no error. After Delete has returned, no
	// Open succeeds. The space may become free later, and after a crash a shard may be there again.
	Delete(ctx context.Context, ids []ID) error
}

// Writer takes the frames of one shard in order. It belongs to one goroutine. Commit or Abort ends
// it; Abort after Commit does nothing.
type Writer interface {
	// Write appends whole frames. It does not keep p. A frame whose checksum is wrong is refused
	// (Corrupt).
	Write(p []byte) (int, error)

	// Commit returns nil when the whole shard is on stable storage. It replaces a shard of the same
	// id that was there before.
	Commit(ctx context.Context) error

	// Abort gives the room back. Nothing of the shard can be seen afterwards.
	Abort()
}
