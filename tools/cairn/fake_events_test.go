package main

import (
	"context"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

func fakeEventTarget(id string) *adminpb.EventTarget {
	return &adminpb.EventTarget{Id: id, Arn: "arn:cairn:sqs:here:" + id + ":kafka", Url: "kafka://k/t", Source: "cluster", Waiting: 7, Oldest: fakeTime}
}

func (fakeAdmin) ListEventTargets(context.Context, *adminpb.ListEventTargetsRequest) (*adminpb.EventTargets, error) {
	return &adminpb.EventTargets{Targets: []*adminpb.EventTarget{fakeEventTarget("feed"),
		{Arn: "arn:cairn:sqs:here:gone:webhook", Source: "none", Waiting: 3, Lost: 1, Oldest: fakeTime}}}, nil
}

// SetEventTarget tells whether the token came as it was written.
func (fakeAdmin) SetEventTarget(_ context.Context, r *adminpb.SetEventTargetRequest) (*adminpb.EventTarget, error) {
	t := fakeEventTarget(r.Id)
	t.Url, t.Token = r.Url, r.Token == "sesame"
	return t, failing(r.Id)
}

func (fakeAdmin) RemoveEventTarget(_ context.Context, r *adminpb.EventTargetRef) (*adminpb.Removed, error) {
	return &adminpb.Removed{}, failing(r.Id)
}

func (fakeAdmin) TestEventTarget(_ context.Context, r *adminpb.EventTargetRef) (*adminpb.EventTarget, error) {
	return fakeEventTarget(r.Id), failing(r.Id)
}
