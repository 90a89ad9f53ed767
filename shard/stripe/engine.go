package stripe

import (
	"fmt"
	"sync"
	"time"

	"github.com/klauspost/reedsolomon"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/buf"
)

// WindowStripes is how many stripes of one writer, and how many units of one slot of a reader, are
// in memory at once.
const WindowStripes = 4

// Defaults of Config.
const (
	DefaultHedgeDelay       = 150 * time.Millisecond
	DefaultStragglerWait    = 2 * time.Second
	DefaultSlotStallTimeout = 5 * time.Second
)

// patience is for how many SlotStallTimeouts nothing at all may happen before a read or a write
// gives up.
const patience = 4

// Sealer seals the blocks of one extent.
type Sealer interface {
	// Overhead returns how many bytes sealing adds.
	Overhead() int
	// Seal seals a block in place: frame is n plaintext bytes and room for Overhead more.
	Seal(frame []byte, n, block int)
}

// Opener opens the blocks of one extent. Open works in place. Its error is of the kind Corrupt.
type Opener interface {
	Overhead() int
	Open(sealed []byte, block int) (plain []byte, err error)
}

// Events is told what happens to shards. A field may be nil. Functions are called from goroutines
// of reads and writes and must not block.
type Events struct {
	ShardMissing  func(shard.ID, error)     // A read found no such shard.
	BlockCorrupt  func(shard.ID, int)       // A read found a bad block; told once for each shard and read.
	HedgeFired    func(shard.ID)            // A slot was slow, so others were asked.
	Reconstructed func(shard.ExtentID, int) // So many blocks were computed from others.
	SlotFailed    func(shard.ID, error)     // A write left a slot behind.
}

// Config says what an Engine works with. Zero durations mean the defaults.
type Config struct {
	Pool   *buf.Pool
	Stores func(cluster.DriveID) (shard.Store, error) // Unavailable where the drive is down.
	Events Events

	HedgeDelay       time.Duration // How long a reader waits for a slot before it asks others.
	StragglerWait    time.Duration // How long a writer that has its quorum waits, besides as long as the quorum took.
	SlotStallTimeout time.Duration // How long a slot may hold a writer up before it is dropped.
}

// Engine writes and reads extents.
type Engine struct {
	pool   *buf.Pool
	stores func(cluster.DriveID) (shard.Store, error)
	events Events

	hedgeDelay, stragglerWait, slotStall time.Duration

	tasks tasks
	busy  busyDrives

	mu     sync.Mutex
	coders map[shard.Scheme]reedsolomon.Encoder
}

// New returns an engine.
func New(c Config) *Engine {
	e := &Engine{
		pool: c.Pool, stores: c.Stores, events: c.Events,
		hedgeDelay: c.HedgeDelay, stragglerWait: c.StragglerWait, slotStall: c.SlotStallTimeout,
		coders: make(map[shard.Scheme]reedsolomon.Encoder),
		busy:   busyDrives{drives: make(map[cluster.DriveID]*busyDrive)},
	}
	e.tasks.idle.L = &e.tasks.mu
	if e.hedgeDelay == 0 {
		e.hedgeDelay = DefaultHedgeDelay
	}
	if e.stragglerWait == 0 {
		e.stragglerWait = DefaultStragglerWait
	}
	if e.slotStall == 0 {
		e.slotStall = DefaultSlotStallTimeout
	}
	return e
}

// Close waits for the goroutines that reads and writes have left behind. A call that comes later,
// or is under way, fails with Unavailable if it needs another one.
func (e *Engine) Close() { e.tasks.close() }

// coder returns the code of a scheme, or nil if the scheme has no parity. The library's default
// matrix is part of the format.
func (e *Engine) coder(s shard.Scheme) (reedsolomon.Encoder, error) {
	if s.M == 0 {
		return nil, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if c, ok := e.coders[s]; ok {
		return c, nil
	}
	c, err := reedsolomon.New(int(s.K), int(s.M), reedsolomon.WithMaxGoroutines(1))
	if err != nil {
		return nil, fmt.Errorf("scheme %s: %w", s, err)
	}
	e.coders[s] = c
	return c, nil
}

// checkVolume returns Invalid if the extent or the volume, which come from the metadata, do not
// make sense.
func checkVolume(op string, id shard.ExtentID, v *shard.Volume) error {
	if v == nil || !v.Scheme.Valid() || len(v.Slots) != v.Scheme.N() {
		return errs.Newf(op, errs.Invalid, "extent %s: its volume has no valid scheme and slots", id)
	}
	return nil
}
