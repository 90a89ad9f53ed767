package buf

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/cluster/errs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestGetGivesWhatWasAsked(t *testing.T) {
	p := New(Config{})
	for _, n := range []int{0, 1, 63, 64, 4096, 4097, 65540, 262160, 262161, 3 << 20} {
		b := p.Get(n)
		require.Len(t, b.Bytes(), n)
		require.Equal(t, n, cap(b.Bytes()), "a longer capacity invites appends")
		require.Zero(t, uintptr(unsafe.Pointer(unsafe.SliceData(b.Bytes())))%AlignBytes)
		b.Release()
	}
	require.Zero(t, p.Live())
	require.Zero(t, p.LiveBytes())
}

func TestReuse(t *testing.T) {
	p := New(Config{Classes: []int{100}})
	b := p.Get(90)
	first := unsafe.SliceData(b.Bytes())
	b.Retain()
	b.Release()
	require.EqualValues(t, 1, p.Live())
	require.Zero(t, p.IdleBytes())
	b.Release()
	require.EqualValues(t, 128, p.IdleBytes())
	c := p.Get(128)
	require.Equal(t, first, unsafe.SliceData(c.Bytes()))
	require.Zero(t, p.IdleBytes())
	c.Release()
}

func TestIdleIsBounded(t *testing.T) {
	for limit, want := range map[int64]int64{200: 192, -1: 0} {
		p := New(Config{Classes: []int{64}, IdleBytes: limit})
		var bufs []*Buf
		for range 10 {
			bufs = append(bufs, p.Get(64))
		}
		for _, b := range bufs {
			b.Release()
		}
		require.Equal(t, want, p.IdleBytes())
	}
}

func TestOverReleasePanics(t *testing.T) {
	p := New(Config{IdleBytes: -1})
	b := p.Get(10)
	b.Release()
	require.Panics(t, b.Release)
	require.Panics(t, p.Get(1<<20).releaseTwice)
	require.Panics(t, b.Retain)
}

func (b *Buf) releaseTwice() {
	b.Release()
	b.Release()
}

func TestInvariants(t *testing.T) {
	if !invariants {
		t.Skip("built without -tags invariants")
	}
	p := New(Config{})
	b := p.Get(10)
	kept := b.Bytes()
	b.Release()
	require.EqualValues(t, poison, kept[0], "a released buffer is overwritten")
	require.Panics(t, func() { b.Bytes() })
	_ = p.Get(10) // The same bytes under a new handle: the old one stays dead.
	require.Panics(t, b.Release)
}

func TestWipe(t *testing.T) {
	p := New(Config{})
	b := p.Get(10)
	copy(b.Bytes(), "plaintext!")
	b.Wipe()
	require.Equal(t, make([]byte, 10), b.Bytes())
	b.Release()
}

func TestPoolIsConcurrent(t *testing.T) {
	p := New(Config{})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 300 {
				b := p.Get(1 + i*37%20000)
				b.Bytes()[0] = byte(g)
				if b.Bytes()[0] != byte(g) {
					t.Error("a buffer has two owners")
				}
				b.Release()
			}
		})
	}
	wg.Wait()
	require.Zero(t, p.Live())
}

func TestGetDoesNotAllocate(t *testing.T) {
	if invariants {
		t.Skip("invariants make a handle each time")
	}
	p := New(Config{})
	p.Get(1000).Release()
	require.Zero(t, testing.AllocsPerRun(100, func() { p.Get(1000).Release() }))
}

func TestBudgetIsFIFO(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(10, time.Hour)
		require.NoError(t, b.Acquire(t.Context(), 8))
		var order []int64
		var mu sync.Mutex
		for _, n := range []int64{9, 1, 2} {
			go func() {
				if err := b.Acquire(context.Background(), n); err == nil {
					mu.Lock()
					order = append(order, n)
					mu.Unlock()
				}
			}()
			synctest.Wait()
		}
		require.Empty(t, order, "nobody overtakes, though 2 bytes are free")
		require.False(t, b.TryAcquire(1))
		b.Release(8)
		synctest.Wait()
		require.ElementsMatch(t, []int64{9, 1}, order, "both at once")
		b.Release(9)
		synctest.Wait()
		require.Len(t, order, 3)
		b.Release(3)
		require.EqualValues(t, 10, b.Free())
	})
}

func TestBudgetTurnsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(10, time.Second)
		require.Equal(t, errs.Invalid, errs.KindOf(b.Acquire(t.Context(), 11)))
		require.NoError(t, b.Acquire(t.Context(), 6))
		began := time.Now()
		require.Equal(t, errs.Overloaded, errs.KindOf(b.Acquire(t.Context(), 5)))
		require.Equal(t, time.Second, time.Since(began))

		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		require.Equal(t, errs.Canceled, errs.KindOf(b.Acquire(ctx, 5)))
		require.Equal(t, errs.Canceled, errs.KindOf(b.Acquire(ctx, 1)))

		// One that gives up lets those behind it go.
		go func() { _ = b.Acquire(t.Context(), 5) }()
		time.Sleep(time.Second / 2)
		require.NoError(t, b.Acquire(t.Context(), 4))
		require.Equal(t, time.Second+time.Millisecond+time.Second, time.Since(began))
		b.Release(10)
		require.Panics(t, func() { b.Release(1) })
	})
	require.Equal(t, errs.Overloaded, errs.KindOf(func() error {
		b := NewBudget(1, -1)
		_ = b.TryAcquire(1)
		return b.Acquire(t.Context(), 1)
	}()))
}

// However requests come and go, no byte is lost or made.
func TestBudgetConserves(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		sizes := rapid.SliceOfN(rapid.Int64Range(1, 20), 1, 30).Draw(rt, "sizes")
		wait := rapid.Int64Range(1, 10).Draw(rt, "wait")
		synctest.Test(t, func(t *testing.T) {
			b := NewBudget(20, time.Duration(wait)*time.Millisecond)
			var wg sync.WaitGroup
			for i, n := range sizes {
				wg.Go(func() {
					time.Sleep(time.Duration(i%7) * time.Millisecond)
					if b.Acquire(t.Context(), n) == nil {
						time.Sleep(time.Duration(n) * time.Millisecond)
						b.Release(n)
					}
				})
			}
			wg.Wait()
			require.EqualValues(t, 20, b.Free())
		})
	})
}
