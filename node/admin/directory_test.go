package admin

import (
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

const (
	someDocument  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`
	otherDocument = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}]}`
)

func TestAccounts(t *testing.T) {
	w := newWorld(t)
	ctx, api := t.Context(), w.as(root)
	made, err := api.AddAccount(ctx, &adminpb.AddAccountRequest{Name: "acme", AccessKey: "acmekey", SecretKey: "acme-secret"})
	require.NoError(t, err)
	require.Equal(t, "acmekey", made.Key.Id)
	require.Equal(t, "acme-secret", made.Key.SecretKey)
	require.NotEmpty(t, made.Account.Created)

	list, err := api.ListAccounts(ctx, &adminpb.ListAccountsRequest{})
	require.NoError(t, err)
	require.Len(t, list.Accounts, 2) // The cluster's root too.
	require.Equal(t, "acme", list.Accounts[0].Name)

	a, err := api.SetAccountDisabled(ctx, &adminpb.SetAccountDisabledRequest{Account: "acme", Disabled: true})
	require.NoError(t, err)
	require.True(t, a.Disabled)
	a, err = api.ShowAccount(ctx, &adminpb.AccountRef{Account: made.Account.Id})
	require.NoError(t, err)
	require.True(t, a.Disabled)

	_, err = api.SetAccountDisabled(ctx, &adminpb.SetAccountDisabledRequest{Disabled: true})
	require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(err), "never the caller's own by leaving it out")
	_, err = api.RemoveAccount(ctx, &adminpb.RemoveAccountRequest{Force: true})
	require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(err))
	_, err = api.RemoveAccount(ctx, &adminpb.RemoveAccountRequest{Account: "acme"})
	require.Equal(t, connect.CodeFailedPrecondition, connect.CodeOf(err), "it has a key")
	_, err = api.RemoveAccount(ctx, &adminpb.RemoveAccountRequest{Account: "acme", Force: true})
	require.NoError(t, err)
	_, err = api.ShowAccount(ctx, &adminpb.AccountRef{Account: "acme"})
	require.Equal(t, connect.CodeNotFound, connect.CodeOf(err))
	require.ErrorContains(t, err, `not_found: there is no account with the name or id "acme"`)
}

