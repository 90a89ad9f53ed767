package admin

import (
	"context"
	"maps"
	"slices"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/node/tunable"
	"github.com/cairnstore/cairn/s3api/profile"
)

// The sources that the value of a setting may have. One that stands earlier here wins.
const (
	fromCluster = "cluster"
	fromNode    = "node"
	fromDefault = "default"
)

// OwnSettings are what a node's own settings say of what the cluster may change.
type OwnSettings struct {
	Knobs    map[string]string // Of the S3 API's profile; one that is absent follows compat.
	Tunables tunable.Values
	Defaults tunable.Values // What Tunables would be if nobody had set them.
}

// CheckSetting returns what is wrong with a setting of the cluster: a name that is none, or a value that is not
// allowed.
func CheckSetting(name, value string) error {
	if tunable.Has(name) {
		return tunable.Check(name, value)
	}
	return profile.Check(name, value)
}

// OfProfile returns those settings of the cluster that are no tunables: the knobs of the S3 API's profile.
func OfProfile(cluster map[string]string) map[string]string {
	out := maps.Clone(cluster)
	maps.DeleteFunc(out, func(name, _ string) bool { return tunable.Has(name) })
	return out
}

// InForce returns every setting that the cluster may change with the value that a node with these own settings
// has in force, and where that comes from.
func (o OwnSettings) InForce(cluster map[string]string) []*adminpb.Setting {
	return append(o.profile(cluster), o.tunables(cluster)...)
}

func (o OwnSettings) profile(cluster map[string]string) []*adminpb.Setting {
	// A value that this node cannot use is not in force. The node logs it.
	p, _ := profile.FromSettings(o.Knobs, OfProfile(cluster))
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
		case usable(o.Knobs, k.Name):
			out.Source = fromNode
		}
		return out
	})
}

func (o OwnSettings) tunables(cluster map[string]string) (out []*adminpb.Setting) {
	now, _ := tunable.Over(o.Tunables, cluster)
	for _, k := range tunable.Knobs() {
		s := &adminpb.Setting{Name: k.Name, Value: k.Value(&now), Source: fromDefault, Default: k.Value(&o.Defaults),
			Type: k.Type, Values: k.Values, Unit: k.Unit, Help: k.Help}
		if v, ok := cluster[k.Name]; ok && tunable.Check(k.Name, v) == nil {
			s.Source = fromCluster
		} else if k.Value(&o.Tunables) != s.Default {
			s.Source = fromNode
		}
		out = append(out, s)
	}
	return out
}

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

// ShowSetting implements AdminService.
func (s *service) ShowSetting(ctx context.Context, r *adminpb.ShowSettingRequest) (*adminpb.SettingEverywhere, error) {
	setting, err := s.setting(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	nodes, err := s.nodesNamed(ctx, "")
	if err != nil {
		return nil, err
	}
	out := &adminpb.SettingEverywhere{Setting: setting}
	for _, a := range ask(ctx, s, nodes, func(ctx context.Context, p Peer) (*adminpb.Settings, error) {
		return p.InForce(ctx, &adminpb.ListSettingsRequest{})
	}) {
		n := &adminpb.NodeSetting{Node: a.node.ID.String(), S3Addr: a.node.S3Addr, Error: a.why()}
		if a.got != nil {
			if of, err := oneSetting(a.got.Settings, r.Name); err != nil {
				n.Error = "it has no such setting: its version is older"
			} else {
				n.Value, n.Source = of.Value, of.Source
			}
		}
		out.Nodes = append(out.Nodes, n)
	}
	return out, nil
}

// SetSetting implements AdminService.
func (s *service) SetSetting(ctx context.Context, r *adminpb.SetSettingRequest) (*adminpb.Setting, error) {
	if err := s.knownSetting(ctx, r.Name); err != nil {
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

// settings returns every setting with the value in force on this node, and where that comes from.
func (s *service) settings(ctx context.Context) ([]*adminpb.Setting, error) {
	cluster, err := s.c.Settings.Settings(ctx)
	if err != nil {
		return nil, err
	}
	return s.c.Own.InForce(cluster), nil
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
