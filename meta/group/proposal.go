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

// Propose implements meta.Client. The command is the client's until it returns.
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
			// An earlier try may have been applied before the session ended; a
			// new session would not know of it.
			return nil, errs.New("group.Propose", errs.Unknown,
				errors.New("the session ended while the outcome of the command was not known"))
		}
	}
}

// isBare tells commands that belong to no session: to apply them twice is the same
// as once.
func isBare(cmd *metapb.Command) bool {
	switch cmd.Op.(type) {
	case *metapb.Command_FormCluster, *metapb.Command_OpenSession, *metapb.Command_RegisterNode:
		return true
	}
	return false
}

func (c *Client) proposeBare(ctx context.Context, cmd *metapb.Command) (*metapb.Result, error) {
	cmd.Session, cmd.Seq, cmd.Floor = nil, 0, 0
	r, _, err := c.repeat(ctx, cmd)
	return r, err
}

// proposeIn proposes a command in a session until its outcome is known. maybe says
// that the outcome of some try is not. Errors: as repeat, and Overloaded.
func (c *Client) proposeIn(ctx context.Context, s *session, cmd *metapb.Command) (r *metapb.Result, maybe bool, err error) {
	cmd.Session = s.id
	var ok bool
	if cmd.Seq, cmd.Floor, ok = s.begin(); !ok {
		return nil, false, errs.Newf("group.Propose", errs.Overloaded,
			"%d commands of this node wait for an answer already", sessionWindow)
	}
	defer s.finish(cmd.Seq)
	return c.repeat(ctx, cmd)
}

// repeat proposes the same bytes again until there is a result or ctx ends. Errors:
// Unknown when some try may have been applied, else Unavailable, Invalid, or NoSpace where
// the leader refuses it for want of room.
func (c *Client) repeat(ctx context.Context, cmd *metapb.Command) (r *metapb.Result, maybe bool, err error) {
	const op = "group.Propose"
	cmd.TimeMs = 0 // Nothing that a bare command does depends on it.
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

func (c *Client) now() time.Time {
	if c.cfg.Clock == nil {
		return time.Now()
	}
	return c.cfg.Clock.Now()
}

// answer is what one try came to.
type answer struct {
	result *metapb.Result
	sent   bool // Without a result: the command may be in the log.
	err    error
}

// try proposes once: here where this node leads, else with others in one request.
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
	// Taken by a sender already: it may be on its way.
	return answer{sent: !p.state.CompareAndSwap(proposalQueued, proposalDropped),
		err: errs.New("group.Propose", errs.Unavailable, errors.New("given up while waiting for an answer"))}
}

// proposal is one try of a command on its way through the queue.
type proposal struct {
	data  []byte
	trace string      // Of its caller; empty: none.
	done  chan answer // Buffered: its reader may have gone.
	state atomic.Int32
}

const (
	proposalQueued  = 0
	proposalTaken   = 1 // By a sender.
	proposalDropped = 2 // By its caller, before it was taken.
)

// send is a sender: it takes what has gathered in the queue and proposes it in one
// request.
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

// gather adds what waits to the one proposal in batch and leaves out what was
// dropped.
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

// sendBatch proposes a batch and tells each proposal what became of it. The request
// does not end with any one caller's context.
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

// request sends a request to the leader. sent says that a failed one may have been
// received.
func (c *Client) request(ctx context.Context, req *metapb.ProposeRequest) (_ []*metapb.ProposeOutcome, sent bool, _ error) {
	const op = "group.Propose"
	t, err := c.target()
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

func outcomeAnswer(o *metapb.ProposeOutcome) answer {
	if o.Unknown {
		return answer{sent: true, err: errs.New("group.Propose", errs.Unknown,
			errors.New("the leader was replaced while the command was on its way"))}
	}
	r, err := unmarshalResult(o.Result)
	return answer{result: r, sent: true, err: err}
}
