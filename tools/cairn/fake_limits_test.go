package main

import (
	"context"
	"fmt"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// SetLimit answers what it was asked to set.
func (fakeAdmin) SetLimit(_ context.Context, r *adminpb.SetLimitRequest) (*adminpb.Limit, error) {
	return &adminpb.Limit{Of: "account", AccountName: r.Of.Account, Values: r.Values}, failing(r.Of.Account)
}

func (fakeAdmin) ClearLimit(_ context.Context, r *adminpb.LimitRef) (*adminpb.Removed, error) {
	return &adminpb.Removed{}, failing(r.Account)
}

func (fakeAdmin) ListLimits(_ context.Context, r *adminpb.ListLimitsRequest) (*adminpb.Limits, error) {
	return &adminpb.Limits{Limits: []*adminpb.Limit{
		{Of: "account", AccountName: "acme", Values: []*adminpb.LimitValue{
			{Measure: "requests", Value: 500, Taken: 499.5, Refused: 12}}},
		{Of: "bucket", AccountName: "acme", Name: "photos", Values: []*adminpb.LimitValue{
			{Measure: "bytes-out", Value: 10 << 20, Taken: 5 << 20}}}},
		Errors: []string{"node 2a: the node is down"}}, failing(r.Of.GetAccount())
}

func (fakeAdmin) ListTaken(_ context.Context, r *adminpb.ListTakenRequest) (*adminpb.TakenList, error) {
	return &adminpb.TakenList{Taken: []*adminpb.Taken{
		{Of: "account", AccountName: fmt.Sprintf("acme-%d", r.Max), Requests: 7, BytesIn: 1 << 20}}}, nil
}
