package admin

import (
	"context"
	"slices"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/s3api/profile"
)

// The sources that the value of a setting may have. One that stands earlier here wins.
const (
	fromCluster = "cluster"
	fromNode    = "node"
	fromDefault = "default"
)

// ListSettings implements AdminService.
func (s *service) ListSettings(ctx context.Context, r *adminpb.ListSettingsRequest) (*adminpb.Settings, error) {
	all, err := s.settings(ctx)
	if err != nil || len(r.Names) == 0 {
		return &adminpb.Settings{Settings: all}, err
	}
	out := &adminpb.Settings{}
	for _, name := range r.Names {
		found, err := oneSetting(all, name)
		if err != nil {
			return nil, err
		}
		out.Settings = append(out.Settings, found)
	}
	return out, nil
}

// SetSetting implements AdminService.
func (s *service) SetSetting(ctx context.Context, r *adminpb.SetSettingRequest) (*adminpb.Setting, error) {
	if err := s.knownSetting(ctx, r.Name); err != nil {
		return nil, err
	}
	if err := profile.Check(r.Name, r.Value); err != nil {
		return nil, err
	}
	if err := s.c.Settings.SetSetting(ctx, r.Name, r.Value); err != nil {
		return nil, err
	}
	return s.setting(ctx, r.Name)
}

// ResetSetting implements AdminService.
func (s *service) ResetSetting(ctx context.Context, r *adminpb.ResetSettingRequest) (*adminpb.Setting, error) {
	if err := s.knownSetting(ctx, r.Name); err != nil {
		return nil, err
	}
	if err := s.c.Settings.ResetSetting(ctx, r.Name); err != nil {
		return nil, err
	}
	return s.setting(ctx, r.Name)
}

// settings returns every knob with the value in force, and where that comes from.
func (s *service) settings(ctx context.Context) ([]*adminpb.Setting, error) {
	cluster, err := s.c.Settings.Settings(ctx)
	if err != nil {
		return nil, err
	}
	// A value that this node cannot use is not in force. The node logs it.
	p, _ := profile.FromSettings(s.c.NodeKnobs, cluster)
	usable := func(settings map[string]string, name string) bool {
		v, ok := settings[name]
		return ok && profile.Check(name, v) == nil
	}
	return each(profile.Knobs(), func(k profile.Knob) *adminpb.Setting {
		out := &adminpb.Setting{Name: k.Name, Value: k.Value(p), Source: fromDefault, Default: k.Default(p.Compat),
			Type: k.Type, Values: k.Values, Unit: k.Unit, Help: k.Help}
		if k.Name == profile.CompatKnob {
			out.Default = k.OBS
		}
		switch {
		case usable(cluster, k.Name):
			out.Source = fromCluster
		case usable(s.c.NodeKnobs, k.Name):
			out.Source = fromNode
		}
		return out
	}), nil
}

func (s *service) setting(ctx context.Context, name string) (*adminpb.Setting, error) {
	all, err := s.settings(ctx)
	if err != nil {
		return nil, err
	}
	return oneSetting(all, name)
}

func (s *service) knownSetting(ctx context.Context, name string) error {
	_, err := s.setting(ctx, name)
	return err
}

func oneSetting(all []*adminpb.Setting, name string) (*adminpb.Setting, error) {
	i := slices.IndexFunc(all, func(k *adminpb.Setting) bool { return k.Name == name })
	if i < 0 {
		return nil, errs.Newf("admin.setting", errs.NotFound, "there is no setting %q that can be changed while the cluster runs; `cairn config list` has them", name)
	}
	return all[i], nil
}
