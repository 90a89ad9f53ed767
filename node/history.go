package node

import (
	"context"
	"slices"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/node/history"
	"github.com/cairnstore/cairn/node/observe"
)

// watchLoad notes what the node has done, a sample for each step of the history, until ctx ends.
func (n *Node) watchLoad(ctx context.Context) {
	for {
		if l, err := n.obs.Load(); err == nil {
			n.history.Note(time.Now(), countsOf(l))
		} else {
			n.log.Debug("the load cannot be read", "cause", err)
		}
		next := time.Unix(history.End(time.Now()), 0).Add(history.Step)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(next)):
		}
	}
}

// countsOf adds up the operations of a load. The classes of latencies are those of observe.Latencies, and
// one beyond them.
func countsOf(l *observe.Load) history.Counts {
	c := history.Counts{BytesIn: l.BytesIn, BytesOut: l.BytesOut, Latency: make([]uint64,
		len(observe.Latencies())+1)}
	for _, o := range l.Operations {
		c.Requests += o.Requests
		c.ClientErrors += o.ClientErrors
		c.ServerErrors += o.ServerErrors
		c.Seconds += o.Seconds
		var before uint64
		for i, n := range o.Counts {
			c.Latency[i] += n - before
			before = n
		}
		c.Latency[len(c.Latency)-1] += max(before, o.Requests) - before
	}
	return c
}

// History implements PeerService.
func (p peer) History(_ context.Context, r *adminpb.ShowHistoryRequest) (*adminpb.LoadHistory, error) {
	if r.After > uint64(time.Now().Add(history.Step).Unix()) {
		return nil, errs.Newf("node.History", errs.Invalid, "it asks for what comes later than now")
	}
	out := &adminpb.LoadHistory{StepSeconds: uint32(history.Step / time.Second),
		LeSeconds: slices.Clone(observe.Latencies())}
	for _, s := range p.n.history.After(int64(r.After)) {
		out.Samples = append(out.Samples, &adminpb.HistorySample{Time: uint64(s.Time),
			Requests: s.Requests, ClientErrors: s.ClientErrors,
			ServerErrors: s.ServerErrors, BytesIn: s.BytesIn, BytesOut: s.BytesOut, Seconds: s.Seconds,
			Latency: s.Latency, Nodes: 1})
	}
	return out, nil
}
