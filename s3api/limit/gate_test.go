package limit

import (
	"context"
	"math"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
)

// machine works on requests as processors do: all that are under way share them, so that a request
// takes the longer the more there are.
type machine struct {
	gate  *Gate // Nil: everything is let through.
	under atomic.Int64
	done  map[string]*atomic.Int64
}

const work = time.Millisecond // What a request takes alone.

// client asks again and again until ctx ends.
func (m *machine) client(ctx context.Context, account string) {
	for ctx.Err() == nil {
		var s *Slot
		if m.gate != nil {
			var err error
			if s, err = m.gate.Enter(ctx, account); err != nil {
				continue
			}
		}
		n := m.under.Add(1)
		time.Sleep(time.Duration(n) * work)
		m.under.Add(-1)
		s.Leave()
		m.done[account].Add(1)
	}
}

// run has accounts with so many clients each ask for a while. It returns how many requests of each
// were done.
func (m *machine) run(t *testing.T, clients map[string]int) map[string]float64 {
	m.done = map[string]*atomic.Int64{}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var all sync.WaitGroup
	for account, n := range clients {
		m.done[account] = new(atomic.Int64)
		for range n {
			all.Go(func() { m.client(ctx, account) })
		}
	}
	all.Wait()
	out := map[string]float64{}
	for account := range clients {
		out[account] = float64(m.done[account].Load())
	}
	return out
}

// scarceGate is a gate of a node whose processors are never enough.
func scarceGate(least int) *Gate {
	g := NewGate(least)
	g.scarce = func(time.Time) bool { return true }
	return g
}

// TestGateWithRoom: while processors are enough, nobody is held back, however many requests of others there
// are; once they are not, those that wait are let in when they are again.
func TestGateWithRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(2)
		var scarce atomic.Bool
		g.scarce = func(time.Time) bool { return scarce.Load() }
		b, err := g.Enter(t.Context(), "b")
		require.NoError(t, err)
		defer b.Leave()
		for range 100 {
			s, err := g.Enter(t.Context(), "a")
			require.NoError(t, err)
			defer s.Leave()
		}
		scarce.Store(true)
		time.AfterFunc(time.Second, func() { scarce.Store(false) })
		began := time.Now()
		s, err := g.Enter(t.Context(), "a")
		require.NoError(t, err)
		s.Leave()
		require.GreaterOrEqual(t, time.Since(began), time.Second)
		require.LessOrEqual(t, time.Since(began), time.Second+gateLook)
	})
}

// TestContention: processors are not enough where a tenth of what became ready since the last look had to wait
// long for one, and a while after that.
func TestContention(t *testing.T) {
	now := time.Now()
	h := &metrics.Float64Histogram{Buckets: []float64{0, 1e-6, 1e-3, 1, math.Inf(1)},
		Counts: []uint64{0, 0, 1000, 1000}}
	c := &contention{looked: now.Add(time.Hour)} // It reads nothing by itself.
	look := func(short, long uint64) bool {
		h.Counts[0] += short
		h.Counts[2] += long
		c.add(h, now)
		return c.there(now)
	}
	require.False(t, look(1, 0), "what was before counts for nothing")
	require.False(t, look(0, 0))
	require.False(t, look(91, 9))
	require.True(t, look(90, 10))
	now = now.Add(contentionHeld - 1)
	require.True(t, look(1000, 0), "a moment ago")
	now = now.Add(1)
	require.False(t, look(1000, 0))

	live := newContention()
	live.there(now)
	require.NotEmpty(t, live.counts, "the runtime has "+waitsMetric)
}

// TestGateIsFair: ten clients of an account have more than four tenths of a fair half beside a
// thousand clients of another. Without the gate they have nearly nothing.
func TestGateIsFair(t *testing.T) {
	share := func(g *Gate) (part float64) {
		synctest.Test(t, func(t *testing.T) {
			done := (&machine{gate: g}).run(t, map[string]int{"many": 1000, "few": 10})
			part = done["few"] / (done["few"] + done["many"])
		})
		return part
	}
	require.Less(t, share(nil), 0.05)
	require.Greater(t, share(scarceGate(4)), 0.4*0.5)
}

// TestGateIsFairToOne: even one client beside a thousand gets a good part, and so do several
// accounts of different size.
func TestGateIsFairToOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done := (&machine{gate: scarceGate(4)}).run(t, map[string]int{"many": 1000, "one": 1})
		require.Greater(t, done["one"]/(done["one"]+done["many"]), 0.1)
	})
	synctest.Test(t, func(t *testing.T) {
		done := (&machine{gate: scarceGate(4)}).run(t, map[string]int{"a": 500, "b": 300, "c": 8})
		require.Greater(t, done["c"]/(done["a"]+done["b"]+done["c"]), 0.01)
		require.InEpsilon(t, done["a"], done["b"], 0.2)
	})
}

// TestGateAlone: an account that is alone is not held back, and is not any more once the others have
// been gone for a while.
func TestGateAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := scarceGate(2)
		enter := func(n int) (in int) {
			for range n {
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				if s, err := g.Enter(ctx, "a"); err == nil {
					in++
					defer s.Leave()
				}
				cancel()
			}
			return in
		}
		require.Equal(t, 100, enter(100))
		b, err := g.Enter(t.Context(), "b")
		require.NoError(t, err)
		require.Equal(t, 2, enter(10))
		b.Leave()
		require.Equal(t, 2, enter(10), "it may come back")
		time.Sleep(3 * presence)
		require.Equal(t, 100, enter(100))
	})
}

// TestGateSlots: a request that lasts does not keep others of its account out for ever. Whoever waits
// too long, or whose client leaves, is let go, and holds nothing.
func TestGateSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := scarceGate(1)
		_, err := g.Enter(t.Context(), "b")
		require.NoError(t, err)
		slow, err := g.Enter(t.Context(), "a")
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err = g.Enter(ctx, "a")
		require.Equal(t, errs.Canceled, errs.KindOf(err))
		began := time.Now()
		next, err := g.Enter(t.Context(), "a")
		require.NoError(t, err)
		require.LessOrEqual(t, time.Since(began), slotTime+gateLook)
		slow.Leave()
		next.Leave()
		next.Leave()
		for _, l := range g.lines {
			require.Empty(t, l.waiting)
		}
	})
}

// TestGateQueue: so many of an account may wait, and no more.
func TestGateQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := scarceGate(1)
		ctx, cancel := context.WithCancel(t.Context())
		for _, account := range []string{"b", "a"} {
			_, err := g.Enter(ctx, account)
			require.NoError(t, err)
		}
		var all sync.WaitGroup
		for range gateQueue {
			all.Go(func() { _, _ = g.Enter(ctx, "a") })
		}
		synctest.Wait()
		_, err := g.Enter(ctx, "a")
		require.Equal(t, errs.Overloaded, errs.KindOf(err))
		c, err := g.Enter(ctx, "c")
		require.NoError(t, err, "another account does not wait")
		c.Leave()
		cancel()
		all.Wait()
	})
}

func BenchmarkGateAlone(b *testing.B) {
	g := NewGate(0)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			s, _ := g.Enter(context.Background(), "a")
			s.Leave()
		}
	})
}

// BenchmarkNoLimit is what a request costs besides the gate while nobody has a limit.
func BenchmarkNoLimit(b *testing.B) {
	l := New()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if l.On() {
				b.Fail()
			}
			l.Count("acme", false, 1, 1)
		}
	})
}
