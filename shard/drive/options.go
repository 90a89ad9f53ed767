package drive

import (
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/shard"
)

// Defaults and limits of Options.
const (
	DefaultSegmentBytes = 256 << 20
	MinSegmentBytes     = 64 << 10
	DefaultReserveBytes = 1 << 30
	DefaultCacheBytes   = 16 << 20
	DefaultIdleFiles    = 256

	// DefaultHangTimeout is longer than a kernel and a device try by themselves: Linux gives a SCSI
	// command 30 seconds and then resets.
	DefaultHangTimeout = time.Minute

	// assumedCapacityBytes is taken for the size of a file system that does not tell its size.
	assumedCapacityBytes = 1 << 40
)

// Options says where a drive lies and how it behaves. Zero values mean the defaults, but FS and Dir
// must be set.
type Options struct {
	// FS holds the drive. Segments are written and synced concurrently, so it must not be one that
	// forbids this, as vfs.WithDiskHealthChecks does.
	FS  vfs.FS
	Dir string

	// ID is the drive's. 0 means the one in drive.id, or a new one if there is no such file. Open
	// returns Invalid if drive.id has another one.
	ID           cluster.DriveID
	SegmentBytes int64 // The size at which a segment ends; DefaultSegmentBytes.
	ReserveBytes int64 // Free space that is never used for shards; DefaultReserveBytes, none if negative.
	CacheBytes   int64 // The size of the index's block cache, without memtables; DefaultCacheBytes.
	// Cache is a block cache that other databases share. It must have room for IndexMemTableBytes
	// besides the blocks. Nil: the index has one of its own, of CacheBytes.
	Cache       *pebble.Cache
	IdleFiles   int           // How many files of segments stay open that nobody uses; DefaultIdleFiles.
	HangTimeout time.Duration // How long a write or sync may take before it fences the drive; DefaultHangTimeout.
	Unreadable  int           // How many unreadable places fence the drive; DefaultUnreadable.
	Events      Events
}

func (o Options) withDefaults() Options {
	if o.SegmentBytes == 0 {
		o.SegmentBytes = DefaultSegmentBytes
	}
	o.SegmentBytes = max(o.SegmentBytes, MinSegmentBytes)
	if o.ReserveBytes == 0 {
		o.ReserveBytes = DefaultReserveBytes
	}
	o.ReserveBytes = max(o.ReserveBytes, 0)
	if o.CacheBytes <= 0 {
		o.CacheBytes = DefaultCacheBytes
	}
	if o.IdleFiles <= 0 {
		o.IdleFiles = DefaultIdleFiles
	}
	if o.HangTimeout <= 0 {
		o.HangTimeout = DefaultHangTimeout
	}
	if o.Unreadable <= 0 {
		o.Unreadable = DefaultUnreadable
	}
	return o
}

// Events tells what happens on a drive. Any func may be nil. They are called from many goroutines,
// sometimes with locks held, so they must be quick and must not call the drive.
type Events struct {
	// SyncDone tells that one fdatasync made the shards of so many waiters durable.
	SyncDone func(took time.Duration, waiters int)
	// Fenced tells that a write or sync failed or hangs, or that too many reads failed. The drive is
	// out of use until it is opened anew.
	Fenced func(err error)
	// Unreadable tells that the device could not read a place where it had not failed before.
	Unreadable func(err error)
	// BadBlock tells that Verify found a block that is not what was written. Block -1 is the record's
	// header or footer.
	BadBlock func(id shard.ID, block int)
	// Rebuilt tells that the index was lost and has been made anew from the segments.
	Rebuilt func(shards int)
	// SegmentDamaged tells that a segment cannot be read at all: its shards are missing.
	SegmentDamaged func(number uint64)
}

func (e *Events) syncDone(took time.Duration, waiters int) {
	if e.SyncDone != nil {
		e.SyncDone(took, waiters)
	}
}

func (e *Events) fenced(err error) {
	if e.Fenced != nil {
		e.Fenced(err)
	}
}

func (e *Events) badBlock(id shard.ID, block int) {
	if e.BadBlock != nil {
		e.BadBlock(id, block)
	}
}

func (e *Events) rebuilt(shards int) {
	if e.Rebuilt != nil {
		e.Rebuilt(shards)
	}
}

func (e *Events) segmentDamaged(number uint64) {
	if e.SegmentDamaged != nil {
		e.SegmentDamaged(number)
	}
}
