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
	set := &metapb.SetNodeState{Node: uint64(n.ID), State: to, Force: r.Force}
	err = s.changeLife(ctx, &adminpb.PlanRequest{Node: n.ID.String()}, to, r.Force, func(epoch uint64) *metapb.Command {
		set.ViewEpoch = epoch
		return &metapb.Command{Op: &metapb.Command_SetNodeState{SetNodeState: set}}
	})
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
	set := &metapb.SetDriveState{Drive: uint64(d.ID), State: to, Force: r.Force}
	err = s.changeLife(ctx, &adminpb.PlanRequest{Drive: d.ID.String()}, to, r.Force, func(epoch uint64) *metapb.Command {
		set.ViewEpoch = epoch
		return &metapb.Command{Op: &metapb.Command_SetDriveState{SetDriveState: set}}
	})
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

// changeTries is how often a drain is planned, at most, because the view has changed since the plan was
// made. The view changes with every slot that moves.
const changeTries = 32

// changeLife proposes that a node or drive is drained, or used again. A drain that is not forced is made
// only if its plan does not refuse it. The command then carries the epoch of the view on which the plan
// was made, and is refused on any other. So of two drains that exclude each other, the second is planned
// again and sees the first. Epoch 0 means any view. Errors: Precondition if the plan or the metadata
// refuse, Unavailable if the view changed under every plan, and those of planNow and of the metadata.
func (s *service) changeLife(ctx context.Context, of *adminpb.PlanRequest, to metapb.Life, force bool, command func(epoch uint64) *metapb.Command) error {
	const op = "admin.changeLife"
	if to != metapb.Life_LIFE_DRAINING || force {
		return s.change(ctx, command(0))
	}
	for range changeTries {
		plan, epoch, err := s.planNow(ctx, of)
		if err != nil {
			return err
		}
		if plan.Refused {
			return errs.Newf(op, errs.Precondition, "%s", plan.Why)
		}
		r, err := s.c.Metadata.Propose(ctx, command(epoch))
		if err != nil {
			return err
		}
		if r.Refusal != metapb.Refusal_REFUSAL_STALE_EPOCH {
			return refused(r)
		}
	}
	return errs.Newf(op, errs.Unavailable, "slots move so fast that no plan holds for long enough: try again")
}

// change proposes a command, and returns a refusal as an error.
func (s *service) change(ctx context.Context, cmd *metapb.Command) error {
	r, err := s.c.Metadata.Propose(ctx, cmd)
	if err != nil {
		return err
	}
	return refused(r)
}

// refused returns a refusal as an error; nil where there is none.
func refused(r *metapb.Result) error {
	const op = "admin.change"
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
