package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

func newConfig() *cobra.Command {
	return noun("config", "Settings that can be changed while the cluster runs",
		configList(), configGet(), configShow(), configSet(), configReset())
}

func configList() verb {
	return verb{
		use: "list", short: "List the settings and their values",
		long: `List the settings that can be changed while the cluster runs. SOURCE says where the
value comes from: the cluster (cairn config set), the settings of the node that
answers, or the default, which follows the setting compat.`,
		run: func(ctx context.Context, c api, _ io.Reader, _ []string) (*answer, error) {
			a, err := c.ListSettings(ctx, &adminpb.ListSettingsRequest{})
			return &answer{a, func(w io.Writer) {
				row(w, "SETTING", "VALUE", "SOURCE", "DEFAULT", "ALLOWED")
				for _, s := range a.Settings {
					row(w, s.Name, s.Value, s.Source, s.Default, allowed(s))
				}
			}}, err
		},
	}
}

func configGet() verb {
	return verb{
		use: "get SETTING [SETTING...]", short: "Print the values of settings, one a line",
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			a, err := c.ListSettings(ctx, &adminpb.ListSettingsRequest{Names: args})
			return &answer{a, func(w io.Writer) {
				for _, s := range a.Settings {
					fmt.Fprintln(w, s.Value)
				}
			}}, err
		},
	}
}

func configShow() verb {
	return verb{
		use: "show SETTING", short: "Show a setting, and what is in force on each node",
		long: `Show a setting, and what each node has in force. Where the cluster says nothing
(cairn config set), nodes may differ by their own settings.`,
		example: "  cairn config show repair-rate",
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			a, err := c.ShowSetting(ctx, &adminpb.ShowSettingRequest{Name: args[0]})
			if err != nil {
				return nil, err
			}
			about, _ := showSetting(a.Setting, nil)
			return &answer{a, func(w io.Writer) {
				about.table(w)
				row(w)
				row(w, "S3", "NODE", "VALUE", "SOURCE")
				for _, n := range a.Nodes {
					if n.Error != "" {
						row(w, n.S3Addr, n.Node, "-", n.Error)
						continue
					}
					row(w, n.S3Addr, n.Node, n.Value, n.Source)
				}
			}}, nil
		},
	}
}

func configSet() verb {
	return verb{
		use: "set SETTING VALUE", short: "Set a setting for the whole cluster",
		long: `Set a setting for the whole cluster. It holds on the node that answers at once, and
on every other one within a second or so.`,
		example: "  cairn config set compat aws\n  cairn config set repair-rate 32MiB\n  cairn config set lost-after 2h",
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			return showSetting(c.SetSetting(ctx, &adminpb.SetSettingRequest{Name: args[0], Value: args[1]}))
		},
	}
}

func configReset() verb {
	return verb{
		use: "reset SETTING", short: "Take back what was set for the cluster",
		long: "Take back what was set for the cluster: the settings of each node hold again, or the default.",
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			return showSetting(c.ResetSetting(ctx, &adminpb.ResetSettingRequest{Name: args[0]}))
		},
	}
}

func showSetting(s *adminpb.Setting, err error) (*answer, error) {
	return &answer{s, func(w io.Writer) {
		row(w, "setting", s.Name)
		row(w, "value", s.Value)
		row(w, "source", s.Source)
		row(w, "default", s.Default)
		row(w, "allowed", allowed(s))
		row(w, "meaning", s.Help)
	}}, err
}

func allowed(s *adminpb.Setting) string {
	if len(s.Values) > 0 {
		return strings.Join(s.Values, "|")
	}
	return s.Type
}
