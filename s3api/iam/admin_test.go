package iam

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/policy"
)

const readBucket = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*"}]}`

// TestAccounts walks the life of an account.
func TestAccounts(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	all, err := w.admin.Accounts(ctx)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, RootAccount, all[0].Id)

	acme, key, err := w.admin.AddAccount(ctx, AccountSpec{Name: "acme"})
	require.NoError(t, err)
	require.Regexp(t, "^[0-9a-f]{32}$", acme.Id)
	require.Regexp(t, "^AKIA[A-Z2-7]{16}$", key.ID)
	require.Len(t, key.Secret, 40)
	require.NotZero(t, acme.CreatedMs)
	other, _, err := w.peer().admin.AddAccount(ctx, AccountSpec{Name: "beta", ID: "beta-id", AccessKey: "beta-key", Secret: "beta-secret"})
	require.NoError(t, err)
	require.Equal(t, "beta-id", other.Id)
	for _, name := range []string{"acme", acme.Id} {
		found, err := w.admin.Account(ctx, name)
		require.NoError(t, err)
		require.Equal(t, "acme", found.Name)
	}
	all, err = w.admin.Accounts(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"acme", "beta", "cairn"}, []string{all[0].Name, all[1].Name, all[2].Name})

	for spec, kind := range map[AccountSpec]errs.Kind{
		{}:                                  errs.Invalid,
		{Name: "a/b"}:                       errs.Invalid,
		{Name: strings.Repeat("x", 65)}:     errs.Invalid,
		{Name: "acme"}:                      errs.Exists,
		{Name: acme.Id}:                     errs.Exists,
		{Name: "new", ID: acme.Id}:          errs.Exists,
		{Name: "new", ID: "acme"}:           errs.Exists,
		{Name: "cairn"}:                     errs.Exists,
		{Name: "new", ID: RootAccount}:      errs.Exists,
		{Name: "new", ID: "Capital"}:        errs.Invalid,
		{Name: "new", AccessKey: "new-key"}: errs.Invalid,
		{Name: "new", Secret: "new-secret"}: errs.Invalid,
		{Name: "new", AccessKey: "beta-key", Secret: "new-secret"}:  errs.Exists,
		{Name: "new", AccessKey: rootUser, Secret: "new-secret"}:    errs.Exists,
		{Name: "new", AccessKey: "ASIA2345", Secret: "new-secret"}:  errs.Invalid,
		{Name: "new", AccessKey: "a,b", Secret: "new-secret"}:       errs.Invalid,
		{Name: "new", AccessKey: "new-key", Secret: "short"}:        errs.Invalid,
		{Name: "new", AccessKey: "new-key", Secret: "with a blank"}: errs.Invalid,
		{Name: "new", AccessKey: "new-key", Secret: "with-ü-in-it"}: errs.Invalid,
	} {
		_, _, err := w.admin.AddAccount(ctx, spec)
		requireKind(t, kind, err)
		require.NotContains(t, err.Error(), "new-secret")
	}
	_, err = w.admin.Account(ctx, "new")
	requireKind(t, errs.NotFound, err)

	w.buckets[acme.Id] = true
	requireKind(t, errs.Precondition, w.admin.RemoveAccount(ctx, "acme", false))
	w.buckets[acme.Id] = false
	err = w.admin.RemoveAccount(ctx, "acme", false)
	requireKind(t, errs.Precondition, err)
	require.Contains(t, err.Error(), "account acme still has 1 access key;")
	require.NoError(t, w.admin.RemoveKey(ctx, key.ID))
	require.NoError(t, w.admin.RemoveAccount(ctx, "acme", false))
	requireKind(t, errs.NotFound, w.admin.RemoveAccount(ctx, "acme", false))

	w.user("beta", "bob")
	w.policy("beta", "p", readBucket)
	w.role("beta", "r", trustOf("*"), 0)
	_, err = w.admin.AddGroup(ctx, "beta", "g")
	require.NoError(t, err)
	requireKind(t, errs.Precondition, w.admin.RemoveAccount(ctx, "beta", false))
	require.NoError(t, w.admin.RemoveAccount(ctx, "beta", true))
	for _, kind := range append(ownedKinds, metapb.EntryKind_ENTRY_ACCESS_KEY) {
		require.Empty(t, w.dir.List(kind))
	}
	requireKind(t, errs.Invalid, w.admin.RemoveAccount(ctx, RootAccount, true))
	requireKind(t, errs.Invalid, w.admin.SetAccountDisabled(ctx, RootAccountName, true))
}

