package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

func newGroup() *cobra.Command {
	return noun("group", "Groups of users, which share policies", groupAdd(), groupList(), groupShow(),
		groupMember("add-user", "Make a user one of a group", true),
		groupMember("remove-user", "Take a user out of a group", false), groupRemove())
}

func groupAdd() verb {
	var account string
	return verb{
		use: "add GROUP", short: "Make a group",
		flags: func(cmd *cobra.Command) { accountFlag(cmd, &account) },
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			return showGroup(c.AddGroup(ctx, &adminpb.EntryRef{Account: account, Name: args[0]}))
		},
	}
}

func groupList() verb {
	var account string
	return verb{
		use: "list", short: "List the groups of an account",
		flags: func(cmd *cobra.Command) { accountFlag(cmd, &account) },
		run: func(ctx context.Context, c api, _ io.Reader, _ []string) (*answer, error) {
			a, err := c.ListGroups(ctx, &adminpb.AccountRef{Account: account})
			return &answer{a, func(w io.Writer) {
				row(w, "GROUP", "POLICIES", "CREATED")
				for _, g := range a.Groups {
					row(w, g.Name, g.Policies, g.Created)
				}
			}}, err
		},
	}
}

func groupShow() verb {
	var account string
	return verb{
		use: "show GROUP", short: "Show a group and its users",
		flags: func(cmd *cobra.Command) { accountFlag(cmd, &account) },
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			return showGroup(c.ShowGroup(ctx, &adminpb.EntryRef{Account: account, Name: args[0]}))
		},
	}
}

func groupMember(name, short string, member bool) verb {
	var account string
	return verb{
		use: name + " GROUP USER", short: short,
		flags: func(cmd *cobra.Command) { accountFlag(cmd, &account) },
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			return showGroup(c.SetGroupMember(ctx, &adminpb.SetGroupMemberRequest{Account: account, Name: args[0], User: args[1], Member: member}))
		},
	}
}

func groupRemove() verb {
	var account string
	var force bool
	return verb{
		use: "remove GROUP", short: "Remove a group",
		long: "Remove a group. One that has users is refused without --force.",
		flags: func(cmd *cobra.Command) {
			accountFlag(cmd, &account)
			forceFlag(cmd, &force, "take its users out of it first")
		},
		destroys: func(args []string) string { return fmt.Sprintf("Group %s will be removed.", args[0]) },
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			a, err := c.RemoveGroup(ctx, &adminpb.RemoveEntryRequest{Account: account, Name: args[0], Force: force})
			return done(a, err, "group %s removed", args[0])
		},
	}
}

func showGroup(g *adminpb.Group, err error) (*answer, error) {
	return &answer{g, func(w io.Writer) {
		row(w, "group", g.Name)
		row(w, "account", g.Account)
		row(w, "users", g.Users)
		row(w, "policies", g.Policies)
		row(w, "created", g.Created)
	}}, err
}
