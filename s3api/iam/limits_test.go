package iam

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/s3api/limit"
)

// TestLimits: limits are set piece by piece, are known on other nodes, and go with what they limit.
func TestLimits(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	account, key, err := w.admin.AddAccount(ctx, AccountSpec{Name: "acme"})
	require.NoError(t, err)
	_, err = w.admin.AddUser(ctx, "acme", "alice")
	require.NoError(t, err)

	first := map[limit.Measure]uint64{limit.Requests: 5, limit.BytesIn: 7}
	got, err := w.admin.SetLimit(ctx, limit.Subject{Account: "acme"}, first)
	require.NoError(t, err)
	of := limit.Subject{Account: account.Id}
	require.Equal(t, Limit{Of: of, AccountName: "acme", Values: limit.Values{limit.Requests: 5, limit.BytesIn: 7}}, got)
	second := map[limit.Measure]uint64{limit.BytesIn: 0, limit.Lists: 2, limit.Concurrent: 3}
	got, err = w.admin.SetLimit(ctx, of, second)
	require.NoError(t, err)
	require.Equal(t, limit.Values{limit.Requests: 5, limit.Lists: 2, limit.Concurrent: 3}, got.Values)
	all := limit.Values{}
	for m := range all {
		all[m] = uint64(m) + 1
	}
	for m, v := range all {
		_, err = w.admin.SetLimit(ctx, limit.Subject{AccessKey: key.ID}, map[limit.Measure]uint64{limit.Measure(m): v})
		require.NoError(t, err)
	}
	alice := limit.Subject{Account: "acme", User: "alice"}
	_, err = w.admin.SetLimit(ctx, alice, map[limit.Measure]uint64{limit.Reads: 1})
	require.NoError(t, err)
	peer := w.peer()
	require.NoError(t, peer.dir.Refresh(ctx))
	require.Equal(t, map[limit.Subject]limit.Values{
		of:                                       {limit.Requests: 5, limit.Lists: 2, limit.Concurrent: 3},
		{Account: account.Id, AccessKey: key.ID}: all,
		{Account: account.Id, User: "alice"}:     {limit.Reads: 1},
	}, peer.dir.Limits())

	for _, none := range []limit.Subject{{Account: "nobody"}, {Account: "acme", User: "bob"}, {AccessKey: "nokey"}} {
		_, err = w.admin.SetLimit(ctx, none, map[limit.Measure]uint64{limit.Requests: 1})
		requireKind(t, errs.NotFound, err)
		requireKind(t, errs.NotFound, w.admin.ClearLimit(ctx, none))
	}
	_, err = w.admin.SetLimit(ctx, of, map[limit.Measure]uint64{limit.Requests: limit.ValueMax + 1})
	requireKind(t, errs.Invalid, err)

	require.NoError(t, w.admin.RemoveUser(ctx, "acme", "alice", false))
	require.NoError(t, w.admin.RemoveKey(ctx, key.ID))
	require.Len(t, w.dir.Limits(), 1)
	require.NoError(t, w.admin.RemoveAccount(ctx, "acme", false), "a limit keeps no account")
	require.Empty(t, w.dir.Limits())
}

// TestClearLimit: a limit is taken away as a whole, or with its last value.
func TestClearLimit(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	root := limit.Subject{Account: RootAccountName}
	_, err := w.admin.SetLimit(ctx, root, map[limit.Measure]uint64{limit.Requests: 1})
	require.NoError(t, err)
	require.NoError(t, w.admin.ClearLimit(ctx, root))
	requireKind(t, errs.NotFound, w.admin.ClearLimit(ctx, root))
	_, err = w.admin.SetLimit(ctx, root, map[limit.Measure]uint64{limit.Requests: 1})
	require.NoError(t, err)
	got, err := w.admin.SetLimit(ctx, root, map[limit.Measure]uint64{limit.Requests: 0})
	require.NoError(t, err)
	require.Equal(t, limit.Values{}, got.Values)
	require.Empty(t, w.dir.Limits())
}
