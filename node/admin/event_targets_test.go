package admin

import (
	"context"
	"errors"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/notify"
)

// fakeTargets are the targets that a node knows, without the directory between.
type fakeTargets struct {
	*notify.Registry
	set    map[string]iam.EventTarget
	tested []notify.Spec
	fails  error
}

func (f *fakeTargets) SetEventTarget(_ context.Context, t iam.EventTarget) error {
	f.set[t.ID] = t
	return f.apply()
}

func (f *fakeTargets) RemoveEventTarget(_ context.Context, id string) error {
	delete(f.set, id)
	return f.apply()
}

func (f *fakeTargets) apply() error {
	var specs []notify.Spec
	for _, t := range f.set {
		specs = append(specs, notify.Spec{ID: t.ID, URL: t.URL, Token: t.Token})
	}
	return f.SetCluster(specs)
}

func (f *fakeTargets) Test(_ context.Context, s notify.Spec) error {
	f.tested = append(f.tested, s)
	return f.fails
}

// TestEventTargets: targets are set, listed with what waits for them, tested and removed, and no
// token is shown or logged.
func TestEventTargets(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	own, err := notify.NewRegistry("r", []notify.Spec{{ID: "own", URL: "http://own", Token: "t"}})
	require.NoError(t, err)
	targets := &fakeTargets{Registry: own, set: map[string]iam.EventTarget{}}
	w.config.EventTargets, w.config.KnownTargets = targets, targets
	api := w.as(root)
	set, err := api.SetEventTarget(ctx, &adminpb.SetEventTargetRequest{Id: "k", Url: "kafka://h/t?user=u", Token: "sesame"})
	require.NoError(t, err)
	require.Equal(t, []any{"k", "arn:cairn:sqs:r:k:kafka", "kafka://h/t?user=u", "cluster", true}, []any{set.Id, set.Arn, set.Url, set.Source, set.Token})
	require.NotContains(t, set.String(), "sesame")
	require.Contains(t, w.log.String(), "call=SetEventTarget id=k outcome=done")
	require.NotContains(t, w.log.String(), "sesame")

	// A bucket's rules fill the queues of two targets, one of which is not known.
	w.meta.must(&metapb.Command{Op: &metapb.Command_CreateBucket{CreateBucket: &metapb.CreateBucket{Bucket: &metapb.Bucket{Name: "b", Owner: "o"}}}})
	w.meta.must(&metapb.Command{Op: &metapb.Command_SetBucketConfig{SetBucketConfig: &metapb.SetBucketConfig{Bucket: "b", EventRules: &metapb.EventRules{
		Rules: []*metapb.EventRule{{Id: "1", Target: set.Arn, Kinds: 1 << metapb.EventKind_EVENT_PUT}, {Id: "2", Target: "arn:gone", Kinds: 1 << metapb.EventKind_EVENT_PUT}}}}}})
	all, err := api.ListEventTargets(ctx, &adminpb.ListEventTargetsRequest{})
	require.NoError(t, err)
	require.Len(t, all.Targets, 3)
	require.Equal(t, []any{"k", uint64(1)}, []any{all.Targets[0].Id, all.Targets[0].Waiting}, "the test event of the rules")
	require.Equal(t, []any{"own", "node", uint64(0)}, []any{all.Targets[1].Id, all.Targets[1].Source, all.Targets[1].Waiting})
	require.Equal(t, []any{"", "arn:gone", "none", uint64(1)}, []any{all.Targets[2].Id, all.Targets[2].Arn, all.Targets[2].Source, all.Targets[2].Waiting})

	_, err = api.TestEventTarget(ctx, &adminpb.EventTargetRef{Id: "k"})
	require.NoError(t, err)
	require.Equal(t, []notify.Spec{{ID: "k", URL: "kafka://h/t?user=u", Token: "sesame"}}, targets.tested)
	targets.fails = errors.New("no topic")
	_, err = api.TestEventTarget(ctx, &adminpb.EventTargetRef{Id: "own"})
	require.ErrorContains(t, err, "target own did not take the test event: no topic")
	for _, id := range []string{"none", ""} {
		_, err = api.TestEventTarget(ctx, &adminpb.EventTargetRef{Id: id})
		require.Equal(t, connect.CodeNotFound, connect.CodeOf(err), id)
	}
	for _, bad := range []*adminpb.SetEventTargetRequest{{Id: "k", Url: "kafka://h"}, {Id: "a b", Url: "http://h"}, {Url: "http://h"}, {Id: "k", Url: "http://u:p@h"}} {
		_, err = api.SetEventTarget(ctx, bad)
		require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(err), bad)
	}
	_, err = api.RemoveEventTarget(ctx, &adminpb.EventTargetRef{Id: "k"})
	require.NoError(t, err)
	all, err = api.ListEventTargets(ctx, &adminpb.ListEventTargetsRequest{})
	require.NoError(t, err)
	require.Equal(t, []string{"own", "", ""}, []string{all.Targets[0].Id, all.Targets[1].Id, all.Targets[2].Id}, "what waits for k is nobody's now")
}
