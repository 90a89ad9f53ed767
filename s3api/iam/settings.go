package iam

import (
	"context"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// SetSetting sets a setting for the whole cluster.
func (a *Admin) SetSetting(ctx context.Context, name, value string) error {
	if err := a.c.CheckSetting(name, value); err != nil {
		return err
	}
	return a.update(ctx, func(c *change) error {
		c.set(metapb.EntryKind_ENTRY_SETTING, name, &metapb.Setting{Value: value})
		return nil
	})
}

// ResetSetting removes a setting of the whole cluster, so that the settings of each node count
// again.
func (a *Admin) ResetSetting(ctx context.Context, name string) error {
	return a.update(ctx, func(c *change) error {
		if c.entry(metapb.EntryKind_ENTRY_SETTING, name) == nil {
			return errs.Newf("iam.ResetSetting", errs.NotFound, "the setting %q is not set for the cluster", name)
		}
		c.delete(metapb.EntryKind_ENTRY_SETTING, name)
		return nil
	})
}

// Settings returns the settings that are set for the whole cluster, by name.
func (a *Admin) Settings(ctx context.Context) (map[string]string, error) {
	s, err := a.read(ctx)
	if err != nil {
		return nil, err
	}
	return s.settingsByName(), nil
}
