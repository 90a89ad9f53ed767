package drive

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/shardtest"
)

// TestOpenFailsEveryIO has each I/O of an open fail in turn, with the index that the drive
// has, with one that a crash took back, and with one that is lost. A drive that opens all
// the same has every shard, or is taken out of use when one is read, and none is lost.
func TestOpenFailsEveryIO(t *testing.T) {
	stride := effort.Of[int64](1, 7, 1)
	mem, p := vfs.NewCrashableMem(), newPromises()
	for life := range uint64(2) {
		d, err := Open(context.Background(), crashOptions(mem))
		require.NoError(t, err)
		runScript(t.Context(), d, p, rand.New(rand.NewPCG(life, 1)), 40)
		if life == 0 {
			require.NoError(t, d.Close())
			continue
		}
		crashed := mem.CrashClone(vfs.CrashCloneCfg{})
		require.NoError(t, d.Close())
		lost := mem.CrashClone(vfs.CrashCloneCfg{})
		require.NoError(t, lost.RemoveAll("top/drive/"+indexDirName))
		for name, disk := range map[string]*vfs.MemFS{"kept": mem, "crashed": crashed, "lost": lost} {
			t.Run(name, func(t *testing.T) {
				failed := 0
				for at := int64(1); openWithFault(t, disk.CrashClone(vfs.CrashCloneCfg{}), p, at); at += stride {
					failed++
				}
				require.Greater(t, failed, int(20/stride))
				t.Logf("%d I/Os failed", failed)
			})
		}
	}
}

// openWithFault opens the drive with the I/O at failing; false where there are not so many.
func openWithFault(t *testing.T, disk *vfs.MemFS, p *promises, at int64) bool {
	t.Helper()
	var count atomic.Int64
	var opened atomic.Bool
	var hit atomic.Pointer[errorfs.Op]
	fs := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if opened.Load() || op.Kind == errorfs.OpFileClose || count.Add(1) != at {
			return nil
		}
		hit.Store(&op)
		return errorfs.ErrInjected
	}))
	d, err := Open(context.Background(), crashOptions(fs))
	opened.Store(true)
	what := fmt.Sprintf("I/O %d", at)
	if op := hit.Load(); op != nil {
		what += fmt.Sprintf(" (%v of %s)", op.Kind, op.Path)
	}
	if err == nil {
		for id := range p.must {
			if fenced(t, d, id) {
				break
			}
			p.checkShard(t, d, id, what)
		}
		if d.Failed() == nil {
			d.checkBooks(t, what)
		}
		_ = d.Close()
	}
	p.check(t, disk, what)
	return hit.Load() != nil
}

// fenced reads a shard, and reports whether that has taken the drive out of use: the I/O may
// have failed in the background, to a table of the index that is first read now.
func fenced(t *testing.T, d *Drive, id shard.ID) bool {
	h, err := d.Stat(t.Context(), id)
	if err == nil {
		_, err = shardtest.Get(t.Context(), d, h)
	}
	return err != nil && d.Failed() != nil
}

// TestUnreadableMark: a mark that cannot be read means that the index is made anew, once:
// one that stayed would have every open read all segments.
func TestUnreadableMark(t *testing.T) {
	mem := vfs.NewMem()
	o := testOptions(mem, "d")
	h := shardtest.Header(1, 1, 0, 2, 1, 100)
	d, err := Open(context.Background(), o)
	require.NoError(t, err)
	require.NoError(t, shardtest.Put(t.Context(), d, h, shardtest.Frames(h, 1)))
	require.NoError(t, d.index.db.Set(markKey(1), []byte("short"), pebble.NoSync))
	require.NoError(t, d.Close())
	var rebuilt []int
	o.Events.Rebuilt = func(n int) { rebuilt = append(rebuilt, n) }
	for range 2 {
		d, err = Open(context.Background(), o)
		require.NoError(t, err)
		requireFrames(t, d, h, 1)
		require.NoError(t, d.Close())
	}
	require.Equal(t, []int{1}, rebuilt)
}

