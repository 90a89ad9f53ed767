package upkeep

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func unlimited() int64 { return 0 }

func atRate(bytesPerSecond int64) func() int64 { return func() int64 { return bytesPerSecond } }

// hourly are the terms of tests in which neither scrub nor the collector counts.
func hourly() Terms { return Terms{ScrubInterval: time.Hour, Grace: time.Hour} }

// took returns how long a pacer makes so many waits for so many bytes each.
func took(t *testing.T, p *pacer, waits int, bytes int64) time.Duration {
	began := time.Now()
	for range waits {
		require.NoError(t, p.wait(t.Context(), bytes))
	}
	return time.Since(began)
}

func TestPaceKeepsTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 64 << 20
		p := newPacer(atRate(rate), nil)
		require.InDelta(t, 10, took(t, p, 640, 1<<20).Seconds(), 0.2, "small shards")
		time.Sleep(time.Hour) // What was not used is not saved up.
		require.InDelta(t, 10, took(t, p, 10, rate).Seconds(), 0.2, "large ones")
		require.Zero(t, took(t, newPacer(unlimited, func() float64 { return 1 }), 10, 1<<40), "no limit")
		slow := newPacer(atRate(3), nil) // Bytes a second.
		require.InDelta(t, 10, took(t, slow, 1, 30).Seconds(), 0.5)
	})
}

// The busier clients are, the slower a job is, down to a share that it keeps; also
// when they come or go while it waits.
func TestPaceYieldsToClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 1 << 20
		var percent atomic.Int64
		p := newPacer(atRate(rate), func() float64 { return float64(percent.Load()) / 100 })
		for _, c := range []struct {
			busy    int64
			seconds float64
		}{{0, 10}, {50, 20}, {75, 40}, {100, 10 / leastPace}, {0, 10}} {
			percent.Store(c.busy)
			require.InDelta(t, c.seconds, took(t, p, 10, rate).Seconds(), 1.2, "%d %% busy", c.busy)
		}
		go func() { // Clients come five seconds into one long wait.
			time.Sleep(5 * time.Second)
			percent.Store(100)
		}()
		require.InDelta(t, 5+5/leastPace, took(t, p, 1, 10*rate).Seconds(), 1.2)
		percent.Store(100)
		go func() { // They leave when an eighth of it is done.
			time.Sleep(10 * time.Second)
			percent.Store(0)
		}()
		require.InDelta(t, 10+10-10*leastPace, took(t, p, 1, 10*rate).Seconds(), 1.5)
	})
}

func TestPaceEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		began := time.Now()
		require.ErrorIs(t, newPacer(atRate(1<<20), nil).wait(ctx, 1<<30), context.Canceled)
		require.Equal(t, time.Minute, time.Since(began))
		require.ErrorIs(t, newPacer(unlimited, nil).wait(ctx, 1), context.Canceled)
	})
}

// A rate that changes holds from the next step on, for all that wait; also while several do.
func TestPaceFollowsItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now atomic.Int64
		now.Store(1 << 20)
		p := newPacer(now.Load, nil)
		require.InDelta(t, 10, took(t, p, 10, 1<<20).Seconds(), 0.5)
		now.Store(4 << 20)
		require.InDelta(t, 10, took(t, p, 10, 4<<20).Seconds(), 0.5, "faster")
		time.AfterFunc(5*time.Second, func() { now.Store(1 << 20) })
		require.InDelta(t, 5+20, took(t, p, 1, 40<<20).Seconds(), 1.5, "slower in the middle of a wait")
		time.AfterFunc(5*time.Second, func() { now.Store(0) })
		require.InDelta(t, 5, took(t, p, 1, 1<<40).Seconds(), 1.5, "no limit any more")

		now.Store(1 << 20)
		began := time.Now()
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for range 10 {
					now.Store(int64(1+i%2) << 20) // Bursts of two sizes at once.
					if err := p.wait(t.Context(), 1<<20); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		require.Greater(t, time.Since(began), 39*time.Second)
		require.Less(t, time.Since(began), 81*time.Second)
	})
}