// A removal that others have come between looks for buckets again, too.
func TestBucketsAreLookedForAtEachTry(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	acme, key := w.account("acme")
	require.NoError(t, w.admin.RemoveKey(ctx, key.ID))
	other := w.peer()
	w.meta.before = func() {
		w.buckets[acme.Id] = true
		require.NoError(t, other.admin.SetAccountBuckets(ctx, "acme", 5))
	}
	err := w.admin.RemoveAccount(ctx, "acme", false)
	requireKind(t, errs.Precondition, err)
	require.Contains(t, err.Error(), "still has buckets")
	_, err = w.admin.Account(ctx, "acme")
	require.NoError(t, err)
	w.buckets[acme.Id] = false
	require.NoError(t, w.admin.RemoveAccount(ctx, "acme", false))
}

// TestAccountWithManyEntries removes an account that has more entries than one change removes.
func TestAccountWithManyEntries(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	acme, _ := w.account("acme")
	const users = maxRemovedAtOnce + 10
	var put []*metapb.Entry
	for i := range users {
		name := fmt.Sprintf("user-%04d", i)
		c := newChange(w.dir.current.Load())
		c.set(metapb.EntryKind_ENTRY_USER, path(acme.Id, name), &metapb.User{Account: acme.Id, Name: name, Id: name})
		put = append(put, values(c.put)...)
	}
	require.NoError(t, w.dir.Write(ctx, nil, put, nil))
	list, err := w.admin.Users(ctx, "acme")
	require.NoError(t, err)
	require.Len(t, list, users)
	require.NoError(t, w.admin.RemoveAccount(ctx, "acme", true))
	require.Empty(t, w.dir.List(metapb.EntryKind_ENTRY_USER))
	_, err = w.admin.Account(ctx, "acme")
	requireKind(t, errs.NotFound, err)
}

