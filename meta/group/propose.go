package group

import (
	"context"
	"errors"

	"github.com/hashicorp/raft"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// outcome is what became of one command: a result, or the reason why that is not known.
type outcome struct {
	result  *metapb.Result
	unknown error // Not nil: the command may or may not be applied, now or later.
}

// notProposed reports whether an error of Raft means that a command is certainly not in the
// log.
func notProposed(err error) bool {
	return errors.Is(err, raft.ErrNotLeader) || errors.Is(err, raft.ErrLeadershipTransferInProgress) ||
		errors.Is(err, raft.ErrEnqueueTimeout)
}

// propose appends commands to the log and waits until they are applied. It returns an outcome
// for each, in order. A command that is not taken gets a result that refuses it, and the others
// go on: REFUSAL_NO_ROOM where there is no room for it, REFUSAL_CLOCK where its time is wrong.
// An error means that no command was proposed.
func (g *Group) propose(ctx context.Context, commands [][]byte) ([]outcome, error) {
	const op = "group.Propose"
	for _, c := range commands {
		if len(c) == 0 || len(c) > MaxCommandBytes {
			return nil, errs.Newf(op, errs.Invalid, "a command of %d bytes; at most %d are allowed",
				len(c), MaxCommandBytes)
		}
		if c[0] == sharedMark { // As an entry it would be several commands, which nobody has judged.
			return nil, errs.Newf(op, errs.Invalid, "several commands in the place of one")
		}
	}
	if g.raft.State() == raft.Leader {
		if refused := g.refuse(commands); refused != nil {
			return g.proposeRest(ctx, commands, refused)
		}
	}
	return g.proposeAll(ctx, commands)
}

// proposeAll proposes commands for which there is room, but those whose time is wrong.
func (g *Group) proposeAll(ctx context.Context, commands [][]byte) ([]outcome, error) {
	const op = "group.Propose"
	n := int64(len(commands))
	if n > maxInflightCommands {
		return nil, errs.Newf(op, errs.Invalid, "%d commands at once; at most %d are allowed", n, maxInflightCommands)
	}
	taken, refused, err := g.judgeTimes(commands)
	if err != nil {
		return nil, err
	}
	if len(taken) < len(commands) {
		return g.proposeSome(ctx, taken, refused)
	}
	if err := g.inflight.Acquire(ctx, n); err != nil {
		return nil, errs.New(op, errs.Unavailable, err)
	}
	if g.raft.State() != raft.Leader || g.disowned.Load() || !g.enter() {
		g.inflight.Release(n)
		return nil, errNotLeader
	}
	c := g.share(commands, func() {
		g.inflight.Release(n)
		g.leave()
	})
	select {
	case <-c.done:
		if c.notProposed() {
			return nil, errNotLeader
		}
		return c.outcomes, nil
	case <-ctx.Done():
		err := context.Cause(ctx)
		out := make([]outcome, n)
		for i := range out {
			out[i].unknown = err
		}
		return out, nil
	}
}

// notProposed reports whether none of the commands is in the log, certainly.
func (c *call) notProposed() bool {
	for _, o := range c.outcomes {
		if o.unknown == nil || !notProposed(o.unknown) {
			return false
		}
	}
	return true
}

// judgeTimes returns the commands whose time agrees with this node's clock. For each of the
// given commands, refused has the result of one whose time does not, and nil for the others. An
// error means that this node's own clock is not to be trusted.
func (g *Group) judgeTimes(commands [][]byte) (taken [][]byte, refused []*metapb.Result, err error) {
	if g.cfg.Clock == nil {
		return commands, nil, nil
	}
	refused = make([]*metapb.Result, len(commands))
	for i, c := range commands {
		if _, timed := timeOf(c); timed && g.raft.State() == raft.Leader {
			if err := g.cfg.Clock.Check(); err != nil {
				return nil, nil, err
			}
		}
		if why := g.cfg.Clock.refuses(c); why != "" {
			refused[i] = clockRefused(why)
			continue
		}
		taken = append(taken, c)
	}
	return taken, refused, nil
}

// proposeSome proposes the commands that were taken, and returns the outcomes of all in order.
func (g *Group) proposeSome(ctx context.Context, taken [][]byte, refused []*metapb.Result) ([]outcome, error) {
	if g.raft.State() != raft.Leader {
		return nil, errNotLeader // Only the clock of the leader counts.
	}
	var some []outcome
	if len(taken) > 0 {
		var err error
		if some, err = g.propose(ctx, taken); err != nil {
			return nil, err
		}
	}
	out := make([]outcome, 0, len(refused))
	for _, r := range refused {
		if r != nil {
			out = append(out, outcome{result: r})
			continue
		}
		out, some = append(out, some[0]), some[1:]
	}
	return out, nil
}

// proposeRest proposes the commands that are not refused, and returns the outcomes of all in
// order.
func (g *Group) proposeRest(ctx context.Context, commands [][]byte, refused []*metapb.Result) ([]outcome, error) {
	out := make([]outcome, len(commands))
	var rest [][]byte
	var at []int
	for i, r := range refused {
		if out[i].result = r; r == nil {
			rest, at = append(rest, commands[i]), append(at, i)
		}
	}
	if len(rest) == 0 {
		return out, nil
	}
	outcomes, err := g.proposeAll(ctx, rest)
	for i, o := range outcomes {
		out[at[i]] = o
	}
	return out, err
}
