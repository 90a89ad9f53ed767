package iam

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// TestEventTargets: a target that one node sets is known to the others, with its token. In the
// directory the token is sealed.
func TestEventTargets(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	require.NoError(t, w.admin.SetEventTarget(ctx, EventTarget{ID: "b", URL: "http://b"}))
	require.NoError(t, w.admin.SetEventTarget(ctx, EventTarget{ID: "a", URL: "http://old", Token: "old"}))
	a := EventTarget{ID: "a", URL: "http://a", Token: "sesame"}
	require.NoError(t, w.admin.SetEventTarget(ctx, a))
	got, err := w.peer().keys.EventTargets()
	require.NoError(t, err)
	require.Equal(t, []EventTarget{a, {ID: "b", URL: "http://b"}}, got)
	require.NotContains(t, string(w.dir.Get(metapb.EntryKind_ENTRY_EVENT_TARGET, "a").Value), "sesame")
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", a, a, a), "sesame")

	// A token is bound to its target, and to the cluster key.
	e := w.dir.Get(metapb.EntryKind_ENTRY_EVENT_TARGET, "a")
	require.NoError(t, w.dir.Write(ctx, nil, []*metapb.Entry{{Kind: e.Kind, Name: "c", Value: e.Value}}, nil))
	got, err = w.keys.EventTargets()
	require.Len(t, got, 2)
	require.ErrorContains(t, err, "event target c: its token")
	other := newNode(t, w.meta, [SecretKeyBytes]byte{9}, rootPassword)
	got, err = other.keys.EventTargets()
	require.Equal(t, []EventTarget{{ID: "b", URL: "http://b"}}, got)
	require.ErrorContains(t, err, "event target a: its token")

	require.NoError(t, w.admin.RemoveEventTarget(ctx, "c"))
	require.NoError(t, w.admin.RemoveEventTarget(ctx, "a"))
	requireKind(t, errs.NotFound, w.admin.RemoveEventTarget(ctx, "a"))
	got, err = w.keys.EventTargets()
	require.NoError(t, err)
	require.Equal(t, []EventTarget{{ID: "b", URL: "http://b"}}, got)
}
