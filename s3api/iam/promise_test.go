package iam

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// crowd writes accounts without keys, so that the directory has several pages.
func (w *world) crowd(n int) {
	for from := 0; from < n; from += entriesPage {
		var put []*metapb.Entry
		for i := from; i < min(n, from+entriesPage); i++ {
			id := fmt.Sprintf("crowd-%05d", i)
			value, err := proto.Marshal(&metapb.Account{Id: id, Name: id})
			require.NoError(w.t, err)
			put = append(put, &metapb.Entry{Kind: metapb.EntryKind_ENTRY_ACCOUNT, Name: id, Value: value})
		}
		require.NoError(w.t, w.dir.Write(w.t.Context(), nil, put, nil))
	}
}

// TestDisabledWhileBucketsAreMade: there are 1,640 accounts, and buckets are made between any two
// pages of the directory. An account that is disabled is answered as disabled, every node that has
// learned of that revision refuses it, and one look at the directory is enough to learn of it.
func TestDisabledWhileBucketsAreMade(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.crowd(1640)
	_, key := w.account("acme")
	peers := []*world{w.peer(), w.peer()}
	for _, p := range peers {
		p.identity(key.ID, "")
	}
	made := 0
	makeBuckets := func(q *metapb.Query) error {
		if q.GetEntries() == nil {
			return nil
		}
		for range 6 {
			made++
			r, err := w.meta.Propose(ctx, &metapb.Command{Op: &metapb.Command_CreateBucket{
				CreateBucket: &metapb.CreateBucket{Bucket: &metapb.Bucket{Name: fmt.Sprintf("b%d", made), Owner: "acme"}}}})
			if err != nil || r.Refusal != metapb.Refusal_REFUSAL_NONE {
				return fmt.Errorf("%v %w", r, err)
			}
		}
		return nil
	}
	w.meta.reading(makeBuckets)
	for range 14 {
		require.NoError(t, w.admin.SetAccountDisabled(ctx, "acme", true))
		w.refused(errs.NotFound, key.ID, "")
		revision := w.dir.Revision()
		for _, p := range peers {
			require.NoError(t, p.dir.Refresh(ctx))
			require.GreaterOrEqual(t, p.dir.Revision(), revision)
			p.refused(errs.NotFound, key.ID, "")
		}
		require.NoError(t, w.admin.SetAccountDisabled(ctx, "acme", false))
		w.identity(key.ID, "")
	}
	require.Positive(t, made)
}

// TestPagesAreOfOneState: a change of the directory between two pages is seen whole.
func TestPagesAreOfOneState(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.crowd(3 * entriesPage)
	peer := &world{t: t, meta: w.meta, dir: NewDirectory(w.meta)}
	pages := 0
	w.meta.reading(func(q *metapb.Query) error {
		if q.GetEntries().GetAfterName() == "" {
			return nil
		}
		if pages++; pages == 2 {
			// One account goes from a page that was read, and the other comes to a page that was
			// not.
			gone := &metapb.EntryName{Kind: metapb.EntryKind_ENTRY_ACCOUNT, Name: "crowd-00000"}
			value, err := proto.Marshal(&metapb.Account{Id: "zone", Name: "zone"})
			require.NoError(t, err)
			_, err = w.meta.Propose(ctx, &metapb.Command{Op: &metapb.Command_WriteEntries{WriteEntries: &metapb.WriteEntries{
				Put: []*metapb.Entry{{Kind: metapb.EntryKind_ENTRY_ACCOUNT, Name: "zone", Value: value}}, Delete: []*metapb.EntryName{gone}}}})
			require.NoError(t, err)
		}
		return nil
	})
	w.account("acme")
	require.NoError(t, peer.dir.Refresh(ctx))
	require.Greater(t, pages, 2)
	require.NotNil(t, peer.dir.Get(metapb.EntryKind_ENTRY_ACCOUNT, "zone"))
	require.Nil(t, peer.dir.Get(metapb.EntryKind_ENTRY_ACCOUNT, "crowd-00000"))
}

// TestStaleNodesRefuse: a node that cannot learn of changes lets in only the cluster's root, which
// no change can disable.
func TestStaleNodesRefuse(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	_, key := w.account("acme")
	session, err := w.sts.SessionToken(ctx, w.identity(key.ID, ""), time.Hour)
	require.NoError(t, err)
	w.meta.reading(func(*metapb.Query) error { return errs.New("test", errs.Unavailable, errors.New("no leader")) })
	long := time.Now().Add(-2 * MaxAge)
	w.dir.loaded.Store(&long)
	w.refused(errs.Unavailable, key.ID, "")
	w.refused(errs.Unavailable, session.AccessKey, session.Token)
	w.identity(rootUser, "")
	require.GreaterOrEqual(t, w.dir.Age(), 2*MaxAge)
	w.meta.reading(nil)
	w.identity(key.ID, "")
	require.Less(t, w.dir.Age(), time.Hour)
}

// TestMadeIsToldAsMade: a change that was made is not reported as failed because the node could not
// read it at once. Until it has read it, it lets in nobody by what it knew before.
func TestMadeIsToldAsMade(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	_, key := w.account("acme")
	failures, proposed, trusted := 3, false, false
	w.meta.reading(func(*metapb.Query) error {
		if !proposed || failures == 0 {
			return nil
		}
		failures--
		trusted = trusted || w.dir.isCurrent()
		return errs.New("test", errs.Unavailable, errors.New("no leader"))
	})
	w.meta.mu.Lock()
	w.meta.before = func() { proposed = true }
	w.meta.mu.Unlock()
	require.NoError(t, w.admin.SetAccountDisabled(ctx, "acme", true))
	require.Zero(t, failures)
	require.False(t, trusted, "it would have decided by what it knew")
	w.refused(errs.NotFound, key.ID, "")
	// Nor if ctx ends before it is read.
	require.NoError(t, w.admin.SetAccountDisabled(ctx, "acme", false))
	w.meta.reading(func(*metapb.Query) error { return errs.New("test", errs.Unavailable, errors.New("no leader")) })
	w.dir.made.Store(w.dir.Revision() + 1)
	require.False(t, w.dir.isCurrent())
	w.refused(errs.Unavailable, key.ID, "")
}
