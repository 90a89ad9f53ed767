package admin

import (
	"context"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// DrainNode implements AdminService.
func (s *service) DrainNode(ctx context.Context, r *adminpb.ChangeNodeRequest) (*adminpb.NodeStatus, error) {
	return s.setNode(ctx, r, metapb.Life_LIFE_DRAINING)
}

// UndrainNode implements AdminService.
func (s *service) UndrainNode(ctx context.Context, r *adminpb.ChangeNodeRequest) (*adminpb.NodeStatus, error) {
	return s.setNode(ctx, r, metapb.Life_LIFE_ACTIVE)
}

func (s *service) setNode(ctx context.Context, r *adminpb.ChangeNodeRequest, to metapb.Life) (*adminpb.NodeStatus, error) {
	topo, _, err := s.topology(ctx)
	if err != nil {
		return nil, err
	}
	n, err := findNode(topo, r.Node)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, &metapb.Command{Op: &metapb.Command_SetNodeState{SetNodeState: &metapb.SetNodeState{Node: uint64(n.ID), State: to, Force: r.Force}}})
	if err != nil {
		return nil, err
	}
	return s.ShowNode(ctx, &adminpb.NodeRef{Node: n.ID.String()})
}

// RemoveNode implements AdminService.
func (s *service) RemoveNode(ctx context.Context, r *adminpb.ChangeNodeRequest) (*adminpb.Removed, error) {
	topo, _, err := s.topology(ctx)
	if err != nil {
		return nil, err
	}
	n, err := findNode(topo, r.Node)
	if err != nil {
		return nil, err
	}
	return removed(s.change(ctx, &metapb.Command{Op: &metapb.Command_RemoveNode{RemoveNode: &metapb.RemoveNode{Node: uint64(n.ID), Force: r.Force}}}))
}

// DrainDrive implements AdminService.
func (s *service) DrainDrive(ctx context.Context, r *adminpb.ChangeDriveRequest) (*adminpb.DriveStatus, error) {
	return s.setDrive(ctx, r, metapb.Life_LIFE_DRAINING)
}

// UndrainDrive implements AdminService.
func (s *service) UndrainDrive(ctx context.Context, r *adminpb.ChangeDriveRequest) (*adminpb.DriveStatus, error) {
	return s.setDrive(ctx, r, metapb.Life_LIFE_ACTIVE)
}

func (s *service) setDrive(ctx context.Context, r *adminpb.ChangeDriveRequest, to metapb.Life) (*adminpb.DriveStatus, error) {
	topo, _, err := s.topology(ctx)
	if err != nil {
		return nil, err
	}
	_, d, err := findDrive(topo, r.Drive)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, &metapb.Command{Op: &metapb.Command_SetDriveState{SetDriveState: &metapb.SetDriveState{Drive: uint64(d.ID), State: to, Force: r.Force}}})
	if err != nil {
		return nil, err
	}
	return s.ShowDrive(ctx, &adminpb.DriveRef{Drive: d.ID.String()})
}

// RemoveDrive implements AdminService.
func (s *service) RemoveDrive(ctx context.Context, r *adminpb.ChangeDriveRequest) (*adminpb.Removed, error) {
	topo, _, err := s.topology(ctx)
	if err != nil {
		return nil, err
	}
	_, d, err := findDrive(topo, r.Drive)
	if err != nil {
		return nil, err
	}
	return removed(s.change(ctx, &metapb.Command{Op: &metapb.Command_RemoveDrive{RemoveDrive: &metapb.RemoveDrive{Drive: uint64(d.ID), Force: r.Force}}}))
}

// change proposes a command; a refusal is an error.
func (s *service) change(ctx context.Context, cmd *metapb.Command) error {
	const op = "admin.change"
	r, err := s.c.Metadata.Propose(ctx, cmd)
	if err != nil {
		return err
	}
	switch r.Refusal {
	case metapb.Refusal_REFUSAL_NONE:
		return nil
	case metapb.Refusal_REFUSAL_NO_SUCH_NODE:
		return errs.Newf(op, errs.NotFound, "%s", r.Detail)
	case metapb.Refusal_REFUSAL_REDUNDANCY, metapb.Refusal_REFUSAL_NOT_DRAINED:
		return errs.Newf(op, errs.Precondition, "%s", r.Detail)
	}
	return errs.Newf(op, errs.Internal, "%v: %s", r.Refusal, r.Detail)
}
