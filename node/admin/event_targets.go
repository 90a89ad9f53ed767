package admin

import (
	"context"
	"slices"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/notify"
)

// EventTargets changes the targets of notifications that are set for the cluster. iam.Admin implements
// it.
type EventTargets interface {
	SetEventTarget(ctx context.Context, t iam.EventTarget) error
	RemoveEventTarget(ctx context.Context, id string) error
}

// KnownTargets has the targets of notifications that this node knows. notify.Registry implements it.
type KnownTargets interface {
	List() []notify.Known
	Check(s notify.Spec) error
	Test(ctx context.Context, s notify.Spec) error
}

var (
	_ EventTargets = (*iam.Admin)(nil)
	_ KnownTargets = (*notify.Registry)(nil)
)

// fromNone is the source of a target that has a queue and that no setting names any more.
const fromNone = "none"

// ListEventTargets implements AdminService. It also lists queues whose targets are gone: their events
// wait.
func (s *service) ListEventTargets(ctx context.Context, _ *adminpb.ListEventTargetsRequest) (*adminpb.EventTargets, error) {
	if err := s.c.Entries.Refresh(ctx); err != nil {
		return nil, err
	}
	a, err := s.c.Metadata.Read(ctx, &metapb.Query{Op: &metapb.Query_EventQueues{EventQueues: &metapb.ListEventQueues{}}})
	if err != nil {
		return nil, err
	}
	queues := map[string]*metapb.EventQueue{}
	for _, q := range a.EventQueues.GetQueues() {
		queues[q.Target] = q
	}
	out := each(s.c.KnownTargets.List(), func(k notify.Known) *adminpb.EventTarget {
		t := &adminpb.EventTarget{Id: k.ID, Arn: k.ARN, Url: k.URL, Source: fromNode, Token: k.Token != "", Accounts: k.Accounts}
		if k.OfCluster {
			t.Source = fromCluster
		}
		addQueue(t, queues[k.ARN])
		delete(queues, k.ARN)
		return t
	})
	for _, q := range a.EventQueues.GetQueues() {
		if queues[q.Target] != nil && q.Length > 0 {
			t := &adminpb.EventTarget{Arn: q.Target, Source: fromNone}
			addQueue(t, q)
			out = append(out, t)
		}
	}
	return &adminpb.EventTargets{Targets: out}, nil
}

func addQueue(t *adminpb.EventTarget, q *metapb.EventQueue) {
	if q != nil {
		t.Waiting, t.Lost = q.Length, q.Dropped
		if q.Length > 0 {
			t.Oldest = stamp(q.OldestMs)
		}
	}
}

// SetEventTarget implements AdminService.
func (s *service) SetEventTarget(ctx context.Context, r *adminpb.SetEventTargetRequest) (*adminpb.EventTarget, error) {
	if err := s.c.KnownTargets.Check(notify.Spec{ID: r.Id, URL: r.Url, Token: r.Token}); err != nil {
		return nil, errs.New("admin.SetEventTarget", errs.Invalid, err)
	}
	if err := s.c.EventTargets.SetEventTarget(ctx, iam.EventTarget{ID: r.Id, URL: r.Url, Token: r.Token, Accounts: r.Accounts}); err != nil {
		return nil, err
	}
	return s.eventTarget(ctx, r.Id)
}

// RemoveEventTarget implements AdminService.
func (s *service) RemoveEventTarget(ctx context.Context, r *adminpb.EventTargetRef) (*adminpb.Removed, error) {
	return removed(s.c.EventTargets.RemoveEventTarget(ctx, r.Id))
}

// TestEventTarget implements AdminService.
func (s *service) TestEventTarget(ctx context.Context, r *adminpb.EventTargetRef) (*adminpb.EventTarget, error) {
	out, err := s.eventTarget(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	list := s.c.KnownTargets.List()
	i := slices.IndexFunc(list, func(k notify.Known) bool { return k.ID == r.Id })
	if i < 0 {
		return nil, noEventTarget(r.Id)
	}
	if err := s.c.KnownTargets.Test(ctx, list[i].Spec); err != nil {
		return nil, errs.Newf("admin.TestEventTarget", errs.Unavailable, "target %s did not take the test event: %w", r.Id, err)
	}
	return out, nil
}

// eventTarget returns the target with an id.
func (s *service) eventTarget(ctx context.Context, id string) (*adminpb.EventTarget, error) {
	all, err := s.ListEventTargets(ctx, &adminpb.ListEventTargetsRequest{})
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all.Targets, func(t *adminpb.EventTarget) bool { return t.Id == id && id != "" })
	if i < 0 {
		return nil, noEventTarget(id)
	}
	return all.Targets[i], nil
}

func noEventTarget(id string) error {
	return errs.Newf("admin.eventTarget", errs.NotFound, "there is no event target %q; `cairn event-target list` has them", id)
}
