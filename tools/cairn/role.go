package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

func newRole() *cobra.Command {
	return noun("role", "Roles, which others may assume for a while (STS AssumeRole)",
		roleAdd(), roleList(), roleShow(), roleRemove())
}

func roleAdd() verb {
	var account, trust string
	var longest time.Duration
	var replace bool
	return verb{
		use: "add ROLE", short: "Make a role",
		long: `Make a role. The trust policy says who may assume it; what it may do then follows
from the policies attached to it (cairn policy attach --role).`,
		example: "  cairn role add auditor --trust trust.json --max-session 2h",
		flags: func(cmd *cobra.Command) {
			accountFlag(cmd, &account)
			cmd.Flags().StringVar(&trust, "trust", "", "file with the trust policy (JSON); - is standard input (required)")
			cmd.Flags().DurationVar(&longest, "max-session", time.Hour, "longest session, 1h to 12h")
			cmd.Flags().BoolVar(&replace, "replace", false, "change the trust policy and the longest session of a role that is there")
		},
		run: func(ctx context.Context, c api, in io.Reader, args []string) (*answer, error) {
			document, err := readText(in, "trust", trust)
			if err != nil {
				return nil, err
			}
			if longest < time.Second || longest > 24*time.Hour {
				return nil, &statusError{exitUsage, fmt.Errorf("--max-session %v: 1h to 12h", longest)}
			}
			return showRole(c.AddRole(ctx, &adminpb.AddRoleRequest{Account: account, Name: args[0], Trust: document,
				MaxSessionSeconds: uint32(longest / time.Second), Replace: replace}))
		},
	}
}

func roleList() verb {
	var account string
	return verb{
		use: "list", short: "List the roles of an account",
		flags: func(cmd *cobra.Command) { accountFlag(cmd, &account) },
		run: func(ctx context.Context, c api, _ io.Reader, _ []string) (*answer, error) {
			a, err := c.ListRoles(ctx, &adminpb.AccountRef{Account: account})
			return &answer{a, func(w io.Writer) {
				row(w, "ROLE", "LONGEST SESSION", "POLICIES", "CREATED")
				for _, r := range a.Roles {
					row(w, r.Name, seconds(r.MaxSessionSeconds), r.Policies, r.Created)
				}
			}}, err
		},
	}
}

func roleShow() verb {
	var account string
	return verb{
		use: "show ROLE", short: "Show a role and who may assume it",
		flags: func(cmd *cobra.Command) { accountFlag(cmd, &account) },
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			return showRole(c.ShowRole(ctx, &adminpb.EntryRef{Account: account, Name: args[0]}))
		},
	}
}

func roleRemove() verb {
	var account string
	return verb{
		use: "remove ROLE", short: "Remove a role and end its sessions",
		flags: func(cmd *cobra.Command) { accountFlag(cmd, &account) },
		destroys: func(args []string) string {
			return fmt.Sprintf("Role %s will be removed and its sessions end.", args[0])
		},
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			a, err := c.RemoveRole(ctx, &adminpb.EntryRef{Account: account, Name: args[0]})
			return done(a, err, "role %s removed", args[0])
		},
	}
}

func showRole(r *adminpb.Role, err error) (*answer, error) {
	return &answer{r, func(w io.Writer) {
		row(w, "role", r.Name)
		row(w, "arn", r.Arn)
		row(w, "account", r.Account)
		row(w, "longest session", seconds(r.MaxSessionSeconds))
		row(w, "policies", r.Policies)
		row(w, "created", r.Created)
		fmt.Fprintf(w, "\n%s\n", indented(r.Trust))
	}}, err
}

func seconds(n uint32) string { return (time.Duration(n) * time.Second).String() }
