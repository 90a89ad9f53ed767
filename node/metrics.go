package node

import (
	"context"

	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/observe"
	"github.com/cairnstore/cairn/shard/buf"
)

// exportMetrics lets metrics read where this node stands.
func (n *Node) exportMetrics(budget *buf.Budget, pool *buf.Pool) {
	drives := make([]observe.DriveSource, len(n.drives))
	for i, d := range n.drives {
		drives[i] = observe.DriveSource{Dir: n.cfg.DataDirs[i], ReserveBytes: int64(n.cfg.DriveReserve), Drive: d}
	}
	n.obs.Watch(observe.Sources{
		Version: n.env.Version, Ready: n.ready.Load, Drives: drives,
		Raft: n.group.Stats, LastContact: n.group.LastContact, Databases: n.group.Databases, BlockCache: n.cfg.cacheBytes(memory),
		Cluster: n.clusterStatus, Members: n.gossip.Members, DirectoryAge: n.access.directory.Age,
		BucketCache: n.access.buckets.Stats, Budget: budget, Buffers: pool, Connections: n.doors.connections,
	})
}

// clusterStatus returns what the whole cluster has.
func (n *Node) clusterStatus(ctx context.Context) (*metapb.StatusAnswer, error) {
	topo, err := n.client.Topology(ctx)
	if err != nil {
		return nil, err
	}
	q := &metapb.GetStatus{}
	for i := range topo.View.Nodes {
		if id := topo.View.Nodes[i].ID; id != n.ID() && n.gossip.State(id) == gossip.Down {
			q.Down = append(q.Down, uint64(id))
		}
	}
	a, err := n.client.Read(ctx, &metapb.Query{Op: &metapb.Query_Status{Status: q}})
	if err != nil {
		return nil, err
	}
	return a.GetStatus(), nil
}

// openTraces begins to send traces where the operator asked for them.
func (n *Node) openTraces(ctx context.Context) error {
	if n.cfg.OTLPEndpoint == "" {
		return nil
	}
	if err := n.obs.StartTraces(ctx, observe.TraceConfig{Endpoint: n.cfg.OTLPEndpoint, Sample: n.cfg.TraceSample, Names: n.cfg.TraceNames,
		Node: n.home.ID().String(), Zone: n.cfg.Zone, Version: n.env.Version}); err != nil {
		return settingError("otlp-endpoint", "%v", err)
	}
	n.later(n.obs.StopTraces)
	return nil
}
