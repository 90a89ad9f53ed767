package admin

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb/adminpbconnect"
)

// Peer is a node, as other nodes ask it for the admin API.
type Peer = adminpbconnect.PeerServiceClient

// peerTimeout is how long a node may take to answer. A node that hangs must not keep whoever looks for
// what is wrong from seeing the others.
const peerTimeout = 3 * time.Second

// topology returns the topology that is in force now, and what the metadata count.
func (s *service) topology(ctx context.Context) (*meta.Topology, *metapb.StatusAnswer, error) {
	topo, err := s.c.Metadata.TopologyAtLeast(ctx, 0)
	if err != nil {
		return nil, nil, err
	}
	q := &metapb.GetStatus{}
	for i := range topo.View.Nodes {
		if id := topo.View.Nodes[i].ID; id != s.c.Node && s.c.State(id) == gossip.Down {
			q.Down = append(q.Down, uint64(id))
		}
	}
	a, err := s.c.Metadata.Read(ctx, &metapb.Query{Op: &metapb.Query_Status{Status: q}})
	if err != nil {
		return nil, nil, err
	}
	topo, err = s.c.Metadata.TopologyAtLeast(ctx, a.ViewEpoch)
	return topo, a.GetStatus(), err
}

// reply is the answer of a node, or why there is none.
type reply[T any] struct {
	node *cluster.Node
	got  T
	err  error
}

// why returns in words why there is no answer; empty where there is one.
func (r *reply[T]) why() string {
	if r.err == nil {
		return ""
	}
	return plain(r.err).Error()
}

// ask asks nodes, all at the same time, and waits for each as long as peerTimeout. It does not ask nodes
// that are down.
func ask[T any](ctx context.Context, s *service, nodes []*cluster.Node, f func(context.Context, Peer) (T, error)) []reply[T] {
	out := make([]reply[T], len(nodes))
	var wg sync.WaitGroup
	for i, n := range nodes {
		out[i].node = n
		if n.ID != s.c.Node && s.c.State(n.ID) == gossip.Down {
			out[i].err = errs.Newf("admin.ask", errs.Unavailable, "the node is down")
			continue
		}
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, peerTimeout)
			defer cancel()
			out[i].got, out[i].err = f(ctx, s.c.Peer(n))
		})
	}
	wg.Wait()
	return out
}

// chosen returns the node that text names, or all nodes where text is empty. Errors: NotFound, and
// Invalid where it names several.
func chosen(topo *meta.Topology, text string) ([]*cluster.Node, error) {
	if text != "" {
		n, err := findNode(topo, text)
		return []*cluster.Node{n}, err
	}
	out := make([]*cluster.Node, len(topo.View.Nodes))
	for i := range topo.View.Nodes {
		out[i] = &topo.View.Nodes[i]
	}
	return out, nil
}

// findNode returns the node that text names: by its id, by a beginning that only its id has, or by an
// address. Errors: NotFound, Invalid.
func findNode(topo *meta.Topology, text string) (*cluster.Node, error) {
	const op = "admin.findNode"
	if text == "" {
		return nil, errs.Newf(op, errs.Invalid, "the request names no node")
	}
	var found []*cluster.Node
	for i := range topo.View.Nodes {
		n := &topo.View.Nodes[i]
		if slices.Contains([]string{n.S3Addr, n.RPCAddr, n.RaftAddr, n.GossipAddr}, text) {
			return n, nil
		}
		host, _, err := net.SplitHostPort(n.RPCAddr)
		if strings.HasPrefix(n.ID.String(), strings.ToLower(text)) || err == nil && host == text {
			found = append(found, n)
		}
	}
	switch {
	case len(found) == 0:
		return nil, errs.Newf(op, errs.NotFound, "there is no node %s; `cairn node list` has them", text)
	case len(found) > 1:
		return nil, errs.Newf(op, errs.Invalid, "%s may be %s or %s: give more of the id", text, found[0].ID, found[1].ID)
	}
	return found[0], nil
}

// findDrive returns the drive that text names: by its id, or by a beginning that only its id has.
// Errors: NotFound, Invalid.
func findDrive(topo *meta.Topology, text string) (*cluster.Node, *cluster.Drive, error) {
	const op = "admin.findDrive"
	var node *cluster.Node
	var drives []*cluster.Drive
	for i := range topo.View.Nodes {
		n := &topo.View.Nodes[i]
		for j := range n.Drives {
			if strings.HasPrefix(n.Drives[j].ID.String(), strings.ToLower(text)) {
				node, drives = n, append(drives, &n.Drives[j])
			}
		}
	}
	switch {
	case text == "":
		return nil, nil, errs.Newf(op, errs.Invalid, "the request names no drive")
	case len(drives) == 0:
		return nil, nil, errs.Newf(op, errs.NotFound, "there is no drive %s; `cairn drive list` has them", text)
	case len(drives) > 1:
		return nil, nil, errs.Newf(op, errs.Invalid, "%s may be %s or %s: give more of the id", text, drives[0].ID, drives[1].ID)
	}
	return node, drives[0], nil
}
