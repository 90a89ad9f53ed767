package drive

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/shardtest"
)

func crashOptions(fs vfs.FS) Options {
	return Options{FS: fs, Dir: "top/drive", SegmentBytes: MinSegmentBytes, ReserveBytes: -1, CacheBytes: 256 << 10, IdleFiles: 1}
}

// promises is what a run of a script has been promised: the shards that must be
// there, whole, whatever happens.
type promises struct {
	mu   sync.Mutex
	may  map[shard.ID][]version // Any of these may be what is found,
	must map[shard.ID]bool      // and one must be found.
}

type version struct {
	h    shard.Header
	seed uint64
}

func newPromises() *promises {
	return &promises{may: make(map[shard.ID][]version), must: make(map[shard.ID]bool)}
}

func (p *promises) begin(v version) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.may[v.h.ID] = append(p.may[v.h.ID], v)
}

func (p *promises) acknowledged(v version) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.may[v.h.ID] = []version{v}
	p.must[v.h.ID] = true
}

func (p *promises) deleting(id shard.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.must, id)
}

// deleted shards may come back in any form they ever had.
func (p *promises) copyLocked() *promises {
	q := newPromises()
	for id, vs := range p.may {
		q.may[id] = append([]version(nil), vs...)
	}
	for id := range p.must {
		q.must[id] = true
	}
	return q
}

// check opens the drive in fs and compares it with what was promised; it writes
// on, and closes it.
func (p *promises) check(t *testing.T, fs vfs.FS, what string) {
	t.Helper()
	d, err := Open(context.Background(), crashOptions(fs))
	require.NoError(t, err, what)
	defer func() { require.NoError(t, d.Close(), what) }()
	for id := range p.may {
		_, err := d.Stat(t.Context(), id)
		if errs.Is(err, errs.NotFound) {
			require.False(t, p.must[id], "%s: shard %s is lost", what, id)
			continue
		}
		require.NoError(t, err, what)
		p.checkShard(t, d, id, what)
	}
	h := shardtest.Header(77, 1, 0, 0, 2, 640)
	require.NoError(t, shardtest.Put(t.Context(), d, h, shardtest.Frames(h, 1)), what)
	b, err := shardtest.Get(t.Context(), d, h)
	require.NoError(t, err, what)
	require.Equal(t, -1, shardtest.CheckFrames(h, b), what)
	d.checkBooks(t, what)
}

func (p *promises) checkShard(t *testing.T, d *Drive, id shard.ID, what string) {
	t.Helper()
	h, err := d.Stat(t.Context(), id)
	require.NoError(t, err, what)
	b, err := shardtest.Get(t.Context(), d, h)
	require.NoError(t, err, "%s: shard %s", what, id)
	require.Equal(t, -1, shardtest.CheckFrames(h, b), "%s: shard %s is torn", what, id)
	if p.must[id] {
		require.True(t, p.isOne(id, h, b), "%s: shard %s is not what was committed", what, id)
	}
	if err := d.Verify(t.Context(), id); !errs.Is(err, errs.NotFound) || p.must[id] {
		require.NoError(t, err, what)
	}
}

func (p *promises) isOne(id shard.ID, h shard.Header, frames []byte) bool {
	for _, v := range p.may[id] {
		if v.h == h && bytes.Equal(frames, shardtest.Frames(v.h, v.seed)) {
			return true
		}
	}
	return false
}

// checkBooks compares the counters with the index.
func (d *Drive) checkBooks(t *testing.T, what string) {
	t.Helper()
	live := make(map[uint64]int)
	var shards, used int64
	require.NoError(t, d.index.entries(shard.ID{}, func(l location) bool {
		live[l.seg]++
		shards++
		used += l.bytes()
		return true
	}), what)
	d.mu.Lock()
	defer d.mu.Unlock()
	require.Equal(t, shards, d.shards, what)
	require.Equal(t, used, d.used, what)
	require.Empty(t, d.pins, what)
	d.files.mu.Lock()
	defer d.files.mu.Unlock()
	require.LessOrEqual(t, d.files.idle.Len(), d.o.IdleFiles, what)
	for _, s := range d.segments {
		require.Equal(t, s != d.active, s.file.users == 0, "%s: segment %d", what, s.number)
		require.Equal(t, live[s.number], s.live, "%s: segment %d", what, s.number)
		require.Empty(t, s.unfinished, "%s: segment %d", what, s.number)
		require.Zero(t, s.refs, "%s: segment %d", what, s.number)
		if s != d.active {
			require.Positive(t, s.live, "%s: segment %d should be gone", what, s.number)
			require.True(t, s.sealed, "%s: segment %d", what, s.number)
		}
	}
}

// runScript does steps random operations on d. Errors are allowed where the file
// system makes some; nothing is promised of what failed.
func runScript(ctx context.Context, d shard.Store, p *promises, rng *rand.Rand, steps int) {
	var wg sync.WaitGroup
	defer wg.Wait()
	var open []openWriter
	for step := range steps {
		switch rng.IntN(10) {
		case 0, 1, 2, 3, 4, 5:
			v := randomVersion(rng, step)
			if w, ok := beginPut(ctx, d, p, v, open); ok {
				open = append(open, w)
			}
		case 6:
			id := randomVersion(rng, step).h.ID
			p.deleting(id)
			_ = d.Delete(ctx, []shard.ID{id})
		case 7:
			if len(open) > 0 {
				open[0].w.Abort()
				open = open[1:]
			}
		}
		if len(open) >= 3 || step == steps-1 { // Commit them together.
			for _, w := range open {
				wg.Go(func() { w.commit(ctx, p) })
			}
			wg.Wait()
			open = nil
		}
	}
}

