package drive

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
)

// stuck is a file system whose at-th operation hangs until resume is closed.
type stuck struct {
	at     int64
	seen   atomic.Int64
	over   atomic.Bool // Nothing hangs any more.
	hung   chan errorfs.Op
	resume chan struct{}
}

func (s *stuck) String() string { return "stuck" }

// MaybeError implements errorfs.Injector.
func (s *stuck) MaybeError(op errorfs.Op) error {
	if s.seen.Add(1) == s.at && !s.over.Load() {
		s.hung <- op
		<-s.resume
	}
	return nil
}

// TestOpenIsInterrupted has every operation of an open hang in turn, with the index that
// the drive has and with one that is lost. Whatever it is, Open returns when its context
// ends; once the file system goes on the drive can be opened, and has its shards.
func TestOpenIsInterrupted(t *testing.T) {
	for _, lost := range []bool{false, true} {
		mem := vfs.NewCrashableMem()
		d, err := Open(context.Background(), crashOptions(mem))
		require.NoError(t, err)
		p := newPromises()
		runScript(t.Context(), d, p, rand.New(rand.NewPCG(1, 1)), 40)
		require.NoError(t, d.Close())
		hung := 0
		for at := int64(1); ; at++ {
			if lost {
				require.NoError(t, mem.RemoveAll(mem.PathJoin(crashOptions(mem).Dir, indexDirName)))
			}
			if !openWhileStuck(t, mem, at) {
				break
			}
			hung++
		}
		require.Greater(t, hung, 20, "operations of an open")
		p.check(t, mem, fmt.Sprintf("after opens that were interrupted, index lost: %v", lost))
	}
}

// openWhileStuck reports whether an open has as many operations.
func openWhileStuck(t *testing.T, mem *vfs.MemFS, at int64) bool {
	s := &stuck{at: at, hung: make(chan errorfs.Op, 1), resume: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	type opened struct {
		d   *Drive
		err error
	}
	result := make(chan opened, 1)
	o := crashOptions(errorfs.Wrap(mem, s))
	o.Cache = pebble.NewCache(1<<20 + IndexMemTableBytes)
	go func() { // Ends with the open.
		d, err := Open(ctx, o)
		o.Cache.Unref() // As a node does that gives up, whatever still hangs.
		result <- opened{d, err}
	}()
	var op errorfs.Op
	select {
	case op = <-s.hung:
	case got := <-result:
		require.NoError(t, got.err)
		s.over.Store(true)
		close(s.resume) // What hangs, if something does, does so in the background.
		require.NoError(t, got.d.Close())
		return len(s.hung) > 0
	}
	cancel()
	what := fmt.Sprintf("operation %d (%v of %s)", at, op.Kind, op.Path)
	got := <-result // It hangs here if Open does.
	if got.err == nil {
		s.over.Store(true)
		close(s.resume) // What hangs is none of what Open waits for.
		require.NoError(t, got.d.Close())
		return true
	}
	require.True(t, errs.Is(got.err, errs.Canceled), "%s: %v", what, got.err)
	require.ErrorIs(t, got.err, context.Canceled)
	close(s.resume)
	require.Eventually(t, func() bool {
		d, err := Open(t.Context(), crashOptions(mem))
		return err == nil && d.Close() == nil
	}, 5*time.Minute, time.Millisecond, "%s: the directory is free once the file system goes on", what)
	return true
}

// TestOpenAfterTheEnd: an open whose context has ended already leaves nothing behind.
func TestOpenAfterTheEnd(t *testing.T) {
	mem := vfs.NewMem()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Open(ctx, crashOptions(mem))
	require.True(t, errs.Is(err, errs.Canceled), "%v", err)
	require.Eventually(t, func() bool {
		d, err := Open(t.Context(), crashOptions(mem))
		return err == nil && d.Close() == nil
	}, 5*time.Minute, time.Millisecond)
}