// TestVerifyForgetsWhatWasGivenBack: after a crash the index may lead to a record whose
// room was given back. It is no damage, to be repaired, and no shard either.
func TestVerifyForgetsWhatWasGivenBack(t *testing.T) {
	for name, giveBack := range map[string]func(t *testing.T, f *file, l location){
		"marked dead": func(t *testing.T, f *file, l location) {
			require.NoError(t, f.change("a test", func(f vfs.File) error { return markDead(f, deadRecord{off: l.off}) }))
		},
		"a hole": func(t *testing.T, f *file, l location) {
			_, err := f.WriteAt(make([]byte, l.bytes()), l.off)
			require.NoError(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := testOptions(vfs.NewMem(), "d")
			bad := 0
			o.Events.BadBlock = func(shard.ID, int) { bad++ }
			d := mustOpen(t, o)
			h, other := shardtest.Header(1, 1, 0, 2, 1, 100), shardtest.Header(1, 2, 0, 1, 0, 0)
			for _, h := range []shard.Header{h, other} {
				require.NoError(t, shardtest.Put(t.Context(), d, h, shardtest.Frames(h, 1)))
			}
			l, ok, err := d.index.get(h.ID)
			require.NoError(t, err)
			require.True(t, ok)
			giveBack(t, d.segments[l.seg].file, l)

			for range 2 { // As the index leads there, and once it is forgotten.
				err = d.Verify(t.Context(), h.ID)
				require.Equal(t, errs.NotFound, errs.KindOf(err), "%v", err)
			}
			_, err = d.Stat(t.Context(), h.ID)
			require.Equal(t, errs.NotFound, errs.KindOf(err), "%v", err)
			require.NoError(t, d.Verify(t.Context(), other.ID))
			require.EqualValues(t, 1, d.Usage().Shards)
			require.Zero(t, bad)
			d.checkBooks(t, "")
		})
	}
}

// TestIndexThatCannotBeRead: an index that does not answer takes the drive out of use,
// whoever asks, and is made anew when it is opened again.
func TestIndexThatCannotBeRead(t *testing.T) {
	h := shardtest.Header(1, 1, 0, 2, 1, 100)
	for name, ask := range map[string]func(d *Drive) error{
		"Stat":   func(d *Drive) error { _, err := d.Stat(context.Background(), h.ID); return err },
		"Open":   func(d *Drive) error { _, err := d.Open(context.Background(), h.ID, shard.Span{}); return err },
		"List":   func(d *Drive) error { _, err := d.List(context.Background(), shard.ID{}, 10); return err },
		"Verify": func(d *Drive) error { return d.Verify(context.Background(), h.ID) },
		"Delete": func(d *Drive) error { return d.Delete(context.Background(), []shard.ID{h.ID}) },
		"Commit": func(d *Drive) error { return shardtest.Put(context.Background(), d, h, shardtest.Frames(h, 2)) },
	} {
		t.Run(name, func(t *testing.T) {
			var on atomic.Bool
			mem := vfs.NewMem()
			o := testOptions(errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
				if on.Load() && strings.HasSuffix(op.Path, ".sst") && op.Kind.ReadOrWrite() == errorfs.OpIsRead {
					return errorfs.ErrInjected
				}
				return nil
			})), "d")
			d, err := Open(context.Background(), o)
			require.NoError(t, err)
			require.NoError(t, shardtest.Put(t.Context(), d, h, shardtest.Frames(h, 1)))
			require.NoError(t, d.index.db.Flush())
			on.Store(true)
			err = ask(d)
			require.Equal(t, errs.Unavailable, errs.KindOf(err), "%v", err)
			require.ErrorIs(t, d.Failed(), errorfs.ErrInjected)
			on.Store(false)
			_ = d.Close()
			d = mustOpen(t, testOptions(mem, "d"))
			require.NoError(t, d.Failed())
			require.NoError(t, d.Verify(t.Context(), h.ID))
		})
	}
}
