package node

import (
	"context"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/node/observe"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/drive"
	"github.com/cairnstore/cairn/shard/wire"
)

// topologyTimeout bounds how long a lookup waits for a topology; it is almost
// always there already.
const topologyTimeout = 2 * time.Second

// stores finds the Store of any drive of the cluster: this node's drives
// directly, the others through the network, those of dead nodes not at all.
type stores struct {
	local    map[cluster.DriveID]*drive.Drive
	topology func(context.Context) (*meta.Topology, error)
	state    func(cluster.NodeID) gossip.State
	remote   *wire.Client
	observe  func(s shard.Store, id cluster.DriveID, place string) shard.Store
}

// store is stripe.Config.Stores.
func (s *stores) store(id cluster.DriveID) (shard.Store, error) {
	if _, ok := s.local[id]; ok {
		return s.drive(id)
	}
	if _, err := s.node(id); err != nil {
		return nil, err
	}
	return s.observe(s.remote.Store(id), id, observe.Remote), nil
}

// drive returns a drive of this node; the internode handler serves these alone.
func (s *stores) drive(id cluster.DriveID) (shard.Store, error) {
	d, ok := s.local[id]
	if !ok {
		return nil, errs.Newf("node.drive", errs.NotFound, "drive %s is not on this node", id)
	}
	if err := d.Failed(); err != nil {
		return nil, errs.New("node.drive", errs.Unavailable, err)
	}
	return s.observe(d, id, observe.Local), nil
}

// addr returns the internode address of a drive's node.
func (s *stores) addr(id cluster.DriveID) (string, error) {
	n, err := s.node(id)
	if err != nil {
		return "", err
	}
	return n.RPCAddr, nil
}

// node returns the node of a drive, Unavailable if it is down.
func (s *stores) node(id cluster.DriveID) (*cluster.Node, error) {
	ctx, cancel := context.WithTimeout(context.Background(), topologyTimeout)
	defer cancel()
	topo, err := s.topology(ctx)
	if err != nil {
		return nil, err
	}
	n := topo.View.NodeOf(id)
	if n == nil {
		return nil, errs.Newf("node.stores", errs.NotFound, "drive %s belongs to no node of the cluster", id)
	}
	if s.state(n.ID) == gossip.Down {
		return nil, errs.Newf("node.stores", errs.Unavailable, "node %s is down", n.ID)
	}
	return n, nil
}
