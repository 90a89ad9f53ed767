package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/meta/metapb"
)

// TestLife runs clusters of seven machines. Machines are lost for good, join, are drained and removed,
// while clients work and the power is cut in between. After each step all data must be as redundant as
// before. In the end the test checks the same as TestSimulation.
func TestLife(t *testing.T) {
	mustReach(t)
	first, count := seeds(t, 3, 500)
	for i := range count {
		seed := first + uint64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			log := watched(t)
			synctest.Test(t, func(t *testing.T) {
				if err := live(t.Context(), seed, log); err != nil {
					fail(t, seed, log, err)
				}
			})
		})
	}
}

const (
	lifeMachines = 7 // One more than the scheme needs.
	lostAfter    = 20 * time.Second
	moveTimeout  = 10 * time.Minute
)

// live is one run.
func live(ctx context.Context, seed uint64, log *Log) error {
	c, err := form(ctx, seed, lifeMachines, log)
	defer func() { c.Stop() }()
	if err != nil {
		return err
	}
	c.Stop() // To start anew with a setting by which nodes are declared lost soon, and not after hours.
	c.lostAfter = lostAfter
	for _, m := range c.Machines {
		if err := c.Start(ctx, m); err != nil {
			return err
		}
	}
	if err := c.AwaitReady(formTimeout); err != nil {
		return err
	}
	n, err := newNemesis(ctx, c, log.Trace)
	if err != nil {
		return err
	}
	busy, rest := context.WithCancel(ctx)
	var clients []*client
	var wg sync.WaitGroup
	for i := range clientCount {
		cl := newClient(c, i, rand.New(rand.NewPCG(seed, uint64(100+i))))
		clients = append(clients, cl)
		wg.Go(func() { cl.run(busy) })
	}
	for range effort.Of(4, 1, 4) {
		if err = n.age(ctx); err != nil {
			break
		}
	}
	rest()
	wg.Wait()
	for _, cl := range clients {
		err = errors.Join(err, cl.err)
	}
	if err != nil {
		return err
	}
	return c.judge(ctx, clients)
}

// age takes one random step in the life of a cluster.
func (n *nemesis) age(ctx context.Context) error {
	n.pause(3 * time.Second)
	steps := []blow{{"a new machine joins", (*nemesis).joinMachine}, {"drive lost", (*nemesis).loseDrive}}
	if len(n.Machines) >= lifeMachines {
		steps = []blow{{"a machine dies for good", (*nemesis).killMachine}, {"drain a machine", (*nemesis).drainMachine},
			{"a machine is away for long", (*nemesis).longAway}, steps[1]}
	}
	s := steps[n.rng.IntN(len(steps))]
	n.trace("step: %s", s.name)
	if err := s.do(n, ctx); err != nil {
		return fmt.Errorf("during %s: %w", s.name, err)
	}
	if err := n.healed(ctx); err != nil {
		return fmt.Errorf("after %s: %w", s.name, err)
	}
	return nil
}

// maybeCut cuts the power of one machine for a while, or does nothing.
func (n *nemesis) maybeCut(ctx context.Context) error {
	if n.rng.IntN(2) == 0 {
		return nil
	}
	n.pause(3 * time.Second)
	return n.cutDown(ctx, []*Machine{n.Machines[n.rng.IntN(len(n.Machines))]})
}

// killMachine takes a machine away for good. What it held must be rebuilt elsewhere, so that its node
// can be removed.
func (n *nemesis) killMachine(ctx context.Context) error {
	m := n.Machines[n.rng.IntN(len(n.Machines))]
	id := m.Node().ID()
	n.trace("%s dies", m.Name)
	n.Scrap(m)
	if err := n.served(ctx, nil); err != nil {
		return err
	}
	if err := n.maybeCut(ctx); err != nil {
		return err
	}
	if err := n.emptied(ctx, id); err != nil {
		return err
	}
	return n.remove(ctx, id)
}

// longAway takes a machine away until it is declared lost or later, and then brings it back. It must be
// active again.
func (n *nemesis) longAway(ctx context.Context) error {
	m := n.Machines[n.rng.IntN(len(n.Machines))]
	id := m.Node().ID()
	n.Crash(m)
	time.Sleep(lostAfter + time.Duration(n.rng.Int64N(int64(lostAfter))))
	if err := n.restart(ctx, []*Machine{m}); err != nil {
		return err
	}
	return n.eventually(moveTimeout, func() error {
		topo, err := n.Up()[0].Node().Metadata().Topology(ctx)
		if err != nil {
			return err
		}
		if s := topo.View.Node(id).State; s != cluster.Active {
			return fmt.Errorf("%s is %s", m.Name, s)
		}
		return nil
	})
}

// joinMachine adds a machine, which must get slots.
func (n *nemesis) joinMachine(ctx context.Context) error {
	m := n.Add()
	if err := n.Start(ctx, m); err != nil {
		return err
	}
	if err := n.AwaitReady(formTimeout); err != nil {
		return err
	}
	if err := n.maybeCut(ctx); err != nil {
		return err
	}
	return n.eventually(moveTimeout, func() error {
		held, err := n.slotsOn(ctx, m.Node().ID())
		if err == nil && held == 0 {
			err = fmt.Errorf("%s has no slots", m.Name)
		}
		return err
	})
}