// TestUsersGroupsPolicies walks users, groups, roles and policies, and what they
// depend on.
func TestUsersGroupsPolicies(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.account("acme")
	w.account("beta")
	a := w.admin
	bob, key := w.user("acme", "bob", "readonly")
	require.Regexp(t, "^[0-9a-f]{32}$", bob.Id)
	_, err := a.AddUser(ctx, "acme", "bob")
	requireKind(t, errs.Exists, err)
	_, err = a.AddUser(ctx, "beta", "bob") // Of another account.
	require.NoError(t, err)
	_, err = a.AddUser(ctx, "nobody", "bob")
	requireKind(t, errs.NotFound, err)
	_, err = a.AddUser(ctx, "acme", "a b")
	requireKind(t, errs.Invalid, err)
	everyone, err := a.Users(ctx, "")
	require.NoError(t, err)
	require.Len(t, everyone, 2)

	w.policy("acme", "read", readBucket)
	requireKind(t, errs.Exists, a.AddPolicy(ctx, "acme", "read", readBucket))
	requireKind(t, errs.Invalid, a.AddPolicy(ctx, "acme", "broken", `{"Version":"2012-10-17","Statement":[{"Effect":"Perhaps"}]}`))
	requireKind(t, errs.Invalid, a.AddPolicy(ctx, "acme", "readonly", readBucket))
	requireKind(t, errs.NotFound, a.SetPolicy(ctx, "beta", "read", readBucket))
	_, err = a.AddGroup(ctx, "acme", "readers")
	require.NoError(t, err)
	_, err = a.AddGroup(ctx, "acme", "readers")
	requireKind(t, errs.Exists, err)
	w.role("acme", "reader", trustOf("*"), 0)
	_, err = a.AddRole(ctx, RoleSpec{Account: "acme", Name: "reader", Trust: trustOf("*")})
	requireKind(t, errs.Exists, err)
	for _, spec := range []RoleSpec{{Name: "r", Trust: readBucket}, {Name: "r/s", Trust: trustOf("*")}, {Name: "r", Trust: trustOf("*"), MaxSession: 1},
		{Name: "r", Trust: trustOf("*"), MaxSession: MaxRoleSession + 1}} {
		spec.Account = "acme"
		_, err := a.AddRole(ctx, spec)
		requireKind(t, errs.Invalid, err)
	}
	require.NoError(t, a.SetRole(ctx, RoleSpec{Account: "acme", Name: "reader", Trust: trustOf("acme"), MaxSession: MaxRoleSession}))
	r, err := a.Role(ctx, "acme", "reader")
	require.NoError(t, err)
	require.EqualValues(t, 43200, r.MaxSessionSeconds)
	roles, err := a.Roles(ctx, "acme")
	require.NoError(t, err)
	require.Len(t, roles, 1)

	holders := []Holder{{HolderUser, "bob"}, {HolderGroup, "readers"}, {HolderRole, "reader"}}
	for _, h := range holders {
		require.NoError(t, a.AttachPolicy(ctx, "acme", h, "read"))
		require.NoError(t, a.AttachPolicy(ctx, "acme", h, "read"), "attached already")
		requireKind(t, errs.NotFound, a.AttachPolicy(ctx, "acme", h, "none"))
		requireKind(t, errs.NotFound, a.AttachPolicy(ctx, "acme", Holder{h.Kind, "none"}, "read"))
		requireKind(t, errs.NotFound, a.DetachPolicy(ctx, "acme", h, "writeonly"))
	}
	requireKind(t, errs.Invalid, a.AttachPolicy(ctx, "acme", Holder{"bucket", "b"}, "read"))
	p, attached, err := a.Policy(ctx, "acme", "read")
	require.NoError(t, err)
	require.Equal(t, readBucket, p.Document)
	require.Equal(t, holders, attached)
	p, attached, err = a.Policy(ctx, "acme", "readonly")
	require.NoError(t, err)
	require.Contains(t, p.Document, "s3:Get*")
	require.Equal(t, holders[:1], attached)
	stored, err := a.Policies(ctx, "acme")
	require.NoError(t, err)
	require.Len(t, stored, 1)

	require.NoError(t, a.AddToGroup(ctx, "acme", "bob", "readers"))
	require.NoError(t, a.AddToGroup(ctx, "acme", "bob", "readers"))
	requireKind(t, errs.NotFound, a.AddToGroup(ctx, "acme", "bob", "writers"))
	requireKind(t, errs.NotFound, a.AddToGroup(ctx, "acme", "eve", "readers"))
	_, members, err := a.Group(ctx, "acme", "readers")
	require.NoError(t, err)
	require.Len(t, members, 1)
	require.NoError(t, a.RemoveFromGroup(ctx, "acme", "bob", "readers"))
	_, members, err = a.Group(ctx, "acme", "readers")
	require.NoError(t, err)
	require.Empty(t, members)
	require.NoError(t, a.AddToGroup(ctx, "acme", "bob", "readers"))
	groups, err := a.Groups(ctx, "acme")
	require.NoError(t, err)
	require.Len(t, groups, 1)
	require.Equal(t, []string{"admin", "readonly", "readwrite", "writeonly"}, BuiltinPolicies())

	id := w.identity(key.ID, "")
	request := &policy.Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::bucket/key", Principal: id.Principal()}
	require.Equal(t, policy.Allow, w.sts.authorizer.identityEffect(id, request, nil))
	require.NoError(t, a.SetPolicy(ctx, "acme", "read", strings.Replace(readBucket, "Allow", "Deny", 1)))
	require.Equal(t, policy.Deny, w.sts.authorizer.identityEffect(id, request, nil))

	requireKind(t, errs.Precondition, a.RemovePolicy(ctx, "acme", "read", false))
	requireKind(t, errs.Invalid, a.RemovePolicy(ctx, "acme", "readonly", true))
	require.NoError(t, a.DetachPolicy(ctx, "acme", holders[0], "read"))
	require.NoError(t, a.RemovePolicy(ctx, "acme", "read", true))
	_, _, err = a.Policy(ctx, "acme", "read")
	requireKind(t, errs.NotFound, err)
	require.Equal(t, policy.Allow, w.sts.authorizer.identityEffect(id, request, nil), "readonly is still attached")

	requireKind(t, errs.Precondition, a.RemoveGroup(ctx, "acme", "readers", false))
	require.NoError(t, a.RemoveGroup(ctx, "acme", "readers", true))
	requireKind(t, errs.NotFound, a.RemoveFromGroup(ctx, "acme", "bob", "readers"))
	requireKind(t, errs.NotFound, a.RemoveGroup(ctx, "acme", "readers", true))
	requireKind(t, errs.Precondition, a.RemoveUser(ctx, "acme", "bob", false))
	require.NoError(t, a.RemoveUser(ctx, "acme", "bob", true))
	_, err = a.Key(ctx, key.ID)
	requireKind(t, errs.NotFound, err)
	_, err = a.User(ctx, "acme", "bob")
	requireKind(t, errs.NotFound, err)
	require.NoError(t, a.RemoveRole(ctx, "acme", "reader"))
	requireKind(t, errs.NotFound, a.RemoveRole(ctx, "acme", "reader"))
	checkReferences(t, w)
}

