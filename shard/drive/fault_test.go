package drive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/shardtest"
)

// isSegmentWrite reports whether a failure of op must fence the drive.
func isSegmentWrite(op errorfs.Op) bool {
	if !strings.Contains(op.Path, segSuffix) {
		return false
	}
	switch op.Kind {
	case errorfs.OpFileWriteAt, errorfs.OpFileSync, errorfs.OpFileSyncData:
		return true
	default:
		return false
	}
}

func failOnce(int64, int64) bool { return false }

// TestFailEveryIO runs a script once for each of its I/Os, which fails.
func TestFailEveryIO(t *testing.T) {
	steps, stride := 16, int64(3)
	if effort.Long() {
		steps, stride = 40, 1
	}
	for _, mode := range []struct {
		name string
		also func(n, at int64) bool // Whether a later one fails too.
	}{
		{"one", failOnce},
		{"all from there", func(n, at int64) bool { return n > at }},
	} {
		t.Run(mode.name, func(t *testing.T) {
			failed := 0
			for at := int64(0); ; at += stride {
				if !failIO(t, steps, at, mode.also) {
					break
				}
				failed++
			}
			require.Greater(t, failed, 20)
			t.Logf("%d I/Os failed", failed)
		})
	}
}

// failIO runs the script with the I/O at failing; false where there are not so
// many.
func failIO(t *testing.T, steps int, at int64, also func(n, at int64) bool) bool {
	t.Helper()
	var count atomic.Int64
	var hit atomic.Pointer[errorfs.Op]
	var syncsAfter atomic.Int64
	mem := vfs.NewCrashableMem()
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileClose {
			return nil // Pebble ignores none of them well; nothing depends on ours.
		}
		n := count.Add(1) - 1
		if hit.Load() != nil && isSegmentWrite(op) && op.Kind == errorfs.OpFileSyncData {
			syncsAfter.Add(1)
		}
		if n == at {
			hit.Store(&op)
		}
		if n == at || also(n, at) {
			return errorfs.ErrInjected
		}
		return nil
	}))
	p := newPromises()
	what := fmt.Sprintf("I/O %d", at)
	d, err := Open(context.Background(), crashOptions(fs))
	if err == nil {
		runScript(t.Context(), d, p, rand.New(rand.NewPCG(1, 1)), steps)
		if op := hit.Load(); op != nil {
			what += fmt.Sprintf(" (%v of %s)", op.Kind, op.Path)
			requireFenced(t, d, *op, syncsAfter.Load(), what)
		}
		_ = d.Close()
	}
	ended := hit.Load() == nil
	p.check(t, mem.CrashClone(vfs.CrashCloneCfg{}), what+", after a crash")
	p.check(t, mem, what)
	return !ended
}

// requireFenced checks what a failed I/O of a segment means.
func requireFenced(t *testing.T, d *Drive, op errorfs.Op, syncsAfter int64, what string) {
	t.Helper()
	if isSegmentWrite(op) {
		require.Error(t, d.Failed(), what)
	}
	if op.Kind == errorfs.OpFileSyncData {
		require.Zero(t, syncsAfter, "%s: a failed sync was tried again", what)
	}
	if d.Failed() == nil {
		return
	}
	_, err := d.Create(t.Context(), shardtest.Header(1, 1, 0, 0, 1, 64))
	require.True(t, errs.Is(err, errs.Unavailable), "%s: %v", what, err)
	_, err = d.Stat(t.Context(), shard.ID{})
	require.True(t, errs.Is(err, errs.Unavailable), "%s: %v", what, err)
	require.True(t, errs.Is(d.Delete(t.Context(), []shard.ID{{}}), errs.Unavailable), what)
}

