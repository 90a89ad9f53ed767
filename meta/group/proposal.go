package group

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/rpc"
	"github.com/cairnstore/cairn/meta/metapb"
)

// Propose implements meta.Client. It sets fields of cmd, which the caller must not use until it
// returns. The command is applied once, however often it is sent, since it carries the number
// that the node's session gave it. Errors: Unknown where the command may or may not be applied;
// with any other kind it is not: Unavailable, Overloaded, NoSpace, Invalid.
func (c *Client) Propose(ctx context.Context, cmd *metapb.Command) (*metapb.Result, error) {
	if isBare(cmd) {
		return c.proposeBare(ctx, cmd)
	}
	if c.cfg.Clock != nil {
		if err := c.cfg.Clock.Suspect(); err != nil {
			return nil, errs.Wrap("group.Propose", err)
		}
	}
	for {
		s, err := c.session(ctx)
		if err != nil {
			return nil, err
		}
		r, maybe, err := c.proposeIn(ctx, s, cmd)
		if err != nil || r.Refusal != metapb.Refusal_REFUSAL_STALE_SESSION {
			return r, err
		}
		c.expired(s)
		if maybe {
			// An earlier try may have been applied before the session ended. A new session
			// would not know of it, and the command would be applied again.
			return nil, errs.New("group.Propose", errs.Unknown,
				errors.New("the session ended while the outcome of the command was not known"))
		}
	}
}

// isBare reports whether a command belongs to no session. To apply such a command twice does
// the same as to apply it once.
func isBare(cmd *metapb.Command) bool {
	switch cmd.Op.(type) {
	case *metapb.Command_FormCluster, *metapb.Command_OpenSession, *metapb.Command_RegisterNode:
		return true
	}
	return false
}

// proposeBare proposes a command outside of any session. Errors: as repeat.
func (c *Client) proposeBare(ctx context.Context, cmd *metapb.Command) (*metapb.Result, error) {
	cmd.Session, cmd.Seq, cmd.Floor = nil, 0, 0
	r, _, err := c.repeat(ctx, cmd)
	return r, err
}

// proposeIn proposes a command in a session. maybe says that the outcome of some try is not
// known. Errors: as repeat, and Overloaded where too many commands of the session wait for an
// answer.
func (c *Client) proposeIn(ctx context.Context, s *session, cmd *metapb.Command) (
	r *metapb.Result, maybe bool, err error) {
	cmd.Session = s.id
	var ok bool
	if cmd.Seq, cmd.Floor, ok = s.begin(); !ok {
		return nil, false, errs.Newf("group.Propose", errs.Overloaded,
			"%d commands of this node wait for an answer already", sessionWindow)
	}
	defer s.finish(cmd.Seq)
	return c.repeat(ctx, cmd)
}

// repeat proposes the same bytes again and again until there is a result or ctx ends. maybe
// says that the outcome of some try is not known. Errors: Unknown where some try may have been
// applied. Otherwise Invalid where the command is too large; NoSpace where the leader has no
// room for it; Unavailable where its time is wrong, or ctx has ended.
func (c *Client) repeat(ctx context.Context, cmd *metapb.Command) (r *metapb.Result, maybe bool, err error) {
	const op = "group.Propose"
	cmd.TimeMs = 0 // Nothing that a bare command does depends on the time.
	if !isBare(cmd) {
		cmd.TimeMs = c.now().UnixMilli()
	}
	data, err := proto.Marshal(cmd)
	if err != nil {
		return nil, false, errs.New(op, errs.Invalid, err)
	}
	if len(data) > MaxCommandBytes {
		return nil, false, errs.Newf(op, errs.Invalid, "a command of %d bytes; at most %d are allowed",
			len(data), MaxCommandBytes)
	}
	b := c.backoff()
	for {
		a := c.try(ctx, data)
		switch {
		case a.result == nil:
		case a.result.Refusal == metapb.Refusal_REFUSAL_NO_ROOM:
			return nil, maybe, noRoom(a.result, maybe)
		case a.result.Refusal == metapb.Refusal_REFUSAL_CLOCK && maybe:
			return nil, maybe, errs.Newf(op, errs.Unknown, "%s", a.result.Detail)
		case a.result.Refusal == metapb.Refusal_REFUSAL_CLOCK:
			return nil, false, errs.Newf(op, errs.Unavailable, "%s", a.result.Detail)
		default:
			return a.result, maybe, nil
		}
		maybe = maybe || a.sent
		if !maybe && !retryable(a.err) {
			return nil, false, a.err
		}
		stop := b.wait(ctx, c.closing, a.err)
		switch {
		case stop == nil:
		case maybe:
			return nil, maybe, errs.New(op, errs.Unknown, errors.Join(stop, a.err))
		default:
			return nil, maybe, errs.New(op, errs.Unavailable, errors.Join(stop, a.err))
		}
	}
}

// now returns the time that commands carry.
func (c *Client) now() time.Time {
	if c.cfg.Clock == nil {
		return time.Now()
	}
	return c.cfg.Clock.Now()
}

