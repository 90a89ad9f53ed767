package admin

import (
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/s3api/profile"
)

func TestSettings(t *testing.T) {
	w := newWorld(t)
	w.knobs["server-header"] = "Store"
	ctx, api := t.Context(), w.as(root)
	get := func(name string) *adminpb.Setting {
		s, err := api.ListSettings(ctx, &adminpb.ListSettingsRequest{Names: []string{name}})
		require.NoError(t, err)
		require.Len(t, s.Settings, 1)
		return s.Settings[0]
	}
	all, err := api.ListSettings(ctx, &adminpb.ListSettingsRequest{})
	require.NoError(t, err)
	require.Len(t, all.Settings, len(profile.Knobs()))

	require.Equal(t, []string{"obs", "default"}, []string{get("compat").Value, get("compat").Source})
	require.Equal(t, []string{"Store", "node"}, []string{get("server-header").Value, get("server-header").Source})
	s, err := api.SetSetting(ctx, &adminpb.SetSettingRequest{Name: "compat", Value: "aws"})
	require.NoError(t, err)
	require.Equal(t, []string{"aws", "cluster", "obs"}, []string{s.Value, s.Source, s.Default})
	require.Equal(t, []string{"off", "default", "off"},
		[]string{get("reserved-header").Value, get("reserved-header").Source, get("reserved-header").Default}, "follows compat")
	_, err = api.SetSetting(ctx, &adminpb.SetSettingRequest{Name: "server-header", Value: "Cluster"})
	require.NoError(t, err)
	require.Equal(t, []string{"Cluster", "cluster"}, []string{get("server-header").Value, get("server-header").Source})
	s, err = api.ResetSetting(ctx, &adminpb.ResetSettingRequest{Name: "server-header"})
	require.NoError(t, err)
	require.Equal(t, []string{"Store", "node"}, []string{s.Value, s.Source})

	for _, c := range []struct {
		name, value string
		code        connect.Code
	}{
		{"compat", "gcs", connect.CodeInvalidArgument},
		{"min-part", "-1", connect.CodeInvalidArgument},
		{"root-password", "x", connect.CodeNotFound},
	} {
		_, err := api.SetSetting(ctx, &adminpb.SetSettingRequest{Name: c.name, Value: c.value})
		require.Equal(t, c.code, connect.CodeOf(err), c.name)
	}
	_, err = api.ListSettings(ctx, &adminpb.ListSettingsRequest{Names: []string{"compat", "nix"}})
	require.Equal(t, connect.CodeNotFound, connect.CodeOf(err))
	_, err = api.ResetSetting(ctx, &adminpb.ResetSettingRequest{Name: "min-part"})
	require.Equal(t, connect.CodeNotFound, connect.CodeOf(err), "not set for the cluster")
}