func TestFailedWriteReachesTheCaller(t *testing.T) {
	for _, c := range []struct {
		kind errorfs.OpKind
		err  error
		want errs.Kind
	}{
		{errorfs.OpFileWriteAt, syscall.EIO, errs.Unavailable},
		{errorfs.OpFileSyncData, syscall.EIO, errs.Unavailable},
		{errorfs.OpFileSyncData, syscall.ENOSPC, errs.Unavailable},
		{errorfs.OpFileWriteAt, syscall.ENOSPC, errs.NoSpace},
		{errorfs.OpCreate, syscall.ENOSPC, errs.NoSpace},
		{errorfs.OpFilePreallocate, syscall.ENOSPC, errs.NoSpace},
	} {
		t.Run(fmt.Sprintf("%v %v", c.kind, c.err), func(t *testing.T) {
			var on atomic.Bool
			fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
				if on.Load() && op.Kind == c.kind && strings.Contains(op.Path, segSuffix) {
					return c.err
				}
				return nil
			}))
			var fenced atomic.Int64
			o := crashOptions(fs)
			o.Events.Fenced = func(error) { fenced.Add(1) }
			d := mustOpen(t, o)
			h := shardtest.Header(1, 1, 0, 0, 1, 64)
			on.Store(true)
			err := shardtest.Put(t.Context(), d, h, shardtest.Frames(h, 1))
			require.Equal(t, c.want, errs.KindOf(err), "%v", err)
			on.Store(false)
			err = shardtest.Put(t.Context(), d, h, shardtest.Frames(h, 1))
			if c.want == errs.NoSpace {
				require.NoError(t, err, "the drive stays up")
				require.NoError(t, d.Failed())
				return
			}
			require.True(t, errs.Is(err, errs.Unavailable), "%v", err)
			require.ErrorIs(t, d.Failed(), c.err)
			require.EqualValues(t, 1, fenced.Load())
		})
	}
}

// TestUnreadable: what the device cannot read here and there is a bad shard; what it
// cannot read in many places is a bad drive.
func TestUnreadable(t *testing.T) {
	var on atomic.Bool
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if on.Load() && op.Kind == errorfs.OpFileReadAt && strings.Contains(op.Path, segSuffix) {
			return syscall.EIO
		}
		return nil
	}))
	o := testOptions(fs, "drive")
	o.Unreadable = 3
	var places, fenced atomic.Int64
	o.Events.Unreadable = func(error) { places.Add(1) }
	o.Events.Fenced = func(error) { fenced.Add(1) }
	d := mustOpen(t, o)
	var shards []shard.Header
	for seq := range uint64(3) {
		h := shardtest.Header(1, 1+seq, 0, 2*shard.UnitBlocks, 0, 0)
		require.NoError(t, shardtest.Put(t.Context(), d, h, shardtest.Frames(h, seq)))
		shards = append(shards, h)
	}
	read := func(h shard.Header) error {
		r, err := d.Open(t.Context(), h.ID, h.BlockSpan(0))
		if err != nil {
			return err
		}
		_, err = io.ReadAll(r)
		return errors.Join(err, r.Close())
	}
	on.Store(true)
	for _, h := range shards[:2] {
		for range 3 {
			require.Equal(t, errs.Corrupt, errs.KindOf(read(h)))
		}
	}
	require.EqualValues(t, 2, places.Load(), "a place counts once")
	require.NoError(t, d.Failed())
	on.Store(false)
	require.NoError(t, read(shards[0]))
	on.Store(true)
	require.Equal(t, errs.Corrupt, errs.KindOf(d.Verify(t.Context(), shards[2].ID)))
	require.ErrorIs(t, d.Failed(), syscall.EIO)
	require.EqualValues(t, 1, fenced.Load())
	on.Store(false)
	require.Equal(t, errs.Unavailable, errs.KindOf(read(shards[0])))
	require.NoError(t, d.Close())
	d = mustOpen(t, o) // As after a restart of the node.
	require.NoError(t, d.Failed())
	require.NoError(t, read(shards[2]))
}

// TestCutShortIsNotTheDevice: that a file ends early is damage of its shards, not a
// failure to read.
func TestCutShortIsNotTheDevice(t *testing.T) {
	mem := vfs.NewMem()
	o := testOptions(mem, "drive")
	o.Unreadable = 1
	d := mustOpen(t, o)
	h := shardtest.Header(1, 1, 0, 2*shard.UnitBlocks, 0, 0)
	require.NoError(t, shardtest.Put(t.Context(), d, h, shardtest.Frames(h, 1)))
	l, _, err := d.index.get(h.ID)
	require.NoError(t, err)
	_, err = d.segments[l.seg].file.ReadAt(make([]byte, 1), 1<<40)
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, d.Failed())
}

func TestReserveIsKept(t *testing.T) {
	mem := vfs.NewMem()
	mem.TestingSetDiskUsage(vfs.DiskUsage{TotalBytes: 1 << 20, AvailBytes: 600 << 10})
	o := crashOptions(mem)
	o.ReserveBytes = 500 << 10
	d := mustOpen(t, o)
	h := shardtest.Header(1, 1, 0, 1, 0, 0)
	require.NoError(t, shardtest.Put(t.Context(), d, h, shardtest.Frames(h, 1)))
	h.ID.Extent.Seq++
	err := shardtest.Put(t.Context(), d, h, shardtest.Frames(h, 1))
	require.True(t, errs.Is(err, errs.NoSpace), "%v", err)
	u := d.Usage()
	require.EqualValues(t, 1<<20, u.CapacityBytes)
	require.EqualValues(t, 1, u.Shards)
	require.EqualValues(t, recordBytes(h), u.UsedBytes)
}