type openWriter struct {
	w shard.Writer
	v version
}

func (o openWriter) commit(ctx context.Context, p *promises) {
	if o.w.Commit(ctx) == nil {
		p.acknowledged(o.v)
	}
}

// beginPut writes a shard but does not commit it. One id is written by one
// writer at a time, as callers do.
func beginPut(ctx context.Context, d shard.Store, p *promises, v version, open []openWriter) (openWriter, bool) {
	for _, o := range open {
		if o.v.h.ID == v.h.ID {
			return openWriter{}, false
		}
	}
	w, err := d.Create(ctx, v.h)
	if err != nil {
		return openWriter{}, false
	}
	p.begin(v)
	if _, err := w.Write(shardtest.Frames(v.h, v.seed)); err != nil {
		w.Abort()
		return openWriter{}, false
	}
	return openWriter{w, v}, true
}

func randomVersion(rng *rand.Rand, step int) version {
	full := 0
	if rng.IntN(8) == 0 {
		full = 1
	}
	h := shardtest.Header(1, uint64(rng.IntN(6)+1), uint8(rng.IntN(2)), full, rng.IntN(3)+1, 64*(rng.IntN(70)+1))
	h.Epoch = uint32(step + 1)
	return version{h, uint64(step)}
}

// crashPoint is one moment of a run, as three drives could be found after it.
type crashPoint struct {
	p      *promises
	clones map[int]*vfs.MemFS // By percentage of unsynced data kept.
	op     errorfs.Op
}

// runWithCrashes runs a script and keeps every every-th moment of it, right
// before a write, a sync or a change of a directory.
func runWithCrashes(t *testing.T, seed uint64, steps, every int) []crashPoint {
	t.Helper()
	mem := vfs.NewCrashableMem()
	p := newPromises()
	var points []crashPoint
	n := 0
	hook := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsRead || op.Kind == errorfs.OpFileClose {
			return nil
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if n++; n%every == 0 {
			cp := crashPoint{p: p.copyLocked(), clones: make(map[int]*vfs.MemFS), op: op}
			for _, percent := range []int{0, 50, 100} {
				cp.clones[percent] = mem.CrashClone(vfs.CrashCloneCfg{
					UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(seed, uint64(n))),
				})
			}
			points = append(points, cp)
		}
		return nil
	})
	fs := errorfs.Wrap(mem, hook)
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 2 { // The second life starts with what the first left.
		d, err := Open(context.Background(), crashOptions(fs))
		require.NoError(t, err)
		runScript(t.Context(), d, p, rng, steps)
		require.NoError(t, d.Close())
	}
	p.check(t, mem, "without a crash")
	return points
}

// damages are what else may have happened to the index; each says what it did.
var damages = []func(t *testing.T, fs vfs.FS, rng *rand.Rand) string{
	func(*testing.T, vfs.FS, *rand.Rand) string { return "index kept" },
	func(t *testing.T, fs vfs.FS, _ *rand.Rand) string {
		require.NoError(t, fs.RemoveAll("top/drive/index"))
		return "index removed"
	},
	damageIndex,
}

// damageIndex overwrites a run of one of the index's files.
func damageIndex(t *testing.T, fs vfs.FS, rng *rand.Rand) string {
	const none = "index kept, nothing to damage"
	names, err := fs.List("top/drive/index")
	if err != nil || len(names) == 0 {
		return none
	}
	name := fs.PathJoin("top/drive/index", names[rng.IntN(len(names))])
	info, err := fs.Stat(name)
	if err != nil || info.IsDir() || info.Size() == 0 {
		return none
	}
	f, err := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	junk := make([]byte, 1+rng.IntN(64))
	for i := range junk {
		junk[i] = byte(rng.Uint32())
	}
	off := rng.Int64N(info.Size())
	_, err = f.WriteAt(junk, off)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	return fmt.Sprintf("index damaged at %s %d+%d of %d", name, off, len(junk), info.Size())
}

func TestCrash(t *testing.T) {
	seeds, steps, every := effort.Of(3, 1, 3), 14, 3
	if effort.Long() {
		seeds, steps, every = 40, 40, 1
	}
	for seed := range seeds {
		points := runWithCrashes(t, uint64(seed), steps, every)
		require.NotEmpty(t, points)
		for i, cp := range points {
			for percent, clone := range cp.clones {
				damage := damages[(i+percent/50)%len(damages)]
				rng := rand.New(rand.NewPCG(uint64(seed), uint64(i)))
				what := fmt.Sprintf("seed %d, before I/O %d (%v of %s), %d%% kept, %s",
					seed, i*every, cp.op.Kind, cp.op.Path, percent, damage(t, clone, rng))
				cp.p.check(t, clone, what)
				if i%4 == 0 { // And once more, in what the first recovery left.
					again := clone.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rng})
					damage := damages[i/4%len(damages)](t, again, rng)
					cp.p.check(t, again, what+", crashed again, "+damage)
				}
			}
		}
		t.Logf("seed %d: %d moments", seed, len(points))
	}
}
