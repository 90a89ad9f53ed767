package iam

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/cluster/errs"
)

// TestReferencesProperty has two nodes change a small directory. The second one makes its change
// after the first has read the directory and before it writes. Whatever they do, no entry refers to
// one that is gone.
func TestReferencesProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		peer := w.peer()
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			second := step(rt, "second", peer.admin)
			w.meta.mu.Lock()
			w.meta.before = func() { _ = second() }
			w.meta.mu.Unlock()
			switch err := step(rt, "first", w.admin)(); errs.KindOf(err) {
			case errs.Internal, errs.Unavailable, errs.Corrupt, errs.Unknown:
				if err != nil {
					rt.Fatalf("%v", err)
				}
			}
			checkReferences(rt, w)
		}
	})
}

// step draws one change.
func step(t *rapid.T, label string, a *Admin) func() error {
	ctx := context.Background()
	pick := func(what string, from ...string) string { return rapid.SampledFrom(from).Draw(t, label+" "+what) }
	account := pick("account", "acme", "beta")
	user, group := pick("user", "ann", "bob"), pick("group", "g", "h")
	policy := pick("policy", "p", "q", "readonly")
	holder := Holder{HolderKind(pick("kind", "user", "group", "role")), ""}
	switch holder.Kind {
	case HolderUser:
		holder.Name = user
	case HolderGroup:
		holder.Name = group
	case HolderRole:
		holder.Name = "r"
	}
	force := rapid.Bool().Draw(t, label+" force")
	changes := []func() error{
		func() error { _, _, err := a.AddAccount(ctx, AccountSpec{Name: account}); return err },
		func() error { _, err := a.AddUser(ctx, account, user); return err },
		func() error { _, err := a.AddGroup(ctx, account, group); return err },
		func() error { return a.AddPolicy(ctx, account, policy, readBucket) },
		func() error { return a.SetPolicy(ctx, account, policy, mayAssume) },
		func() error {
			_, err := a.AddRole(ctx, RoleSpec{Account: account, Name: "r", Trust: trustOf("*")})
			return err
		},
		func() error { _, err := a.AddKey(ctx, KeySpec{Account: account, User: user}); return err },
		func() error { return a.AttachPolicy(ctx, account, holder, policy) },
		func() error { return a.AddToGroup(ctx, account, user, group) },
		func() error { return a.DetachPolicy(ctx, account, holder, policy) },
		func() error { return a.RemoveFromGroup(ctx, account, user, group) },
		func() error { return a.RemovePolicy(ctx, account, policy, force) },
		func() error { return a.RemoveGroup(ctx, account, group, force) },
		func() error { return a.RemoveRole(ctx, account, "r") },
		func() error { return a.RemoveUser(ctx, account, user, force) },
		func() error { return a.RemoveAccount(ctx, account, force) },
	}
	return changes[rapid.IntRange(0, len(changes)-1).Draw(t, label)]
}

// checkReferences checks that no entry of the directory refers to one that does not exist.
func checkReferences(t require.TestingT, w *world) {
	require.NoError(t, w.dir.Refresh(context.Background()))
	s := w.dir.current.Load()
	names := map[string]bool{}
	for _, a := range s.accounts.all() {
		require.False(t, names[a.Name], "two accounts are called %s", a.Name)
		names[a.Name] = true
	}
	policies := func(account string, attached []string) {
		for _, p := range attached {
			require.NotNil(t, s.findPolicy(account, p), "policy %s of account %s is attached and gone", p, account)
		}
	}
	for _, u := range s.users.all() {
		require.NotNil(t, s.account(u.Account), "user %s without account", u.Name)
		policies(u.Account, u.Policies)
		for _, g := range u.Groups {
			require.NotNil(t, s.groups.get(path(u.Account, g)), "user %s in group %s, which is gone", u.Name, g)
		}
	}
	for _, g := range s.groups.all() {
		require.NotNil(t, s.account(g.Account), "group %s without account", g.Name)
		policies(g.Account, g.Policies)
	}
	for _, r := range s.roles.all() {
		require.NotNil(t, s.account(r.Account), "role %s without account", r.Name)
		policies(r.Account, r.Policies)
	}
	for _, p := range s.policies.all() {
		require.NotNil(t, s.account(p.Account), "policy %s without account", p.Name)
	}
	for _, k := range s.keys.all() {
		require.NotNil(t, s.account(k.Account), "key %s without account", k.Id)
		require.True(t, k.User == "" || s.users.get(path(k.Account, k.User)) != nil, "key %s without user", k.Id)
	}
}

// TestAdminsAtOnce has nodes change the same things at the same time.
func TestAdminsAtOnce(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.account("acme")
	const nodes = 4
	added := make([]error, nodes)
	var group sync.WaitGroup
	for i := range nodes {
		peer := w.peer()
		group.Go(func() {
			_, _, added[i] = peer.admin.AddAccount(ctx, AccountSpec{Name: "beta"})
			for n := range 3 {
				_, err := peer.admin.AddUser(ctx, "acme", fmt.Sprintf("user-%d-%d", i, n))
				if err != nil {
					t.Errorf("AddUser: %v", err)
				}
			}
		})
	}
	group.Wait()
	made := 0
	for _, err := range added {
		if err == nil {
			made++
			continue
		}
		requireKind(t, errs.Exists, err)
	}
	require.Equal(t, 1, made)
	users, err := w.admin.Users(ctx, "acme")
	require.NoError(t, err)
	require.Len(t, users, 3*nodes)
	checkReferences(t, w)
}
