package main

import (
	"context"
	"fmt"
	"time"

	"github.com/cairnstore/cairn/tools/testbed"
)

// growTo makes the cluster grow to n nodes. It waits until the new ones have their share of slots, and
// nothing is moved or re-encoded any more.
func (s *story) growTo(n int) func(context.Context, *measure) error {
	return func(ctx context.Context, m *measure) error {
		add := n - len(s.members())
		before, err := s.bed.Status(ctx)
		if err != nil {
			return err
		}
		fresh, err := s.bed.Start(ctx, add)
		if err != nil {
			return err
		}
		rest := &rest{s: s}
		err = m.wait(ctx, fmt.Sprintf("%d new nodes have their share", add), func(st *testbed.Status) error {
			if err := balanced(st, fresh); err != nil {
				return err
			}
			return rest.reached(ctx)
		})
		if err != nil {
			return err
		}
		after, err := s.bed.Status(ctx)
		if err == nil && widest(after) == widest(before) { // If the scheme is wider all is re-encoded, not moved.
			m.ideal = m.used * float64(add) / float64(n)
		}
		return err
	}
}

// widest returns how many slots the widest volumes have.
func widest(st *testbed.Status) (slots int) {
	for _, v := range st.Volumes {
		var k, m int
		if _, err := fmt.Sscanf(v.Scheme, "%d+%d", &k, &m); err == nil {
			slots = max(slots, k+m)
		}
	}
	return slots
}

// rest watches whether a cluster still moves or re-encodes data.
type rest struct {
	s     *story
	done  float64 // How many bytes were moved and re-encoded.
	since time.Time
}

// reached returns nil once nothing was moved or re-encoded for restTime.
func (r *rest) reached(ctx context.Context) error {
	if done := r.s.moved(ctx).since(nil) + r.s.widened(ctx).since(nil); r.since.IsZero() || done != r.done {
		r.done, r.since = done, time.Now()
	}
	if quiet := time.Since(r.since); quiet < restTime {
		return fmt.Errorf("data was moved or re-encoded %s ago", quiet.Round(time.Second))
	}
	return nil
}

// balanced returns nil if each of the nodes has at least half of the mean number of slots and nothing
// moves.
func balanced(st *testbed.Status, nodes []*testbed.Node) error {
	var sum uint32
	for i := range st.Nodes {
		sum += st.Nodes[i].Slots()
	}
	for _, n := range nodes {
		of := st.Node(n)
		if of == nil {
			return fmt.Errorf("%s is not a member", n)
		}
		if least := sum / uint32(len(st.Nodes)) / 2; of.Slots() < least {
			return fmt.Errorf("%s has %d slots, less than %d", n, of.Slots(), least)
		}
	}
	return st.Settled()
}

// drain drains nodes one after the other: it waits until each is empty, and then stops and removes it.
func (s *story) drain(ctx context.Context, m *measure) error {
	for _, n := range s.victims(s.Drained) {
		id, used, err := s.identify(ctx, n)
		if err != nil {
			return err
		}
		m.ideal += float64(used)
		if _, err := s.bed.Cairn(ctx, "node", "drain", id, "--yes"); err != nil {
			return err
		}
		if err := m.wait(ctx, n.String()+" is empty", func(st *testbed.Status) error { return evacuated(st, n) }); err != nil {
			return err
		}
		if err := s.bed.Stop(ctx, n); err != nil {
			return err
		}
		s.gone[n] = true
		if err := s.remove(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// lose kills several nodes at once, gives the cluster new ones, and waits until all that was lost is
// rebuilt elsewhere. Then it removes the dead ones.
func (s *story) lose(ctx context.Context, m *measure) error {
	victims := s.victims(s.Lost)
	ids := make([]string, len(victims))
	for i, n := range victims {
		id, used, err := s.identify(ctx, n)
		if err != nil {
			return err
		}
		ids[i] = id
		m.ideal += float64(used)
		s.gone[n] = true
	}
	s.bed.Kill(victims...)
	if _, err := s.bed.Start(ctx, s.Replaced); err != nil {
		return err
	}
	err := m.wait(ctx, "what was lost is rebuilt", func(st *testbed.Status) error {
		for _, n := range victims {
			if err := evacuated(st, n); err != nil {
				return err
			}
		}
		return st.Redundant()
	})
	for _, id := range ids {
		if err == nil {
			err = s.remove(ctx, id)
		}
	}
	return err
}

// victims returns the last n members.
func (s *story) victims(n int) []*testbed.Node {
	members := s.members()
	return members[max(0, len(members)-n):]
}

// identify returns a node's id, and how many bytes its shards take.
func (s *story) identify(ctx context.Context, n *testbed.Node) (id string, used uint64, err error) {
	st, err := s.bed.Status(ctx)
	if err != nil {
		return "", 0, err
	}
	of := st.Node(n)
	if of == nil {
		return "", 0, fmt.Errorf("%s is not a member", n)
	}
	return of.ID, of.Used(), nil
}

// evacuated returns nil if no volume has a slot on the node.
func evacuated(st *testbed.Status, n *testbed.Node) error {
	of := st.Node(n)
	if of == nil {
		return nil
	}
	if k := of.Slots(); k > 0 {
		return fmt.Errorf("%s (%s) has %d slots", n, of.State, k)
	}
	return nil
}

func (s *story) remove(ctx context.Context, id string) error {
	_, err := s.bed.Cairn(ctx, "node", "remove", id, "--yes")
	return err
}

// rollingRestart stops and starts every node, one at a time, as an upgrade does.
func (s *story) rollingRestart(ctx context.Context, m *measure) error {
	for _, n := range s.members() {
		if err := s.bed.Stop(ctx, n); err != nil {
			return err
		}
		if err := s.bed.Run(n); err != nil {
			return err
		}
		if err := s.bed.WaitReady(ctx, n); err != nil {
			return err
		}
		if err := m.wait(ctx, n.String()+" has what it missed", (*testbed.Status).Redundant); err != nil {
			return err
		}
	}
	return nil
}

// killLeaders kills the node that leads the metadata, measures how long it takes until another leads,
// and brings it back, several times.
func (s *story) killLeaders(ctx context.Context, m *measure) error {
	for range s.LeaderKills {
		leader, err := s.bed.Leader(ctx)
		if err != nil {
			return err
		}
		s.bed.Kill(leader)
		began := time.Now()
		if _, err := s.bed.Leader(ctx); err != nil {
			return err
		}
		m.elections = append(m.elections, time.Since(began).Seconds())
		if err := s.bed.Run(leader); err != nil {
			return err
		}
		if err := s.bed.WaitReady(ctx, leader); err != nil {
			return err
		}
		if err := m.wait(ctx, leader.String()+" has what it missed", (*testbed.Status).Redundant); err != nil {
			return err
		}
	}
	return nil
}