func TestUsersGroupsAndPolicies(t *testing.T) {
	w := newWorld(t)
	acme, owner := w.account("acme")
	ctx, api := t.Context(), w.as(owner)

	u, err := api.AddUser(ctx, &adminpb.EntryRef{Name: "alice"})
	require.NoError(t, err)
	require.Equal(t, acme.Id, u.Account)
	require.Equal(t, "arn:aws:iam::"+acme.Id+":user/alice", u.Arn)
	_, err = api.AddGroup(ctx, &adminpb.EntryRef{Name: "staff"})
	require.NoError(t, err)
	g, err := api.SetGroupMember(ctx, &adminpb.SetGroupMemberRequest{Name: "staff", User: "alice", Member: true})
	require.NoError(t, err)
	require.Equal(t, []string{"alice"}, g.Users)

	p, err := api.AddPolicy(ctx, &adminpb.AddPolicyRequest{Name: "reader", Document: someDocument})
	require.NoError(t, err)
	require.Equal(t, someDocument, p.Document)
	require.False(t, p.Builtin)
	_, err = api.AddPolicy(ctx, &adminpb.AddPolicyRequest{Name: "reader", Document: otherDocument})
	require.Equal(t, connect.CodeAlreadyExists, connect.CodeOf(err))
	p, err = api.AddPolicy(ctx, &adminpb.AddPolicyRequest{Name: "reader", Document: otherDocument, Replace: true})
	require.NoError(t, err)
	require.Equal(t, otherDocument, p.Document)

	r, err := api.AddRole(ctx, &adminpb.AddRoleRequest{Name: "auditor", Trust: trustOf(acme.Id), MaxSessionSeconds: 7200})
	require.NoError(t, err)
	require.EqualValues(t, 7200, r.MaxSessionSeconds)
	r, err = api.AddRole(ctx, &adminpb.AddRoleRequest{Name: "auditor", Trust: trustOf(acme.Id), MaxSessionSeconds: 3600, Replace: true})
	require.NoError(t, err)
	require.EqualValues(t, 3600, r.MaxSessionSeconds)

	for _, to := range []*adminpb.SetPolicyAttachedRequest{{User: "alice"}, {Group: "staff"}, {Role: "auditor"}} {
		to.Name, to.Attached = "reader", true
		at, err := api.SetPolicyAttached(ctx, to)
		require.NoError(t, err)
		require.Equal(t, []string{"reader"}, at.Policies)
	}
	for _, to := range []*adminpb.SetPolicyAttachedRequest{{}, {User: "alice", Role: "auditor"}} {
		to.Name = "reader"
		_, err := api.SetPolicyAttached(ctx, to)
		require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(err))
	}
	p, err = api.ShowPolicy(ctx, &adminpb.EntryRef{Name: "reader"})
	require.NoError(t, err)
	require.Len(t, p.Attached, 3)
	u, err = api.ShowUser(ctx, &adminpb.EntryRef{Name: "alice"})
	require.NoError(t, err)
	require.Equal(t, []string{"staff"}, u.Groups)
	require.Equal(t, []string{"reader"}, u.Policies)

	all, err := api.ListPolicies(ctx, &adminpb.AccountRef{})
	require.NoError(t, err)
	require.Equal(t, "reader", all.Policies[0].Name)
	require.True(t, all.Policies[1].Builtin, "the built-in ones follow")
	require.Empty(t, all.Policies[1].Created)

	_, err = api.RemovePolicy(ctx, &adminpb.RemoveEntryRequest{Name: "reader"})
	require.Equal(t, connect.CodeFailedPrecondition, connect.CodeOf(err))
	at, err := api.SetPolicyAttached(ctx, &adminpb.SetPolicyAttachedRequest{Name: "reader", Role: "auditor"})
	require.NoError(t, err)
	require.Empty(t, at.Policies)
	_, err = api.RemovePolicy(ctx, &adminpb.RemoveEntryRequest{Name: "reader", Force: true})
	require.NoError(t, err)
	g, err = api.ShowGroup(ctx, &adminpb.EntryRef{Name: "staff"})
	require.NoError(t, err)
	require.Empty(t, g.Policies)

	_, err = api.RemoveGroup(ctx, &adminpb.RemoveEntryRequest{Name: "staff"})
	require.Equal(t, connect.CodeFailedPrecondition, connect.CodeOf(err))
	_, err = api.SetGroupMember(ctx, &adminpb.SetGroupMemberRequest{Name: "staff", User: "alice"})
	require.NoError(t, err)
	_, err = api.RemoveGroup(ctx, &adminpb.RemoveEntryRequest{Name: "staff"})
	require.NoError(t, err)
	_, err = api.RemoveRole(ctx, &adminpb.EntryRef{Name: "auditor"})
	require.NoError(t, err)
	u, err = api.SetUserDisabled(ctx, &adminpb.SetUserDisabledRequest{Name: "alice", Disabled: true})
	require.NoError(t, err)
	require.True(t, u.Disabled)
	_, err = api.RemoveUser(ctx, &adminpb.RemoveEntryRequest{Name: "alice"})
	require.NoError(t, err)
	users, err := api.ListUsers(ctx, &adminpb.AccountRef{})
	require.NoError(t, err)
	require.Empty(t, users.Users)
}

func trustOf(account string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + account +
		`:root"},"Action":"sts:AssumeRole"}]}`
}

func TestAccessKeys(t *testing.T) {
	w := newWorld(t)
	_, owner := w.account("acme")
	_, other := w.account("other")
	ctx, api := t.Context(), w.as(owner)
	_, err := api.AddUser(ctx, &adminpb.EntryRef{Name: "alice"})
	require.NoError(t, err)
	made, err := api.AddAccessKey(ctx, &adminpb.AddAccessKeyRequest{User: "alice", Description: "laptop"})
	require.NoError(t, err)
	require.NotEmpty(t, made.SecretKey)

	list, err := api.ListAccessKeys(ctx, &adminpb.ListAccessKeysRequest{})
	require.NoError(t, err)
	require.Len(t, list.Keys, 2, "the account's and the user's, not those of %s", other.Account)
	list, err = api.ListAccessKeys(ctx, &adminpb.ListAccessKeysRequest{User: "alice"})
	require.NoError(t, err)
	require.Len(t, list.Keys, 1)
	require.Equal(t, "laptop", list.Keys[0].Description)
	require.Empty(t, list.Keys[0].SecretKey, "told once")

	k, err := api.SetAccessKeyDisabled(ctx, &adminpb.SetAccessKeyDisabledRequest{Id: made.Id, Disabled: true})
	require.NoError(t, err)
	require.True(t, k.Disabled)
	_, err = api.RemoveAccessKey(ctx, &adminpb.AccessKeyRef{Id: made.Id})
	require.NoError(t, err)
	_, err = api.ShowAccessKey(ctx, &adminpb.AccessKeyRef{Id: made.Id})
	require.Equal(t, connect.CodeNotFound, connect.CodeOf(err))
}
