package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

func newAccessKey() *cobra.Command {
	return noun("accesskey", "Access keys of accounts and users", keyAdd(), keyList(), keyShow(),
		keySet("disable", "Disable an access key and the sessions made with it", true),
		keySet("enable", "Enable an access key again", false), keyRemove())
}

func keyAdd() verb {
	var keys newKeys
	var account, user, description string
	return verb{
		use: "add", short: "Make an access key", ownKeys: true,
		long:    "Make an access key of a user, or of the account itself.\n\n" + ownKeysHelp,
		example: "  cairn accesskey add --user alice",
		flags: func(cmd *cobra.Command) {
			accountFlag(cmd, &account)
			keys.flags(cmd)
			cmd.Flags().StringVar(&user, "user", "", "whose key it is (default: the account's own)")
			cmd.Flags().StringVar(&description, "description", "", "what it is for (default: nothing said)")
		},
		run: func(ctx context.Context, c api, in io.Reader, _ []string) (*answer, error) {
			if err := keys.read(in); err != nil {
				return nil, err
			}
			k, err := c.AddAccessKey(ctx, &adminpb.AddAccessKeyRequest{Account: account, User: user,
				AccessKey: keys.access, SecretKey: keys.secret, Description: description})
			return &answer{k, func(w io.Writer) {
				row(w, "account", k.Account)
				row(w, "user", k.User)
				printNewKey(w, k)
			}}, err
		},
	}
}

func keyList() verb {
	var account, user string
	return verb{
		use: "list", short: "List the access keys of an account or a user",
		flags: func(cmd *cobra.Command) {
			accountFlag(cmd, &account)
			cmd.Flags().StringVar(&user, "user", "", "only those of this user (default: all of the account)")
		},
		run: func(ctx context.Context, c api, _ io.Reader, _ []string) (*answer, error) {
			a, err := c.ListAccessKeys(ctx, &adminpb.ListAccessKeysRequest{Account: account, User: user})
			return &answer{a, func(w io.Writer) {
				row(w, "ACCESS KEY", "USER", "STATE", "CREATED", "DESCRIPTION")
				for _, k := range a.Keys {
					row(w, k.Id, k.User, inState(k.Disabled), k.Created, k.Description)
				}
			}}, err
		},
	}
}

func keyShow() verb {
	return verb{use: "show ACCESS-KEY", short: "Show an access key, without its secret",
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			return showKey(c.ShowAccessKey(ctx, &adminpb.AccessKeyRef{Id: args[0]}))
		}}
}

func keySet(name, short string, disabled bool) verb {
	return verb{use: name + " ACCESS-KEY", short: short,
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			return showKey(c.SetAccessKeyDisabled(ctx, &adminpb.SetAccessKeyDisabledRequest{Id: args[0], Disabled: disabled}))
		}}
}

func keyRemove() verb {
	return verb{
		use: "remove ACCESS-KEY", short: "Remove an access key and end the sessions made with it",
		destroys: func(args []string) string {
			return fmt.Sprintf("Access key %s will be removed; whoever uses it is refused.", args[0])
		},
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			a, err := c.RemoveAccessKey(ctx, &adminpb.AccessKeyRef{Id: args[0]})
			return done(a, err, "access key %s removed", args[0])
		},
	}
}

func showKey(k *adminpb.AccessKey, err error) (*answer, error) {
	return &answer{k, func(w io.Writer) {
		row(w, "access key", k.Id)
		row(w, "account", k.Account)
		row(w, "user", k.User)
		row(w, "state", inState(k.Disabled))
		row(w, "created", k.Created)
		row(w, "description", k.Description)
	}}, err
}
