package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

func newUser() *cobra.Command {
	return noun("user", "Users inside an account", userAdd(), userList(), userShow(),
		userSet("disable", "Disable a user: the user's keys and sessions are refused", true),
		userSet("enable", "Enable a user again", false), userRemove())
}

func userAdd() verb {
	var account string
	return verb{
		use: "add USER", short: "Make a user, who may do nothing yet",
		long: `Make a user, who may do nothing yet: give the user a policy (cairn policy attach) or
a group (cairn group add-user), and an access key (cairn accesskey add --user).`,
		flags: func(cmd *cobra.Command) { accountFlag(cmd, &account) },
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			return showUser(c.AddUser(ctx, &adminpb.EntryRef{Account: account, Name: args[0]}))
		},
	}
}

func userList() verb {
	var account string
	return verb{
		use: "list", short: "List the users of an account",
		flags: func(cmd *cobra.Command) { accountFlag(cmd, &account) },
		run: func(ctx context.Context, c api, _ io.Reader, _ []string) (*answer, error) {
			a, err := c.ListUsers(ctx, &adminpb.AccountRef{Account: account})
			return &answer{a, func(w io.Writer) {
				row(w, "USER", "STATE", "GROUPS", "POLICIES", "CREATED")
				for _, u := range a.Users {
					row(w, u.Name, inState(u.Disabled), u.Groups, u.Policies, u.Created)
				}
			}}, err
		},
	}
}

func userShow() verb {
	var account string
	return verb{
		use: "show USER", short: "Show a user",
		flags: func(cmd *cobra.Command) { accountFlag(cmd, &account) },
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			return showUser(c.ShowUser(ctx, &adminpb.EntryRef{Account: account, Name: args[0]}))
		},
	}
}

func userSet(name, short string, disabled bool) verb {
	var account string
	return verb{
		use: name + " USER", short: short,
		flags: func(cmd *cobra.Command) { accountFlag(cmd, &account) },
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			return showUser(c.SetUserDisabled(ctx, &adminpb.SetUserDisabledRequest{Account: account, Name: args[0], Disabled: disabled}))
		},
	}
}

func userRemove() verb {
	var account string
	var force bool
	return verb{
		use: "remove USER", short: "Remove a user",
		long: "Remove a user. One that has access keys is refused without --force.",
		flags: func(cmd *cobra.Command) {
			accountFlag(cmd, &account)
			forceFlag(cmd, &force, "remove the user's access keys too")
		},
		destroys: func(args []string) string { return fmt.Sprintf("User %s will be removed.", args[0]) },
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			a, err := c.RemoveUser(ctx, &adminpb.RemoveEntryRequest{Account: account, Name: args[0], Force: force})
			return done(a, err, "user %s removed", args[0])
		},
	}
}

func showUser(u *adminpb.User, err error) (*answer, error) {
	return &answer{u, func(w io.Writer) {
		row(w, "user", u.Name)
		row(w, "id", u.Id)
		row(w, "arn", u.Arn)
		row(w, "account", u.Account)
		row(w, "state", inState(u.Disabled))
		row(w, "groups", u.Groups)
		row(w, "policies", u.Policies)
		row(w, "created", u.Created)
	}}, err
}