// TestAccessKeys walks keys.
func TestAccessKeys(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	acme, own := w.account("acme")
	_, bobs := w.user("acme", "bob")
	given, err := w.admin.AddKey(ctx, KeySpec{Account: acme.Id, User: "bob", AccessKey: "my.key", Secret: "my-secret!", Description: "backup"})
	require.NoError(t, err)
	require.Equal(t, "my-secret!", given.Secret)
	for spec, kind := range map[KeySpec]errs.Kind{
		{Account: "nobody"}:            errs.NotFound,
		{Account: "acme", User: "eve"}: errs.NotFound,
		{Account: RootAccount}:         errs.Invalid,
		{Account: "acme", AccessKey: "my.key", Secret: "my-secret!"}: errs.Exists,
		{Account: "acme", Description: strings.Repeat("x", 257)}:     errs.Invalid,
		{Account: "acme", Description: "\xff"}:                       errs.Invalid,
	} {
		_, err := w.admin.AddKey(ctx, spec)
		requireKind(t, kind, err)
	}
	keys, err := w.admin.Keys(ctx, "acme", "bob")
	require.NoError(t, err)
	require.Equal(t, []AccessKey{bobs.AccessKey, given.AccessKey}, keys)
	keys, err = w.admin.Keys(ctx, "acme", "")
	require.NoError(t, err)
	require.Equal(t, []AccessKey{own.AccessKey}, keys)
	keys, err = w.admin.Keys(ctx, "", "")
	require.NoError(t, err)
	require.Len(t, keys, 3)
	_, err = w.admin.Keys(ctx, "acme", "eve")
	requireKind(t, errs.NotFound, err)

	require.NoError(t, w.admin.SetKeyDisabled(ctx, "my.key", true))
	k, err := w.admin.Key(ctx, "my.key")
	require.NoError(t, err)
	require.True(t, k.Disabled)
	require.NoError(t, w.admin.RemoveKey(ctx, "my.key"))
	requireKind(t, errs.NotFound, w.admin.RemoveKey(ctx, "my.key"))
	requireKind(t, errs.NotFound, w.admin.SetKeyDisabled(ctx, "my.key", true))

	for range MaxKeys - 1 {
		_, err := w.admin.AddKey(ctx, KeySpec{Account: "acme"})
		require.NoError(t, err)
	}
	_, err = w.admin.AddKey(ctx, KeySpec{Account: "acme"})
	requireKind(t, errs.Precondition, err)
}

// TestSettings walks settings.
func TestSettings(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	changes := 0
	w.dir.OnChange(func() { changes++ })
	require.NoError(t, w.admin.SetSetting(ctx, "compat", "aws"))
	requireKind(t, errs.Invalid, w.admin.SetSetting(ctx, "compat", "other"))
	requireKind(t, errs.Invalid, w.admin.SetSetting(ctx, "unheard-of", "x"))
	got, err := w.peer().admin.Settings(ctx)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"compat": "aws"}, got)
	require.Equal(t, 1, changes)
	require.NoError(t, w.admin.ResetSetting(ctx, "compat"))
	requireKind(t, errs.NotFound, w.admin.ResetSetting(ctx, "compat"))
	require.Empty(t, w.dir.Settings())
}

// TestAccountsAreAddedBesideOthers: somebody who adds an account is not crowded out by others who
// add accounts faster. But of two accounts with the same name, or where the id of one is the name
// of the other, only one is added.
func TestAccountsAreAddedBesideOthers(t *testing.T) {
	w := newWorld(t)
	peer := w.peer()
	others := 0
	var crowd func()
	crowd = func() { // It is called before every proposal but its own.
		others++
		_, _, err := peer.admin.AddAccount(t.Context(), AccountSpec{Name: fmt.Sprint("other-", others)})
		require.NoError(t, err)
		w.meta.mu.Lock()
		w.meta.before = crowd
		w.meta.mu.Unlock()
	}
	w.meta.mu.Lock()
	w.meta.before = crowd
	w.meta.mu.Unlock()
	_, _, err := w.admin.AddAccount(t.Context(), AccountSpec{Name: "slow"})
	require.NoError(t, err)
	require.Equal(t, 1, others, "nobody had to look again")

	for _, first := range []AccountSpec{{Name: "one"}, {Name: "two", ID: "three"}, {Name: "four"}} {
		for _, second := range []AccountSpec{{Name: first.Name}, {Name: "five", ID: first.Name}} {
			w.meta.mu.Lock()
			w.meta.before = func() {
				_, _, err := peer.admin.AddAccount(t.Context(), first)
				require.NoError(t, err)
			}
			w.meta.mu.Unlock()
			_, _, err = w.admin.AddAccount(t.Context(), second)
			requireKind(t, errs.Exists, err)
			require.NoError(t, w.admin.RemoveAccount(t.Context(), first.Name, true))
			w.meta.mu.Lock()
			w.meta.before = nil
			w.meta.mu.Unlock()
		}
	}
	require.Nil(t, w.dir.Get(metapb.EntryKind_ENTRY_ACCOUNT_NAME, "one"), "a name is free again")
	require.Nil(t, w.dir.Get(metapb.EntryKind_ENTRY_ACCOUNT_NAME, "three"))
}
