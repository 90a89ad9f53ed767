package node

import (
	"context"
	"sync"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/s3api"
	"github.com/cairnstore/cairn/s3api/limit"
)

// limitAsk bounds how long a round waits for a node.
const limitAsk = limit.Round / 2

// keepLimits computes this node's shares of all limits, round by round. Nodes are asked only while
// there is a limit.
func (n *Node) keepLimits(ctx context.Context) {
	ticker := time.NewTicker(limit.Round)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		n.limiter.Close()
		if topo := n.client.LastTopology(); n.limiter.On() && topo != nil {
			n.limiter.Share(uint64(n.ID()), n.askDemands(ctx, topo.View.Nodes))
		}
	}
}

// askDemands asks all other nodes what was asked of them.
func (n *Node) askDemands(ctx context.Context, nodes []cluster.Node) []limit.Peer {
	ctx, cancel := context.WithTimeout(ctx, limitAsk)
	defer cancel()
	peers := make([]limit.Peer, 0, len(nodes))
	for i := range nodes {
		if id := nodes[i].ID; id != n.ID() {
			peers = append(peers, limit.Peer{ID: uint64(id), Down: n.gossip.State(id) == gossip.Down})
		}
	}
	var wg sync.WaitGroup
	at := 0
	for i := range nodes {
		if nodes[i].ID == n.ID() {
			continue
		}
		p := &peers[at]
		at++
		if p.Down {
			continue
		}
		wg.Go(func() {
			r, err := n.peer(&nodes[i]).Limits(ctx, &adminpb.LimitReportRequest{})
			if err != nil {
				return
			}
			p.Heard, p.Loads = true, make(map[limit.LoadOf]float64, len(r.Loads))
			for _, l := range r.Loads {
				p.Loads[limit.LoadOf{Name: l.Name, Measure: limit.Measure(l.Measure)}] = max(0, l.Demand)
			}
		})
	}
	wg.Wait()
	return peers
}

// setLimits puts the limits of the directory in force.
func (n *Node) setLimits() { n.limiter.Set(n.access.directory.Limits()) }

// Limits implements PeerService.
func (p peer) Limits(_ context.Context, r *adminpb.LimitReportRequest) (*adminpb.LimitReport, error) {
	out := &adminpb.LimitReport{}
	for _, l := range p.n.limiter.Loads(r.All) {
		out.Loads = append(out.Loads, &adminpb.LimitLoad{Name: l.Name, Measure: uint32(l.Measure), Demand: l.Demand,
			Rate: l.Rate, Refused: l.Refused, Share: l.Share})
	}
	if r.Taken {
		for _, t := range p.n.limiter.Taken() {
			out.Taken = append(out.Taken, &adminpb.TakenLoad{Name: t.Name, Requests: t.Requests, Refused: t.Refused,
				BytesIn: t.BytesIn, BytesOut: t.BytesOut})
		}
	}
	return out, nil
}

// countTaken counts a request for its account.
func (n *Node) countTaken(d *s3api.RequestDone) {
	if account := d.Account; account != "" {
		n.limiter.Count(account, d.Limit != nil, d.BytesIn, d.BytesOut)
	}
	if d.Limit != nil {
		n.obs.Limited(n.access.directory.AccountName(d.Limit.Subject.Account), d.Limit.Measure.String())
	}
	if d.Paced > 0 {
		n.obs.Paced(n.access.directory.AccountName(d.Account), d.Paced)
	}
}