// TestTornTail cuts, and damages, the last records of a segment at every sector.
func TestTornTail(t *testing.T) {
	build := func() (*vfs.MemFS, []shard.Header, string) {
		mem := vfs.NewMem()
		o := crashOptions(mem)
		o.SegmentBytes = 1 << 20
		d, err := Open(context.Background(), o)
		require.NoError(t, err)
		var hs []shard.Header
		for i := range 3 {
			h := shardtest.Header(1, uint64(i+1), 0, 0, 2, 64*(i+20))
			hs = append(hs, h)
			require.NoError(t, shardtest.Put(t.Context(), d, h, shardtest.Frames(h, 1)))
		}
		require.NoError(t, d.Close())
		return mem, hs, "top/drive/seg/" + segmentName(1)
	}
	mem, _, name := build()
	info, err := mem.Stat(name)
	require.NoError(t, err)
	for _, index := range []bool{true, false} {
		for off := int64(0); off < info.Size(); off += 512 {
			for _, cut := range []bool{true, false} {
				mem, hs, name := build()
				if !index {
					require.NoError(t, mem.RemoveAll("top/drive/index"))
				}
				damageFile(t, mem, name, off, cut)
				checkDamaged(t, mem, hs, fmt.Sprintf("offset %d, cut %v, index %v", off, cut, index))
			}
		}
	}
}

func damageFile(t *testing.T, fs vfs.FS, name string, off int64, cut bool) {
	t.Helper()
	b, err := readSmallFile(fs, name, 1<<30)
	require.NoError(t, err)
	if cut {
		b = b[:off]
	} else {
		for i := off; i < min(off+512, int64(len(b))); i++ {
			b[i] ^= 0x55
		}
	}
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	_, err = f.Write(b)
	require.NoError(t, errors.Join(err, f.Close()))
}

// checkDamaged requires that each shard is whole, absent, or found to be bad.
func checkDamaged(t *testing.T, fs vfs.FS, hs []shard.Header, what string) {
	t.Helper()
	d, err := Open(context.Background(), crashOptions(fs))
	require.NoError(t, err, what)
	defer func() { require.NoError(t, d.Close(), what) }()
	for _, h := range hs {
		b, err := shardtest.Get(t.Context(), d, h)
		bad := d.Verify(t.Context(), h.ID)
		switch {
		case errs.Is(err, errs.NotFound):
			require.True(t, errs.Is(bad, errs.NotFound), "%s: %v", what, bad)
		case err != nil || shardtest.CheckFrames(h, b) >= 0:
			require.True(t, errs.Is(bad, errs.Corrupt) || errs.Is(bad, errs.NotFound), "%s: %v", what, bad)
		}
	}
}

func TestVerifyNamesTheBadBlock(t *testing.T) {
	mem := vfs.NewMem()
	o := crashOptions(mem)
	var gotID shard.ID
	gotBlock := -2
	o.Events.BadBlock = func(id shard.ID, block int) { gotID, gotBlock = id, block }
	d := mustOpen(t, o)
	h := shardtest.Header(1, 1, 0, 9, 0, 0)
	require.NoError(t, shardtest.Put(t.Context(), d, h, shardtest.Frames(h, 1)))
	require.NoError(t, d.Verify(t.Context(), h.ID))
	damageInPlace(t, mem, "top/drive/seg/"+segmentName(1), dataOffset+recordHeaderBytes+6*shard.FrameBytes+99)
	err := d.Verify(t.Context(), h.ID)
	require.True(t, errs.Is(err, errs.Corrupt), "%v", err)
	var bad *BadBlockError
	require.ErrorAs(t, err, &bad)
	require.Equal(t, 6, bad.Block)
	require.Equal(t, h.ID, gotID)
	require.Equal(t, 6, gotBlock)
}

func damageInPlace(t *testing.T, fs vfs.FS, name string, off int64) {
	t.Helper()
	f, err := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte{0xff, 0x00, 0xff}, off)
	require.NoError(t, errors.Join(err, f.Close()))
}
