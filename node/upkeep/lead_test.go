package upkeep

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/events"
)

// TestLeadLost: what a job of the whole cluster has said on the node that led is void once another
// node leads. Its failure would stay in `cairn health` for ever otherwise: that node does not run the
// job again. A job of the node itself goes on, and its failure stays.
func TestLeadLost(t *testing.T) {
	for name, row := range map[string]struct {
		leader bool
		begin  bool // It has work under way.
		err    error
		told   string // Its state while the node leads,
		want   string // and after it.
		lost   int32  // How often the loss was told.
	}{
		"a failure":                 {true, false, errors.New("no room"), StateFailed, StateIdle, 1},
		"work under way":            {true, true, nil, StateRunning, StateIdle, 1},
		"nothing":                   {true, false, nil, StateIdle, StateIdle, 1},
		"a failure of a node's own": {false, false, errors.New("no room"), StateFailed, StateFailed, 0},
		"work of a node's own":      {false, true, nil, StateRunning, StateRunning, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var leads atomic.Bool
				var lost atomic.Int32
				leads.Store(true)
				u := &Upkeep{c: Config{Leads: leads.Load, Events: events.Filled(Events{LeadLost: func() { lost.Add(1) }})}}
				tr := u.track.of("job")
				ctx, cancel := context.WithCancel(t.Context())
				u.wg.Go(func() {
					u.loop(ctx, job{name: "job", every: time.Second, leader: row.leader, run: func(context.Context) error {
						if row.begin {
							tr.begin(2, 0, "half")
						}
						return row.err
					}}, tr)
				})
				say := func(state string) {
					t.Helper()
					time.Sleep(3 * time.Second)
					synctest.Wait()
					p := u.Jobs()[0]
					require.Equal(t, state, p.State)
					require.Equal(t, state == StateFailed, p.Err != "")
				}
				say(row.told)
				require.Zero(t, lost.Load())
				leads.Store(false)
				say(row.want)
				require.Equal(t, row.lost, lost.Load())
				say(row.want)
				require.Equal(t, row.lost, lost.Load(), "it is told once")
				leads.Store(true)
				say(row.told)
				cancel()
				u.wg.Wait()
			})
		})
	}
}
