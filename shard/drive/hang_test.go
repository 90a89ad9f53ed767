package drive

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard/shardtest"
)

// hangs is a file system of which one kind of operation on segments hangs once it
// is on, until resume is closed.
type hangs struct {
	kind   errorfs.OpKind
	on     atomic.Bool
	resume chan struct{}
}

func (h *hangs) String() string { return "hangs" }

// MaybeError implements errorfs.Injector.
func (h *hangs) MaybeError(op errorfs.Op) error {
	if op.Kind == h.kind && strings.Contains(op.Path, segDirName) && h.on.Load() {
		<-h.resume
	}
	return nil
}

// TestHang: whatever hangs of what a commit needs, the drive is fenced when its
// time is up, and only what itself hangs waits on.
func TestHang(t *testing.T) {
	for _, c := range []struct {
		name string
		kind errorfs.OpKind
	}{
		{"create a segment", errorfs.OpCreate},
		{"open a segment", errorfs.OpOpen},
		{"preallocate", errorfs.OpFilePreallocate},
		{"sync a new segment", errorfs.OpFileSync},
		{"sync the directory", errorfs.OpOpenDir},
		{"write", errorfs.OpFileWriteAt},
		{"sync of a commit", errorfs.OpFileSyncData},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testHang(t, c.kind) })
		})
	}
}

func testHang(t *testing.T, kind errorfs.OpKind) {
	hang := &hangs{kind: kind, resume: make(chan struct{})}
	o := crashOptions(errorfs.Wrap(vfs.NewMem(), hang))
	var fenced atomic.Int64
	o.Events.Fenced = func(error) { fenced.Add(1) }
	d, err := Open(context.Background(), o)
	require.NoError(t, err)
	hang.on.Store(true)
	put := func(ctx context.Context, seq uint64) <-chan error {
		done := make(chan error, 1)
		h := shardtest.Header(1, seq, 0, 0, 1, 64)
		go func() { done <- shardtest.Put(ctx, d, h, shardtest.Frames(h, 1)) }()
		return done
	}
	start := time.Now()
	stuck := put(t.Context(), 1)
	synctest.Wait()
	require.NoError(t, d.Failed(), "not yet")
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	impatient, patient := put(short, 2), put(t.Context(), 3)

	<-d.fenced
	synctest.Wait() // The event comes after.
	require.Equal(t, DefaultHangTimeout, time.Since(start))
	require.ErrorContains(t, d.Failed(), "has not ended after")
	require.EqualValues(t, 1, fenced.Load())
	err = <-impatient
	require.Contains(t, []errs.Kind{errs.Canceled, errs.Unknown}, errs.KindOf(err), "%v", err)
	err = <-patient
	require.True(t, errs.Is(err, errs.Unavailable), "%v", err)
	_, err = d.Create(t.Context(), shardtest.Header(1, 4, 0, 0, 1, 64))
	require.True(t, errs.Is(err, errs.Unavailable), "%v", err)

	close(hang.resume)
	require.True(t, errs.Is(<-stuck, errs.Unavailable))
	require.NoError(t, d.Close())
}

// TestSlowIsNotHung: what ends in time leaves no trace.
func TestSlowIsNotHung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := &hangs{kind: errorfs.OpFileSyncData, resume: make(chan struct{})}
		d, err := Open(context.Background(), crashOptions(errorfs.Wrap(vfs.NewMem(), hang)))
		require.NoError(t, err)
		hang.on.Store(true)
		time.AfterFunc(DefaultHangTimeout-time.Second, func() { close(hang.resume) })
		h := shardtest.Header(1, 1, 0, 0, 1, 64)
		require.NoError(t, shardtest.Put(t.Context(), d, h, shardtest.Frames(h, 1)))
		time.Sleep(2 * DefaultHangTimeout)
		require.NoError(t, d.Failed())
		d.checkBooks(t, "")
		require.NoError(t, d.Close())
	})
}
