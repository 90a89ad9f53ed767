package group

import (
	"context"
	"io"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// Members returns the Raft configuration, the leader, and where the log stands, as a node sees
// it that leads or knows who does. It asks one node after the other until one answers so, or
// ctx ends. Errors: Unavailable.
func (c *Client) Members(ctx context.Context) (*metapb.MembersResponse, error) {
	const op = "group.Members"
	if g := c.cfg.Group; g != nil && g.IsLeader() {
		return service{g}.Members(ctx, &metapb.MembersRequest{})
	}
	b := c.backoff()
	for {
		resp, err := c.membersOnce(ctx)
		if err == nil {
			return resp, nil
		}
		if err := b.wait(ctx, c.closing, err); err != nil {
			return nil, errs.New(op, errs.Unavailable, err)
		}
	}
}

// membersOnce asks one node. Errors: errNotLeader where that node knows of no leader.
func (c *Client) membersOnce(ctx context.Context) (*metapb.MembersResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timing.Attempt)
	defer cancel()
	t, err := c.contact()
	if err != nil {
		return nil, err
	}
	resp, err := t.client.Members(ctx, &metapb.MembersRequest{})
	if err != nil {
		c.failed(t, err)
		return nil, err
	}
	if resp.Leader == 0 {
		return nil, errNotLeader
	}
	return resp, nil
}

// inspector is a state that can check and print itself, as meta/state's can.
type inspector interface {
	Check() error
	Dump(w io.Writer) error
}

// Inspect checks that the records of this node's state agree with each other, and writes all
// of them to w. It returns the index of the last entry that they reflect. What is written is
// equal on all voters at the same index. Inspect is for tests and offline tools: it reads
// everything, and fails with Unavailable where an entry is applied meanwhile.
func (g *Group) Inspect(w io.Writer) (uint64, error) {
	d := g.fsm.state
	d.mu.RLock()
	defer d.mu.RUnlock()
	s, ok := d.current.(inspector)
	if !ok || d.closed {
		return 0, errs.Newf("group.Inspect", errs.Unavailable, "no state to look at")
	}
	before, _ := d.current.Applied()
	if err := s.Check(); err != nil {
		return 0, err
	}
	if err := s.Dump(w); err != nil {
		return 0, err
	}
	if after, _ := d.current.Applied(); after != before {
		return 0, errs.Newf("group.Inspect", errs.Unavailable, "the state changed while it was read")
	}
	return before, nil
}
