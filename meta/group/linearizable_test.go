package group

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/effort"
)

type registerInput struct {
	write bool
	value int
}

// TestLinearizable checks a history of one register under changes of leader.
func TestLinearizable(t *testing.T) {
	for seed := range effort.Of[uint64](4, 2, 300) {
		synctest.Test(t, func(t *testing.T) { linearizable(t, seed) })
	}
}

func linearizable(t *testing.T, seed uint64) {
	c := newTestCluster(t, 3, 1, nil)
	rng := testRNG(seed)
	start := time.Now()
	var mu sync.Mutex
	var history []porcupine.Operation
	var value atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for id, n := range c.nodes {
		mine := testRNG(seed*100 + uint64(id))
		wg.Go(func() {
			for ctx.Err() == nil {
				op := porcupine.Operation{ClientId: id, Call: int64(time.Since(start))}
				limited, stop := context.WithTimeout(ctx, time.Second)
				done := false
				if mine.IntN(2) == 0 {
					in := registerInput{write: true, value: int(value.Add(1))}
					op.Input = in
					_, err := n.client.Propose(limited, setRegister("r", fmt.Sprint(in.value)))
					done = err == nil
				} else {
					op.Input = registerInput{}
					q := getRegister("r")
					q.Patient = mine.IntN(2) == 0
					a, err := n.client.Read(limited, q)
					if done = err == nil; done {
						v := 0
						_, _ = fmt.Sscan(a.Bucket.Owner, &v)
						op.Output = v
					}
				}
				stop()
				op.Return = int64(time.Since(start))
				if !done {
					if !op.Input.(registerInput).write {
						continue
					}
					op.Return = int64(time.Hour) // It may take effect at any time.
				}
				mu.Lock()
				history = append(history, op)
				mu.Unlock()
				time.Sleep(time.Duration(mine.IntN(40)) * time.Millisecond)
			}
		})
	}
	for range 6 {
		time.Sleep(time.Duration(rng.IntN(800)) * time.Millisecond)
		old := c.leader()
		c.isolate(old, true)
		time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
		c.isolate(old, false)
	}
	time.Sleep(500 * time.Millisecond)
	cancel()
	wg.Wait()
	for i := range history { // Each writer gave up at the end: its clients are different ones.
		if history[i].Return == int64(time.Hour) {
			history[i].ClientId = 1000 + i
		}
	}
	model := porcupine.Model{
		Init: func() any { return 0 },
		Step: func(state, input, output any) (bool, any) {
			if in := input.(registerInput); in.write {
				return true, in.value
			}
			return output.(int) == state.(int), state
		},
	}
	require.Greater(t, len(history), 50)
	require.True(t, porcupine.CheckOperations(model, history), "seed %d", seed)
	c.converge()
	c.close()
}
