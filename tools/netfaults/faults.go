package main

import (
	"context"
	"math/rand/v2"
	"time"
)

// fault is something that happens to the network.
type fault struct {
	name   string
	brief  bool // It belongs to the short form.
	delays bool // It needs a network that can delay packets.
	begin  func(context.Context, *strike) error
}

// strike is what a fault is dealt with: the network, the node that leads the metadata, and chance.
type strike struct {
	net    *network
	leader int
	rng    *rand.Rand
	hold   time.Duration
}

// others returns all nodes other than one.
func (s *strike) others(than int) (out []int) {
	for i := range s.net.nodes {
		if i != than {
			out = append(out, i)
		}
	}
	return out
}

// follower returns a node that does not lead.
func (s *strike) follower() int {
	o := s.others(s.leader)
	return o[s.rng.IntN(len(o))]
}

const (
	lossShare = 0.1
	flaps     = 4

	lateness   = 60 * time.Millisecond
	unevenness = 30 * time.Millisecond
)

func faults() []fault {
	return []fault{
		{"a follower cut off", true, false, func(_ context.Context, s *strike) error {
			one := s.follower()
			return s.net.cut([]int{one}, s.others(one))
		}},
		{"the leader cut off", true, false, func(_ context.Context, s *strike) error {
			return s.net.cut([]int{s.leader}, s.others(s.leader))
		}},
		{"the leader in the minority, with another", false, false, func(_ context.Context, s *strike) error {
			o := s.others(s.leader)
			at := s.rng.IntN(len(o))
			two := []int{s.leader, o[at]}
			return s.net.cut(two, append(append([]int{}, o[:at]...), o[at+1:]...))
		}},
		{"the leader hears nobody", true, false, func(_ context.Context, s *strike) error {
			return s.oneWay(s.leader, true)
		}},
		{"nobody hears the leader", true, false, func(_ context.Context, s *strike) error {
			return s.oneWay(s.leader, false)
		}},
		{"a follower hears nobody", false, false, func(_ context.Context, s *strike) error {
			return s.oneWay(s.follower(), true)
		}},
		{"one link one way", false, false, func(_ context.Context, s *strike) error {
			return s.net.drop(s.leader, s.follower())
		}},
		{"a tenth of all packets lost", true, false, func(_ context.Context, s *strike) error { return s.net.lose(lossShare) }},
		{"every packet late", true, true, func(_ context.Context, s *strike) error { return s.net.slow(lateness, unevenness) }},
		{"the leader's cable loose", false, false, func(ctx context.Context, s *strike) error { return s.flap(ctx, s.leader) }},
	}
}

// oneWay cuts a node off in one direction: if it is deaf it hears nobody, else nobody hears it.
func (s *strike) oneWay(node int, deaf bool) error {
	for _, o := range s.others(node) {
		from, to := node, o
		if deaf {
			from, to = o, node
		}
		if err := s.net.drop(from, to); err != nil {
			return err
		}
	}
	return nil
}

// flap pulls a node's cable and plugs it in again, several times.
func (s *strike) flap(ctx context.Context, node int) error {
	for i := range 2 * flaps {
		if err := s.net.link(node, i%2 == 1); err != nil {
			return err
		}
		if err := pause(ctx, s.hold/(2*flaps)); err != nil {
			return err
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