// answer is the outcome of one try: a result, or an error.
type answer struct {
	result *metapb.Result
	sent   bool // Where there is no result: the command may be in the log.
	err    error
}

// try proposes once. Where this node leads it does so itself; otherwise the command shares a
// request with others.
func (c *Client) try(ctx context.Context, data []byte) answer {
	if g := c.cfg.Group; g != nil && g.IsLeader() {
		limited, cancel := context.WithTimeout(ctx, c.cfg.Timing.Attempt)
		defer cancel()
		outcomes, err := g.propose(limited, [][]byte{data})
		if err != nil {
			return answer{err: err}
		}
		return answer{result: outcomes[0].result, sent: true, err: outcomes[0].unknown}
	}
	p := &proposal{data: data, trace: c.cfg.Trace.of(ctx), done: make(chan answer, 1)}
	select {
	case c.queue <- p:
	case <-ctx.Done():
		return answer{err: errs.New("group.Propose", errs.Unavailable, context.Cause(ctx))}
	case <-c.closing:
		return answer{err: errClosed}
	}
	select {
	case a := <-p.done:
		return a
	case <-ctx.Done():
	case <-c.closing:
	}
	// A command that a sender has taken already may be on its way.
	return answer{sent: !p.state.CompareAndSwap(proposalQueued, proposalDropped),
		err: errs.New("group.Propose", errs.Unavailable, errors.New("given up while waiting for an answer"))}
}

// proposal is one try of a command that waits in the queue.
type proposal struct {
	data  []byte
	trace string       // The caller's trace; empty: it has none.
	done  chan answer  // It has room for the answer, since its reader may have gone.
	state atomic.Int32 // One of those below. It changes once.
}

const (
	proposalQueued  = 0 // It waits.
	proposalTaken   = 1 // A sender has taken it.
	proposalDropped = 2 // Its caller gave it up before a sender took it.
)

// send is a sender. Until the client is closed it takes what has gathered in the queue and
// proposes it in one request.
func (c *Client) send(ctx context.Context) {
	var batch []*proposal
	for {
		select {
		case p := <-c.queue:
			batch = c.gather(append(batch[:0], p))
		case <-c.closing:
			return
		}
		if len(batch) > 0 {
			c.sendBatch(ctx, batch)
		}
		clear(batch)
	}
}

// gather adds the proposals that wait in the queue to the one in batch, as many as fit into a
// request. It leaves out those that were dropped.
func (c *Client) gather(batch []*proposal) []*proposal {
	p := batch[0]
	batch = batch[:0]
	bytes := 0
	for {
		if p.state.CompareAndSwap(proposalQueued, proposalTaken) {
			batch = append(batch, p)
			bytes += len(p.data)
		}
		if len(batch) >= maxBatchCommands || bytes >= maxBatchBytes {
			return batch
		}
		select {
		case p = <-c.queue:
		default:
			return batch
		}
	}
}

// sendBatch proposes a batch and answers each proposal. The request has a deadline of its own:
// it must not end because one of the callers has gone.
func (c *Client) sendBatch(ctx context.Context, batch []*proposal) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timing.Attempt)
	defer cancel()
	req := &metapb.ProposeRequest{Commands: make([][]byte, len(batch))}
	for i, p := range batch {
		req.Commands[i] = p.data
	}
	outcomes, sent, err := c.request(c.cfg.Trace.into(ctx, batch), req)
	for i, p := range batch {
		if err != nil {
			p.done <- answer{sent: sent, err: err}
			continue
		}
		p.done <- outcomeAnswer(outcomes[i])
	}
}

// request sends a request to the leader. Where it fails, sent says whether the leader may have
// received it.
func (c *Client) request(ctx context.Context, req *metapb.ProposeRequest) (
	_ []*metapb.ProposeOutcome, sent bool, _ error) {
	const op = "group.Propose"
	t, err := c.contact()
	if err != nil {
		return nil, false, err
	}
	resp, err := t.client.Propose(ctx, req)
	switch {
	case err != nil:
		c.failed(t, err)
		return nil, !rpc.NotSent(err) && !errs.Is(err, errs.Invalid), err
	case resp.NotLeader != nil:
		return nil, false, c.redirected(t, resp.NotLeader)
	case len(resp.Outcomes) != len(req.Commands):
		return nil, true, errs.Newf(op, errs.Unknown, "%d outcomes of %d commands", len(resp.Outcomes), len(req.Commands))
	}
	c.hint.Store(uint64(t.node))
	return resp.Outcomes, true, nil
}

// outcomeAnswer returns the answer to a proposal that a leader has taken.
func outcomeAnswer(o *metapb.ProposeOutcome) answer {
	if o.Unknown {
		return answer{sent: true, err: errs.New("group.Propose", errs.Unknown,
			errors.New("the leader was replaced while the command was on its way"))}
	}
	r, err := unmarshalResult(o.Result)
	return answer{result: r, sent: true, err: err}
}
