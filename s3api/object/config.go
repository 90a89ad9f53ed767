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

// Config is the settings of the object service. A zero field means its default.
type Config struct {
	InlineMaxBytes int64 // Largest part kept in its record: meta.InlineMaxBytes. Negative: none.
	ExtentMaxBytes int64 // Largest plaintext of an extent; 0: what the format allows. Tests make it small.
	MaxPartBytes   int64 // Of a part or an object made by one request: MaxPartBytes.

	// Knobs returns what may change while the service runs. Nil: what a zero Knobs
	// stands for.
	Knobs func() Knobs

	Alloc      alloc.Config // Of the allocator; its MetaTimeout is this one's where it is zero.
	WriteTries int          // Volumes tried for one extent: 4.

	BudgetBytes   int64         // Of buffers, for all requests of the node together: 256 MiB.
	BudgetWait    time.Duration // How long a request waits for its share before SlowDown: 10 s.
	MetaTimeout   time.Duration // For one query or commit, whatever the client does: 10 s.
	PinAboveBytes int64         // Longer re-encoding copies pin their source: 64 MiB.

	// How long a restore waits before it begins, by tier: 1 minute, 3 and 5 hours.
	RestoreExpedited, RestoreStandard, RestoreBulk time.Duration

	CopyParallel int // Extents of one copy re-encoded at once, on all nodes together: 4.
	CopyTasks    int // Re-encodings beyond which this node looks for help, and gives none: half its processors. Negative: none where others help.
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
	def(&c.CopyTasks, max(1, runtime.GOMAXPROCS(0)/2)) // A task keeps about two busy.
	return c
}

// def sets a zero field to its default.
func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Events tells what the service does, for metrics and logs. Any field may be nil.
// Functions are called from many goroutines and must not block.
type Events struct {
	Stored       func(bytes int64)                      // Plaintext of a committed put or part.
	Read         func(bytes int64)                      // Plaintext sent by one WriteTo.
	CopiedByRef  func(bytes int64)                      // Committed without moving a byte.
	CopiedByRead func(bytes int64)                      // Committed after re-encoding.
	Salvaged     func(from, to shard.ExtentID)          // Written below quorum, then re-encoded elsewhere.
	VolumeSwitch func(from shard.VolumeID, cause error) // An extent goes to another volume.
	WrongSum     func(content []byte, x shard.ExtentID) // Plaintext read was not what is recorded of the extent (zero: the whole).
	ShortWrite   func(id shard.ExtentID, missing int)   // Committed with shards missing.
	Alloc        alloc.Events                           // What the allocator does.
	Rejected     func(bytes int64)                      // The buffer budget refused a request.
	TaskBegan    func(TaskPlace)                        // An extent of a copy is being re-encoded.
	TaskEnded    func(TaskPlace, time.Duration, error)  // It took so long, or failed.
}
