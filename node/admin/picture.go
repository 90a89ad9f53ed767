package admin

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/shard"
)

// The states of nodes, as gossip tells them.
const nodeAlive = "alive"

// The states of drives.
const (
	DriveOK      = "ok"
	DriveFull    = "full"   // It has less room than its reserve, and takes no writes.
	DriveFailed  = "failed" // It is out of use after an I/O error.
	driveUnknown = "unknown"

	driveSlow     = "slow"
	driveDraining = "draining"
	driveLost     = "lost" // It is given up: its slots are rebuilt elsewhere.
)

// picture is the cluster as one node sees it at one moment: what the metadata say, which nodes are
// alive, and what these say of themselves.
type picture struct {
	topo    *meta.Topology
	counts  *metapb.StatusAnswer
	raft    *metapb.MembersResponse
	state   map[cluster.NodeID]string
	reports map[cluster.NodeID]*report

	// Only lookWhole fills these in.
	stats     map[shard.VolumeID]*metapb.VolumeStats
	tolerance meta.Tolerance
}

// report is what a node says of itself.
type report struct {
	*adminpb.NodeReport               // Nil if the node did not answer.
	why                 string        // Why it did not answer.
	skew                time.Duration // How far its clock is ahead of this node's.
}

// look takes a picture. A node that does not answer is in it without a report and causes no error.
// Errors: those of the metadata.
func (s *service) look(ctx context.Context) (*picture, error) {
	topo, counts, err := s.topology(ctx)
	if err != nil {
		return nil, err
	}
	raft, err := s.c.Metadata.Members(ctx)
	if err != nil {
		return nil, err
	}
	p := &picture{topo: topo, counts: counts, raft: raft, state: map[cluster.NodeID]string{}, reports: map[cluster.NodeID]*report{}}
	nodes, _ := chosen(topo, "")
	for _, a := range ask(ctx, s, nodes, askReport) {
		r := &report{why: a.why()}
		if a.err == nil {
			r = a.got
		}
		p.state[a.node.ID], p.reports[a.node.ID] = s.state(a.node.ID), r
	}
	return p, nil
}

// askReport asks a node for its report. It assumes that the node read its clock halfway between question
// and answer, so the skew is wrong by at most half the time that the call took.
func askReport(ctx context.Context, peer Peer) (*report, error) {
	start := time.Now()
	r, err := peer.Report(ctx, &adminpb.ReportRequest{})
	if err != nil {
		return nil, err
	}
	middle := start.Add(time.Since(start) / 2)
	return &report{NodeReport: r, skew: time.UnixMicro(int64(r.NowUs)).Sub(middle)}, nil
}

func (s *service) state(id cluster.NodeID) string {
	if id == s.c.Node {
		return nodeAlive
	}
	return strings.ToLower(s.c.State(id).String())
}

// nodes describes every node, by zone, so that failure domains can be seen.
func (p *picture) nodes() []*adminpb.NodeStatus {
	_, voters := p.votes()
	slots := map[cluster.DriveID]uint32{}
	for _, v := range p.topo.Volumes {
		for _, d := range v.Slots {
			slots[d]++
		}
	}
	var out []*adminpb.NodeStatus
	for i := range p.topo.View.Nodes {
		n := &p.topo.View.Nodes[i]
		st := &adminpb.NodeStatus{Id: n.ID.String(), Zone: n.Zone, S3Addr: n.S3Addr, RpcAddr: n.RPCAddr, RaftAddr: n.RaftAddr, GossipAddr: n.GossipAddr,
			State: p.state[n.ID], Life: n.State.String(),
			Voter: slices.Contains(voters, n.ID), Leader: p.raft.Leader == uint64(n.ID)}
		if r := p.reports[n.ID]; r.NodeReport != nil {
			st.Answered, st.Version, st.UptimeSeconds, st.LogLevel = true, r.Version, r.UptimeSeconds, r.Log.GetLevel()
			st.ClockSkewMs, st.BlockCache = r.skew.Milliseconds(), r.BlockCache
		}
		for j := range n.Drives {
			d := p.drive(n, &n.Drives[j])
			d.Slots = slots[n.Drives[j].ID]
			st.Drives = append(st.Drives, d)
		}
		out = append(out, st)
	}
	slices.SortStableFunc(out, func(a, b *adminpb.NodeStatus) int { return strings.Compare(a.Zone, b.Zone) })
	return out
}

// drive describes a drive. If the metadata say that it failed or is given up, that goes before what its
// node says of it. That it drains, is full or is slow is told only of a drive that its node calls ok.
func (p *picture) drive(n *cluster.Node, d *cluster.Drive) *adminpb.DriveStatus {
	st := &adminpb.DriveStatus{Id: d.ID.String(), CapacityBytes: d.CapacityBytes, State: driveUnknown}
	if told := p.told(n.ID, st.Id); told != nil {
		st = told
	}
	st.Node, st.Zone = n.ID.String(), n.Zone
	switch life := p.topo.View.StateOf(d.ID); {
	case life == cluster.Failed:
		st.State = DriveFailed
	case life == cluster.Lost:
		st.State = driveLost
	case st.State != DriveOK:
	case life == cluster.Draining:
		st.State = driveDraining
	case d.Full:
		st.State = DriveFull
	case d.Slow:
		st.State = driveSlow
	}
	return st
}

