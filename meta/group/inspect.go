package group

import (
	"context"
	"io"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// Members asks the metadata's leader, wherever it is, for the Raft configuration
// and where the log stands. Errors: Unavailable.
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

func (c *Client) membersOnce(ctx context.Context) (*metapb.MembersResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timing.Attempt)
	defer cancel()
	t, err := c.target()
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

// inspector is a state machine that can check and print itself; meta/state's.
type inspector interface {
	Check() error
	Dump(w io.Writer) error
}

// Inspect recounts what this node's state holds, writes all of it to w in a form
// that is equal on all voters at one index, and returns that index. It is for
// tests and offline tools: nothing is applied meanwhile if the index was the same
// before and after, else the error is Unavailable.
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
