package admin

import (
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

func TestMasterKeys(t *testing.T) {
	w := newWorld(t)
	acme, owner := w.account("acme")
	ctx, api := t.Context(), w.as(owner)
	k, err := w.as(root).CreateMasterKey(ctx, &adminpb.CreateMasterKeyRequest{Account: acme.Id, Id: "one", Alias: "photos", Description: "of the photos"})
	require.NoError(t, err)
	require.Equal(t, acme.Id, k.Account)
	require.Equal(t, "enabled", k.State)
	require.Empty(t, k.DeleteAt)

	change := func(name string, c adminpb.KeyChange, days uint32) (*adminpb.MasterKey, error) {
		return api.ChangeMasterKey(ctx, &adminpb.ChangeMasterKeyRequest{Id: name, Change: c, Days: days})
	}
	for _, name := range []string{"one", "alias/photos", k.Arn, "arn:aws:kms:here:" + acme.Id + ":alias/photos"} {
		k, err = api.ShowMasterKey(ctx, &adminpb.MasterKeyRef{Id: name})
		require.NoError(t, err, name)
		require.Equal(t, "one", k.Id)
	}
	for _, name := range []string{"arn:aws:kms:there:" + acme.Id + ":key/one", "arn:aws:kms:here:other:key/one", "here:cairn-root:key/one"} {
		_, err = w.as(root).ShowMasterKey(ctx, &adminpb.MasterKeyRef{Id: name})
		require.Equal(t, connect.CodeNotFound, connect.CodeOf(err), name)
	}
	k, err = change("alias/photos", adminpb.KeyChange_KEY_CHANGE_ROTATE, 0)
	require.NoError(t, err)
	require.Len(t, k.Versions, 2)
	for _, step := range []struct {
		change adminpb.KeyChange
		days   uint32
		state  string // Empty: refused.
		code   connect.Code
	}{
		{adminpb.KeyChange_KEY_CHANGE_NONE, 0, "", connect.CodeInvalidArgument},
		{adminpb.KeyChange_KEY_CHANGE_DISABLE, 0, "disabled", 0},
		{adminpb.KeyChange_KEY_CHANGE_ROTATE, 0, "", connect.CodePermissionDenied},
		{adminpb.KeyChange_KEY_CHANGE_ENABLE, 0, "enabled", 0},
		{adminpb.KeyChange_KEY_CHANGE_CANCEL_DELETION, 0, "", connect.CodeFailedPrecondition},
		{adminpb.KeyChange_KEY_CHANGE_SCHEDULE_DELETION, 6, "", connect.CodeInvalidArgument},
		{adminpb.KeyChange_KEY_CHANGE_SCHEDULE_DELETION, 1<<32 - 1, "", connect.CodeInvalidArgument},
		{adminpb.KeyChange_KEY_CHANGE_SCHEDULE_DELETION, 7, "pending-deletion", 0},
		{adminpb.KeyChange_KEY_CHANGE_ENABLE, 0, "", connect.CodeFailedPrecondition},
		{adminpb.KeyChange_KEY_CHANGE_CANCEL_DELETION, 0, "disabled", 0},
	} {
		k, err := change("one", step.change, step.days)
		if step.state == "" {
			require.Equal(t, step.code, connect.CodeOf(err), "%v", step.change)
			continue
		}
		require.NoError(t, err, "%v", step.change)
		require.Equal(t, step.state, k.State)
		require.Equal(t, step.state == "pending-deletion", k.DeleteAt != "")
	}

	k, err = api.SetKeyAlias(ctx, &adminpb.SetKeyAliasRequest{Id: "one", Alias: "alias/more"})
	require.NoError(t, err)
	require.Equal(t, []string{"more", "photos"}, k.Aliases)
	_, err = api.RemoveKeyAlias(ctx, &adminpb.RemoveKeyAliasRequest{Alias: "photos"})
	require.NoError(t, err)
	_, err = api.ShowMasterKey(ctx, &adminpb.MasterKeyRef{Id: "alias/photos"})
	require.Equal(t, connect.CodeNotFound, connect.CodeOf(err))

	_, err = w.as(root).CreateMasterKey(ctx, &adminpb.CreateMasterKeyRequest{Id: "roots"})
	require.NoError(t, err)
	own, err := api.ListMasterKeys(ctx, &adminpb.AccountRef{})
	require.NoError(t, err)
	require.Len(t, own.Keys, 1)
	every, err := w.as(root).ListMasterKeys(ctx, &adminpb.AccountRef{})
	require.NoError(t, err)
	require.Len(t, every.Keys, 2)
	one, err := w.as(root).ListMasterKeys(ctx, &adminpb.AccountRef{Account: "acme"})
	require.NoError(t, err)
	require.Len(t, one.Keys, 1)
}
