package admin

import (
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/node/tunable"
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
	require.Len(t, all.Settings, len(profile.Knobs())+len(tunable.Knobs()))

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
		{"repair-rate", "fast", connect.CodeInvalidArgument},
		{"scrub-interval", "1ms", connect.CodeInvalidArgument},
		{"log-level", "loud", connect.CodeInvalidArgument},
	} {
		_, err := api.SetSetting(ctx, &adminpb.SetSettingRequest{Name: c.name, Value: c.value})
		require.Equal(t, c.code, connect.CodeOf(err), c.name)
	}
	_, err = api.ListSettings(ctx, &adminpb.ListSettingsRequest{Names: []string{"compat", "nix"}})
	require.Equal(t, connect.CodeNotFound, connect.CodeOf(err))
	_, err = api.ResetSetting(ctx, &adminpb.ResetSettingRequest{Name: "min-part"})
	require.Equal(t, connect.CodeNotFound, connect.CodeOf(err), "not set for the cluster")
}

// What turns a node's background work: the cluster's word, else the node's own, else the default; and what each
// node says that it has in force.
func TestTunables(t *testing.T) {
	w := newWorld(t)
	w.fake(testNode(2)).silent.Store(true)
	ctx, api := t.Context(), w.as(root)
	show := func(name string) []string {
		s, err := api.ShowSetting(ctx, &adminpb.ShowSettingRequest{Name: name})
		require.NoError(t, err)
		require.Len(t, s.Nodes, testNodes)
		require.Contains(t, s.Nodes[1].Error, "its disk hangs")
		return []string{s.Setting.Value, s.Setting.Source, s.Nodes[0].Value, s.Nodes[0].Source, s.Nodes[0].Error}
	}
	require.Equal(t, []string{"1MiB", "node", "1MiB", "node", ""}, show("repair-rate"))
	_, err := api.SetSetting(ctx, &adminpb.SetSettingRequest{Name: "repair-rate", Value: "32MiB"})
	require.NoError(t, err)
	require.Equal(t, []string{"32MiB", "cluster", "1MiB", "node", ""}, show("repair-rate"))
	require.Equal(t, []string{"info", "default", "", "", "it has no such setting: its version is older"},
		show("log-level"))
	_, err = api.ResetSetting(ctx, &adminpb.ResetSettingRequest{Name: "repair-rate"})
	require.NoError(t, err)
	require.Equal(t, "1MiB", show("repair-rate")[0])
	_, err = api.ShowSetting(ctx, &adminpb.ShowSettingRequest{Name: "nix"})
	require.Equal(t, connect.CodeNotFound, connect.CodeOf(err))
}