// order returns the nodes by id.
func (p *picture) order() []cluster.NodeID {
	return each(p.topo.View.Nodes, func(n cluster.Node) cluster.NodeID { return n.ID })
}

// told returns what a node says of one of its drives; nil where it says nothing.
func (p *picture) told(node cluster.NodeID, drive string) *adminpb.DriveStatus {
	for _, d := range p.reports[node].GetDrives() {
		if d.Id == drive {
			return d
		}
	}
	return nil
}

// The health of volumes, the worst last.
const (
	volumeWhole      = "whole"
	volumeMoving     = "moving"
	volumeRebuilding = "rebuilding"
	volumeDegraded   = "degraded"
	volumeEndangered = "endangered"
	volumeUnreadable = "unreadable"
)

// The states of slots.
const (
	slotOK          = "ok"
	slotUnreachable = "unreachable" // Its node does not answer.
	slotFailed      = "failed"      // Its drive is out of use.
	slotLost        = "lost"        // Its drive was removed or given up.
)

// volumes describes every volume, by id.
func (p *picture) volumes() []*adminpb.Volume {
	out := make([]*adminpb.Volume, 0, len(p.topo.Volumes))
	for _, v := range p.topo.Volumes {
		out = append(out, p.volume(v))
	}
	slices.SortFunc(out, func(a, b *adminpb.Volume) int { return cmp.Compare(a.Id, b.Id) })
	return out
}

// volume describes a volume. While slots are rebuilt it is called rebuilding and not degraded, unless
// too many slots are bad for that.
func (p *picture) volume(v *shard.Volume) *adminpb.Volume {
	out := &adminpb.Volume{Id: uint32(v.ID), Epoch: uint64(v.Epoch), Scheme: v.Scheme.String()}
	bad := 0
	for i, d := range v.Slots {
		s := &adminpb.Slot{Slot: uint32(i), Kind: "data", Drive: d.String(), State: p.slot(d)}
		if i >= int(v.Scheme.K) {
			s.Kind = "parity"
		}
		if n := p.topo.View.NodeOf(d); n != nil {
			s.Node, s.Zone = n.ID.String(), n.Zone
		}
		if s.State != slotOK {
			bad++
		}
		if v.Move != nil && v.Move.Slot == i {
			s.MovingTo = v.Move.To.String()
		}
		out.Slots = append(out.Slots, s)
	}
	out.Health = volumeHealth(v.Scheme, bad)
	switch {
	case p.unreadable(v.ID) != nil: // Its slots may answer and lack shards that nobody could rebuild.
		out.Health = volumeUnreadable
	case v.Move != nil && v.Move.Rebuild && bad <= int(v.Scheme.M):
		out.Health = volumeRebuilding
	case v.Move != nil && bad == 0:
		out.Health = volumeMoving
	}
	return out
}

// volumeHealth returns the health of a volume of which some slots do not answer.
func volumeHealth(s shard.Scheme, bad int) string {
	switch {
	case bad == 0:
		return volumeWhole
	case bad > int(s.M):
		return volumeUnreadable
	case bad == int(s.M):
		return volumeEndangered
	}
	return volumeDegraded
}

// slot returns the state of a slot that lies on a drive.
func (p *picture) slot(d cluster.DriveID) string {
	n := p.topo.View.NodeOf(d)
	if n == nil {
		return slotLost
	}
	told, life := p.told(n.ID, d.String()), p.topo.View.StateOf(d)
	switch {
	case life == cluster.Lost:
		return slotLost
	case life == cluster.Failed:
		return slotFailed
	case told != nil && told.State == DriveFailed:
		return slotFailed
	case p.state[n.ID] != nodeAlive:
		return slotUnreachable
	}
	return slotOK
}

// countVolumes counts the volumes of each scheme, the widest scheme first.
func countVolumes(volumes []*adminpb.Volume) (out []*adminpb.VolumeCount) {
	for _, v := range volumes {
		i := slices.IndexFunc(out, func(c *adminpb.VolumeCount) bool { return c.Scheme == v.Scheme })
		if i < 0 {
			i, out = len(out), append(out, &adminpb.VolumeCount{Scheme: v.Scheme})
		}
		c := out[i]
		c.Volumes++
		switch v.Health {
		case volumeWhole:
			c.Whole++
		case volumeMoving:
			c.Moving++
		case volumeRebuilding:
			c.Rebuilding++
		case volumeDegraded:
			c.Degraded++
		case volumeEndangered:
			c.Endangered++
		case volumeUnreadable:
			c.Unreadable++
		}
	}
	slices.SortFunc(out, func(a, b *adminpb.VolumeCount) int { return strings.Compare(b.Scheme, a.Scheme) })
	return out
}
