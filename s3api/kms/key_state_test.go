package kms

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

func TestStates(t *testing.T) {
	each(t, func(t *testing.T, s *Service, _ *fakeDirectory) {
		ctx := context.Background()
		id := create(t, s, "acc1", "x")
		k, e, d := wrapped(t, s, id)
		step := func(want errs.Kind, state string, f func() (*Key, error)) {
			t.Helper()
			got, err := f()
			if want != errs.Internal {
				require.Equal(t, want, errs.KindOf(err), "%v", err)
			} else {
				require.NoError(t, err)
				require.Equal(t, state, got.State)
			}
			shown, err := s.Show(id)
			require.NoError(t, err)
			require.Equal(t, state, shown.State)
			if state == "enabled" {
				requireOpens(t, k, e, d)
				return
			}
			requireRefused(t, errs.Denied, k, e)
			_, err = k.Wrap(ctx, d)
			require.Equal(t, errs.Denied, errs.KindOf(err))
			_, err = s.Resolve(ctx, "acc1", "alias/x")
			require.Equal(t, errs.Denied, errs.KindOf(err))
			_, err = s.Rotate(ctx, id)
			require.Equal(t, errs.Denied, errs.KindOf(err))
		}
		disable := func() (*Key, error) { return s.Disable(ctx, id) }
		enable := func() (*Key, error) { return s.Enable(ctx, id) }
		remove := func(days int) func() (*Key, error) {
			return func() (*Key, error) { return s.ScheduleDeletion(ctx, id, days) }
		}
		cancel := func() (*Key, error) { return s.CancelDeletion(ctx, id) }
		const ok = errs.Internal
		step(ok, "disabled", disable)
		step(ok, "disabled", disable)
		step(ok, "enabled", enable)
		step(errs.Precondition, "enabled", cancel)
		step(errs.Invalid, "enabled", remove(6))
		step(errs.Invalid, "enabled", remove(31))
		step(errs.Invalid, "enabled", remove(-1))
		step(ok, "pending-deletion", remove(7))
		step(errs.Precondition, "pending-deletion", remove(8))
		step(errs.Precondition, "pending-deletion", enable)
		step(errs.Precondition, "pending-deletion", disable)
		step(ok, "disabled", cancel)
		step(ok, "pending-deletion", remove(30))
		time.Sleep(30 * 24 * time.Hour)
		step(errs.Precondition, "pending-deletion", cancel)
	})
}

func TestPurge(t *testing.T) {
	each(t, func(t *testing.T, s *Service, dir *fakeDirectory) {
		ctx := context.Background()
		doomed, kept := create(t, s, "acc1", "doomed"), create(t, s, "acc1", "kept")
		require.NoError(t, s.SetAlias(ctx, "aws/s3", doomed))
		k, e, _ := wrapped(t, s, doomed)
		_, err := s.ScheduleDeletion(ctx, doomed, 7)
		require.NoError(t, err)
		due := time.Now().AddDate(0, 0, 7)
		for _, early := range []time.Time{time.Now(), due.Add(-time.Second), due.Add(purgeAfter - time.Second)} {
			deleted, err := s.Purge(ctx, early)
			require.NoError(t, err)
			require.Empty(t, deleted)
		}
		deleted, err := s.Purge(ctx, due.Add(purgeAfter))
		require.NoError(t, err)
		require.Equal(t, []string{doomed}, deleted)
		requireRefused(t, errs.NotFound, k, e)
		_, err = s.Resolve(ctx, "acc1", "alias/doomed")
		require.Equal(t, errs.NotFound, errs.KindOf(err))
		require.Len(t, dir.List(metapb.EntryKind_ENTRY_KEY_ALIAS), 1, "its aliases go with it")
		if f, ok := s.cfg.External.(*fakeExternal); ok {
			require.NotContains(t, f.keys, doomed)
		}
		fresh, err := s.Resolve(ctx, "acc1", "")
		require.NoError(t, err)
		require.NotEqual(t, doomed, fresh, "the account gets another default key")
		_, err = s.Resolve(ctx, "acc1", kept)
		require.NoError(t, err)
	})
}

func TestPurgeGoesOnAfterFailures(t *testing.T) {
	ctx, f, dir := context.Background(), newFakeExternal(), newFakeDirectory()
	s := New(dir, Config{Region: region, Root: testRoot(1), External: f, MinDeletionDays: -1})
	defer s.Close()
	a, b := create(t, s, "acc1", ""), create(t, s, "acc1", "")
	for _, id := range []string{a, b} {
		_, err := s.ScheduleDeletion(ctx, id, 0)
		require.NoError(t, err)
	}
	f.fail = errs.Newf("fake", errs.Unavailable, "sealed")
	deleted, err := s.Purge(ctx, time.Now().Add(time.Hour))
	require.Empty(t, deleted)
	require.ErrorContains(t, err, "sealed")
	f.fail = nil
	dir.before = func() { dir.edit(min(a, b), func(k *metapb.MasterKey) { k.Description = "changed" }) }
	deleted, err = s.Purge(ctx, time.Now().Add(time.Hour))
	require.Equal(t, []string{max(a, b)}, deleted)
	require.Equal(t, errs.Precondition, errs.KindOf(err))
}
