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

	// DefaultHangTimeout is longer than a kernel and a device try by themselves:
	// Linux gives a SCSI command 30 seconds, then resets.
	DefaultHangTimeout = time.Minute

	// assumedCapacityBytes stands in where a file system does not say its size.
	assumedCapacityBytes = 1 << 40
)

// Options says where a drive lies and how it behaves. Zero values mean the
// defaults; FS and Dir must be set.
type Options struct {
	// FS holds the drive. Segments are written and synced concurrently, so it
	// must not be one that forbids this (vfs.WithDiskHealthChecks does).
	FS  vfs.FS
	Dir string

	ID           cluster.DriveID // 0: the one in drive.id, or a new one. Another than in drive.id is Invalid.
	SegmentBytes int64           // Where a segment ends; DefaultSegmentBytes.
	ReserveBytes int64           // Free space never used for shards; DefaultReserveBytes, none if negative.
	CacheBytes   int64           // The index's block cache, without memtables; DefaultCacheBytes.
	Cache        *pebble.Cache   // Shared with other databases, with room for IndexMemTableBytes besides what it is to hold. Nil: one of CacheBytes.
	IdleFiles    int             // Files of segments kept open that nobody uses; DefaultIdleFiles.
	HangTimeout  time.Duration   // How long a write or sync may take before the drive is fenced; DefaultHangTimeout.
	Unreadable   int             // Places that may be unreadable before the drive is fenced; DefaultUnreadable.
	Events       Events
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

// Events tells what happens on a drive. Any func may be nil. They are called
// from many goroutines, sometimes with locks held: they must be quick and must
// not call the drive.
type Events struct {
	SyncDone       func(took time.Duration, waiters int) // One fdatasync made the shards of so many waiters durable.
	Fenced         func(err error)                       // A write or sync failed or hangs, or too many reads failed: the drive is out of use until it is opened anew.
	Unreadable     func(err error)                       // The device could not read a place where it had not failed before.
	BadBlock       func(id shard.ID, block int)          // Verify found a block that is not what was written; -1 is the record's header or footer.
	Rebuilt        func(shards int)                      // The index was lost and has been made anew from the segments.
	SegmentDamaged func(number uint64)                   // A segment cannot be read at all; its shards are missing.
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
