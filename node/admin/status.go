package admin

import (
	"context"
	"slices"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// Status implements AdminService. Drives whose node does not answer are not in the sums of space.
func (s *service) Status(ctx context.Context, _ *adminpb.StatusRequest) (*adminpb.StatusResponse, error) {
	p, err := s.lookWhole(ctx)
	if err != nil {
		return nil, err
	}
	st := p.counts
	out := &adminpb.StatusResponse{ClusterId: p.topo.ClusterID, Version: s.c.Version, AnsweredBy: s.c.Node.String(),
		Term: p.raft.Term, CommitIndex: p.raft.CommitIndex, ViewEpoch: p.topo.View.Epoch,
		Buckets: st.Buckets, ExtentsMissing: st.ExtentsMissing, ExtentsGc: st.ExtentsGc, ExtentsDoomed: st.ExtentsDoomed,
		ExtentsUnreadable: st.ExtentsUnreadable, BytesUnreadable: st.BytesUnreadable, BringBack: p.bringBack(),
		ContentsDropped: st.ContentsDropped, Nodes: p.nodes(), Volumes: countVolumes(p.volumes()), Tolerance: p.tell(p.tolerance)}
	if p.raft.Leader != 0 {
		out.Leader = cluster.NodeID(p.raft.Leader).String()
	}
	for _, n := range out.Nodes {
		for _, d := range n.Drives {
			if d.State == driveUnknown {
				continue
			}
			out.CapacityBytes, out.UsedBytes, out.FreeBytes = out.CapacityBytes+d.CapacityBytes, out.UsedBytes+d.UsedBytes, out.FreeBytes+d.FreeBytes
		}
	}
	room, scheme := p.room(out.Nodes)
	out.StorableBytes, out.StorableScheme = room, scheme.String()
	for _, j := range s.jobs(p, "").Jobs {
		if j.State != jobIdle {
			out.Jobs = append(out.Jobs, j)
		}
	}
	out.Voters, out.VotersAlive = p.voters()
	h := p.health()
	out.Health, out.HealthReason, out.Checks = h.State, h.Reason, h.Checks
	for _, c := range h.Checks {
		if c.State == healthy {
			continue
		}
		warning := c.Found
		if c.Action != "" {
			warning += ": " + c.Action
		}
		out.Warnings = append(out.Warnings, warning)
	}
	out.Warnings = append(out.Warnings, s.c.Warnings()...)
	return out, nil
}

// votes returns how many votes on the metadata there are, and the nodes whose vote counts. The vote of an
// earlier incarnation of a node (see stale) is one of all, and counts for nobody.
func (p *picture) votes() (all int, counted []cluster.NodeID) {
	for _, m := range p.raft.Members {
		if !m.Voter {
			continue
		}
		all++
		if !p.stale(m) {
			counted = append(counted, cluster.NodeID(m.Node))
		}
	}
	return all, counted
}

// voters returns how many voters the metadata have, and how many of them are alive.
func (p *picture) voters() (all, alive uint32) {
	votes, counted := p.votes()
	for _, id := range counted {
		if p.state[id] == nodeAlive {
			alive++
		}
	}
	return uint32(votes), alive
}

// stale reports whether a member of the Raft group is an earlier incarnation of its node, which has lost
// its metadata. Such a member never votes again.
func (p *picture) stale(m *metapb.Member) bool {
	return p.topo.View.Stale(cluster.NodeID(m.Node), m.Incarnation)
}

// ShowHealth implements AdminService.
func (s *service) ShowHealth(ctx context.Context, _ *adminpb.ShowHealthRequest) (*adminpb.Health, error) {
	p, err := s.lookWhole(ctx)
	if err != nil {
		return nil, err
	}
	return p.health(), nil
}

// ListNodes implements AdminService.
func (s *service) ListNodes(ctx context.Context, _ *adminpb.ListNodesRequest) (*adminpb.Nodes, error) {
	p, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	return &adminpb.Nodes{Nodes: p.nodes()}, nil
}

// ShowNode implements AdminService.
func (s *service) ShowNode(ctx context.Context, r *adminpb.NodeRef) (*adminpb.NodeStatus, error) {
	p, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	n, err := findNode(p.topo, r.Node)
	if err != nil {
		return nil, err
	}
	return only(p.nodes(), func(st *adminpb.NodeStatus) bool { return st.Id == n.ID.String() })
}

// ListDrives implements AdminService.
func (s *service) ListDrives(ctx context.Context, r *adminpb.ListDrivesRequest) (*adminpb.Drives, error) {
	p, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	of := ""
	if r.Node != "" {
		n, err := findNode(p.topo, r.Node)
		if err != nil {
			return nil, err
		}
		of = n.ID.String()
	}
	out := &adminpb.Drives{}
	for _, d := range p.drives() {
		if of == "" || d.Node == of {
			out.Drives = append(out.Drives, d)
		}
	}
	return out, nil
}

func (p *picture) drives() (out []*adminpb.DriveStatus) {
	for _, n := range p.nodes() {
		out = append(out, n.Drives...)
	}
	return out
}

// ShowDrive implements AdminService.
func (s *service) ShowDrive(ctx context.Context, r *adminpb.DriveRef) (*adminpb.DriveStatus, error) {
	p, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	_, d, err := findDrive(p.topo, r.Drive)
	if err != nil {
		return nil, err
	}
	return only(p.drives(), func(st *adminpb.DriveStatus) bool { return st.Id == d.ID.String() })
}

// only returns the first element of a list for which is returns true. Errors: NotFound, because
// what was just found may be gone.
func only[T any](list []*T, is func(*T) bool) (*T, error) {
	i := slices.IndexFunc(list, is)
	if i < 0 {
		return nil, errs.Newf("admin.only", errs.NotFound, "it is gone")
	}
	return list[i], nil
}

// ListVolumes implements AdminService.
func (s *service) ListVolumes(ctx context.Context, r *adminpb.ListVolumesRequest) (*adminpb.Volumes, error) {
	p, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	node, drive := "", ""
	if r.Node != "" {
		n, err := findNode(p.topo, r.Node)
		if err != nil {
			return nil, err
		}
		node = n.ID.String()
	}
	if r.Drive != "" {
		_, d, err := findDrive(p.topo, r.Drive)
		if err != nil {
			return nil, err
		}
		drive = d.ID.String()
	}
	out := &adminpb.Volumes{}
	for _, v := range p.volumes() {
		there := slices.ContainsFunc(v.Slots, func(sl *adminpb.Slot) bool {
			return (node == "" || sl.Node == node) && (drive == "" || sl.Drive == drive)
		})
		if there && (r.Health == "" || v.Health == r.Health) {
			out.Volumes = append(out.Volumes, v)
		}
	}
	return out, nil
}

// ShowVolume implements AdminService.
func (s *service) ShowVolume(ctx context.Context, r *adminpb.VolumeRef) (*adminpb.Volume, error) {
	p, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	for _, v := range p.volumes() {
		if v.Id == r.Id {
			return v, nil
		}
	}
	return nil, errs.Newf("admin.ShowVolume", errs.NotFound, "there is no volume %d; `cairn volume list` has them", r.Id)
}
