package limit

import (
	"context"
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
	require.Greater(t, share(NewGate(4)), 0.4*0.5)
}

// TestGateIsFairToOne: even one client beside a thousand gets a good part, and so do several
// accounts of different size.
func TestGateIsFairToOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done := (&machine{gate: NewGate(4)}).run(t, map[string]int{"many": 1000, "one": 1})
		require.Greater(t, done["one"]/(done["one"]+done["many"]), 0.1)
	})
	synctest.Test(t, func(t *testing.T) {
		done := (&machine{gate: NewGate(4)}).run(t, map[string]int{"a": 500, "b": 300, "c": 8})
		require.Greater(t, done["c"]/(done["a"]+done["b"]+done["c"]), 0.01)
		require.InEpsilon(t, done["a"], done["b"], 0.2)
	})
}

// TestGateAlone: an account that is alone is not held back, and is not any more once the others have
// been gone for a while.
func TestGateAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(2)
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
		g := NewGate(1)
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
		g := NewGate(1)
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