// drainMachine drains a machine and removes it once it is empty.
func (n *nemesis) drainMachine(ctx context.Context) error {
	m := n.Machines[n.rng.IntN(len(n.Machines))]
	id := m.Node().ID()
	n.trace("%s drains", m.Name)
	if err := n.propose(ctx, &metapb.Command{Op: &metapb.Command_SetNodeState{SetNodeState: &metapb.SetNodeState{
		Node: uint64(id), State: metapb.Life_LIFE_DRAINING}}}); err != nil {
		return err
	}
	if err := n.maybeCut(ctx); err != nil {
		return err
	}
	if err := n.emptied(ctx, id); err != nil {
		return err
	}
	if err := n.remove(ctx, id); err != nil {
		return err
	}
	n.Scrap(m)
	return n.served(ctx, nil)
}

// loseDrive declares a drive lost that is there, and later active again.
func (n *nemesis) loseDrive(ctx context.Context) error {
	m := n.Machines[n.rng.IntN(len(n.Machines))]
	d := m.Node().Drives()[0].ID()
	set := func(l metapb.Life) error {
		return n.propose(ctx, &metapb.Command{Op: &metapb.Command_SetDriveState{SetDriveState: &metapb.SetDriveState{Drive: uint64(d), State: l}}})
	}
	if err := set(metapb.Life_LIFE_LOST); err != nil {
		return err
	}
	if err := n.maybeCut(ctx); err != nil {
		return err
	}
	n.pause(20 * time.Second)
	return set(metapb.Life_LIFE_ACTIVE)
}

// propose proposes a command at one machine after the other.
func (n *nemesis) propose(ctx context.Context, cmd *metapb.Command) error {
	return n.eventually(serveTimeout, func() error {
		up := n.Up()
		tctx, cancel := context.WithTimeout(ctx, opTimeout)
		defer cancel()
		r, err := up[n.rng.IntN(len(up))].Node().Metadata().Propose(tctx, cmd)
		if err == nil && r.Refusal != metapb.Refusal_REFUSAL_NONE {
			err = fmt.Errorf("%s %s", r.Refusal, r.Detail)
		}
		return err
	})
}

func (n *nemesis) remove(ctx context.Context, id cluster.NodeID) error {
	return n.propose(ctx, &metapb.Command{Op: &metapb.Command_RemoveNode{RemoveNode: &metapb.RemoveNode{Node: uint64(id)}}})
}

// emptied waits until no slot is on a node.
func (n *nemesis) emptied(ctx context.Context, id cluster.NodeID) error {
	return n.eventually(moveTimeout, func() error {
		held, err := n.slotsOn(ctx, id)
		if err == nil && held > 0 {
			err = fmt.Errorf("%d slots are still on node %s", held, id)
		}
		return err
	})
}

// slotsOn counts the slots on a node's drives, and those on their way there.
func (n *nemesis) slotsOn(ctx context.Context, id cluster.NodeID) (count int, err error) {
	if _, err := n.status(ctx); err != nil { // The answer tells the client whether its topology is old.
		return 0, err
	}
	topo, err := n.Up()[0].Node().Metadata().Topology(ctx)
	if err != nil {
		return 0, err
	}
	for _, v := range topo.Volumes {
		list := v.Slots
		if v.Move != nil {
			list = append(slices.Clone(list), v.Move.To)
		}
		for _, d := range list {
			if o := topo.View.NodeOf(d); o != nil && o.ID == id {
				count++
			}
		}
	}
	return count, nil
}

// TestBackEarlyGetsWhatItMissed proves that a node which comes back before it is declared lost gets
// what it has missed and nothing else: what it has is not written again.
func TestBackEarlyGetsWhatItMissed(t *testing.T) {
	effort.SkipLessened(t)
	synctest.Test(t, func(t *testing.T) {
		log := &Log{}
		c, err := form(t.Context(), 1, 6, log)
		defer func() { c.Stop() }()
		require.NoError(t, err)
		n, err := newNemesis(t.Context(), c, log.Trace)
		require.NoError(t, err)
		for _, key := range []string{"a", "b", "c", "d", "e", "f"} {
			require.NoError(t, n.write(t.Context(), c.Machines, key, n.probe))
		}
		require.NoError(t, c.healed(t.Context()))
		m := c.Machines[5]
		before := m.Node().Drives()[0].Usage().Shards
		require.NotZero(t, before)
		written := func() (shards int) {
			for _, d := range c.drives() {
				shards += int(d.Usage().Shards)
			}
			return shards
		}
		all := written()
		c.Crash(m)
		time.Sleep(10 * time.Second)
		require.NoError(t, c.Start(t.Context(), m))
		require.NoError(t, c.healed(t.Context()))
		require.GreaterOrEqual(t, m.Node().Drives()[0].Usage().Shards, before-1)
		require.Equal(t, all, written())
		require.NotContains(t, log.String(), "declared lost")
		require.NotContains(t, log.String(), "slot begins to move")
		require.NotContains(t, log.String(), "extent repaired", "nothing was missing, so nothing may be written")
	})
}
