package main

import (
	"context"
	"time"

	"github.com/cairnstore/cairn/tools/testbed"
)

// Cost is what a phase cost the nodes.
type Cost struct {
	Phase      string  `json:"phase"`
	Seconds    float64 `json:"seconds"`
	CPUSeconds float64 `json:"cpu_s"` // Of all nodes together that ran throughout the phase.
	// Redundant is how long the phase has waited for the cluster, all waits together. 0: it has not.
	Redundant  float64 `json:"redundant_s"`
	MovedBytes float64 `json:"moved_bytes"` // Shards that rebuilding and moving have written.
	// IdealBytes is what had to go elsewhere of what drives held. It includes deleted data, which are
	// not moved, and leaves out data that are re-encoded. 0: nothing had to.
	IdealBytes float64   `json:"ideal_bytes"`
	Widened    float64   `json:"widened_bytes"` // Plaintext re-encoded into a wider scheme, which takes it to all nodes.
	UsedBytes  float64   `json:"used_bytes"`    // What shards took on all nodes when the phase began.
	Elections  []float64 `json:"elections_s"`   // The times from a leader's death until another leads.
	Memory     float64   `json:"memory_bytes"`  // The most that a node held at the end.
}

// measure is a phase that runs, and what it has cost so far.
type measure struct {
	s         *story
	cost      Cost
	began     time.Time
	cpu       map[int]time.Duration // What each process had used when the phase began.
	moved     counts
	wide      counts
	used      float64
	ideal     float64
	elections []float64
}

func (s *story) measure(ctx context.Context, name string) *measure {
	m := &measure{s: s, began: time.Now(), cpu: map[int]time.Duration{}, cost: Cost{Phase: name}}
	for _, n := range s.bed.Up() {
		if t, err := n.CPU(); err == nil {
			m.cpu[n.Pid()] = t
		}
	}
	m.moved, m.wide = s.moved(ctx), s.widened(ctx)
	if st, err := s.bed.Status(ctx); err == nil {
		for i := range st.Nodes {
			m.used += float64(st.Nodes[i].Used())
		}
	}
	return m
}

// moveMetrics are the metrics that count the bytes of shards which rebuilding and moving have written.
var moveMetrics = []string{"cairn_moved_bytes_total", "cairn_rebuilt_bytes_total"}

func (s *story) moved(ctx context.Context) counts { return s.count(ctx, moveMetrics...) }

// widened returns how many bytes each process has re-encoded into a wider scheme.
func (s *story) widened(ctx context.Context) counts { return s.count(ctx, "cairn_widened_bytes_total") }

// widened returns how many bytes the phase has re-encoded so far.
func (m *measure) widened(ctx context.Context) float64 { return m.s.widened(ctx).since(m.wide) }

// counts is what each process that runs has counted since it began, by process.
type counts map[int]float64

// since returns how much the processes that run have counted since earlier. What a process has counted
// that has ended meanwhile is not known, and is left out.
func (c counts) since(earlier counts) (sum float64) {
	for pid, n := range c {
		sum += n - earlier[pid]
	}
	return sum
}

// count adds up metrics of each node that runs. A node that cannot be asked is left out.
func (s *story) count(ctx context.Context, names ...string) counts {
	c := counts{}
	for _, n := range s.bed.Up() {
		values, err := n.Metrics(ctx)
		if err != nil {
			continue // The node may just be ending.
		}
		for _, name := range names {
			c[n.Pid()] += values[name]
		}
	}
	return c
}

// wait waits until the status is as it should be, and adds the time to Cost.Redundant.
func (m *measure) wait(ctx context.Context, what string, holds func(*testbed.Status) error) error {
	began := time.Now()
	err := testbed.Until(ctx, what, func() error {
		st, err := m.s.bed.Status(ctx)
		if err != nil {
			return err
		}
		return holds(st)
	})
	m.cost.Redundant += time.Since(began).Seconds()
	return err
}

// end returns what the phase has cost.
func (m *measure) end(ctx context.Context) Cost {
	c := m.cost
	c.Seconds = time.Since(m.began).Seconds()
	for _, n := range m.s.bed.Up() {
		if t, err := n.CPU(); err == nil {
			if before, ok := m.cpu[n.Pid()]; ok {
				c.CPUSeconds += (t - before).Seconds()
			}
		}
		if bytes, err := n.Memory(); err == nil {
			c.Memory = max(c.Memory, float64(bytes))
		}
	}
	c.MovedBytes, c.Widened = m.s.moved(ctx).since(m.moved), m.widened(ctx)
	c.IdealBytes, c.UsedBytes, c.Elections = m.ideal, m.used, m.elections
	return c
}

// Idle is the cost of a cluster that nobody uses.
type Idle struct {
	Nodes      int                `json:"nodes"`
	Seconds    float64            `json:"seconds"`
	CPUSeconds map[string]float64 `json:"cpu_s_by_role"` // The mean of the nodes of each role: leader, voter, other.
}

// idle measures what the cluster costs while nobody uses it.
func (s *story) idle(ctx context.Context) (*Idle, error) {
	st, err := s.bed.Status(ctx)
	if err != nil {
		return nil, err
	}
	nodes := s.members()
	before := make([]time.Duration, len(nodes))
	for i, n := range nodes {
		if before[i], err = n.CPU(); err != nil {
			return nil, err
		}
	}
	if err := s.watch(ctx, s.Idle); err != nil {
		return nil, err
	}
	out := &Idle{Nodes: len(nodes), Seconds: s.Idle.Seconds(), CPUSeconds: map[string]float64{}}
	count := map[string]float64{}
	for i, n := range nodes {
		after, err := n.CPU()
		if err != nil {
			return nil, err
		}
		role := roleOf(st.Node(n))
		out.CPUSeconds[role] += (after - before[i]).Seconds()
		count[role]++
	}
	for role := range count {
		out.CPUSeconds[role] /= count[role]
	}
	return out, nil
}

func roleOf(n *testbed.NodeStatus) string {
	switch {
	case n != nil && n.Leader:
		return "leader"
	case n != nil && n.Voter:
		return "voter"
	}
	return "other"
}
