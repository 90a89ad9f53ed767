package object

import (
	"runtime"
	"time"

	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/alloc"
	"github.com/cairnstore/cairn/shard"
)

// Limits that S3 sets.
const (
	MaxPartNumber = 10000
	MaxKeyBytes   = 1024
	MaxPartBytes  = 5 << 30 // Also of an object made by one request or one copy.
)

// Config is the settings of the object service. A zero field means its default, which the comment
// names.
type Config struct {
	InlineMaxBytes int64 // The largest part that is kept in its record: meta.InlineMaxBytes. Negative: none is.
	ExtentMaxBytes int64 // The largest plaintext of an extent: what the format allows. Tests make it small.
	MaxPartBytes   int64 // The largest part, and object made by one request: MaxPartBytes.

	// Knobs returns what may change while the service runs. Nil: it stays as the zero Knobs says.
	Knobs func() Knobs

	Alloc      alloc.Config // Of the allocator. A zero MetaTimeout of its own means the one below.
	WriteTries int          // How many volumes are tried for one extent: 4.

	BudgetBytes   int64         // Buffers of all requests of the node together: 256 MiB.
	BudgetWait    time.Duration // How long a request waits for buffers before SlowDown: 10 s.
	MetaTimeout   time.Duration // How long one query or commit may take: 10 s.
	PinAboveBytes int64         // A copy that reads more than this pins its source: 64 MiB.

	// How long a restore waits before it begins, by tier: 1 minute, 3 hours, 5 hours.
	RestoreExpedited, RestoreStandard, RestoreBulk time.Duration

	CopyParallel int // How many extents of one copy are re-encoded at once, on all nodes together: 4.
	// CopyTasks is how many tasks of copies this node runs before it looks for help and gives none:
	// half as many as it has processors. Negative: it runs none as long as others help.
	CopyTasks int
}

// Defaults of Config.
const (
	defaultWriteTries       = 4
	defaultBudgetBytes      = 256 << 20
	DefaultBudgetWait       = 10 * time.Second
	defaultMetaTimeout      = 10 * time.Second
	defaultPinAboveBytes    = 64 << 20
	defaultCopyParallel     = 4
	defaultRestoreExpedited = time.Minute
	defaultRestoreStandard  = 3 * time.Hour
	defaultRestoreBulk      = 5 * time.Hour
)

func (c Config) withDefaults() Config {
	def(&c.InlineMaxBytes, meta.InlineMaxBytes)
	def(&c.ExtentMaxBytes, shard.ExtentMaxBytes)
	def(&c.MaxPartBytes, MaxPartBytes)
	if c.Knobs == nil {
		c.Knobs = func() Knobs { return Knobs{} }
	}
	def(&c.WriteTries, defaultWriteTries)
	def(&c.BudgetBytes, defaultBudgetBytes)
	def(&c.BudgetWait, DefaultBudgetWait)
	def(&c.MetaTimeout, defaultMetaTimeout)
	def(&c.Alloc.MetaTimeout, c.MetaTimeout)
	def(&c.PinAboveBytes, defaultPinAboveBytes)
	def(&c.RestoreExpedited, defaultRestoreExpedited)
	def(&c.RestoreStandard, defaultRestoreStandard)
	def(&c.RestoreBulk, defaultRestoreBulk)
	def(&c.CopyParallel, defaultCopyParallel)
	def(&c.CopyTasks, max(1, runtime.GOMAXPROCS(0)/2)) // A task keeps about two processors busy.
	return c
}

// def sets a zero field to its default.
func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Events is called with what the service does, for metrics and logs. A field may be nil. Functions
// are called from many goroutines and must not block.
type Events struct {
	Stored       func(bytes int64)                      // A put or a part of so much plaintext was committed.
	Read         func(bytes int64)                      // One WriteTo has sent so much plaintext.
	CopiedByRef  func(bytes int64)                      // A copy was committed without moving a byte.
	CopiedByRead func(bytes int64)                      // A copy was committed after re-encoding.
	Salvaged     func(from, to shard.ExtentID)          // An extent below its quorum was re-encoded elsewhere.
	VolumeSwitch func(from shard.VolumeID, cause error) // An extent goes to another volume.
	WrongSum     func(content []byte, x shard.ExtentID) // Plaintext is not what is recorded of x (zero: of the whole).
	ShortWrite   func(id shard.ExtentID, missing int)   // A durable extent lacks some of its shards.
	Alloc        alloc.Events                           // What the allocator does.
	Rejected     func(bytes int64)                      // The buffer budget refused a request of so many bytes.
	TaskBegan    func(TaskPlace)                        // A task of a copy has begun.
	TaskEnded    func(TaskPlace, time.Duration, error)  // A task has ended after so long.
}
