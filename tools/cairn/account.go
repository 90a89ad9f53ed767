package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// accountFlag registers --account on a command for what is in one.
func accountFlag(cmd *cobra.Command, account *string) {
	cmd.Flags().StringVar(account, "account", "", "name or id of the account (default: the one of your access key)")
}

func forceFlag(cmd *cobra.Command, force *bool, with string) {
	cmd.Flags().BoolVar(force, "force", false, with)
}

func newAccount() *cobra.Command {
	return noun("account", "Accounts: they own buckets and objects", accountAdd(), accountList(), accountShow(),
		accountSet("disable", "Disable an account: its keys and those of its users are refused", true),
		accountSet("enable", "Enable an account again", false), accountBuckets(), accountUsage(), accountRemove())
}

func accountAdd() verb {
	var keys newKeys
	var admin bool
	return verb{
		use: "add NAME", short: "Make an account with an access key, ready to use", ownKeys: true,
		long: "Make an account with an access key, ready to use.\n\n" + ownKeysHelp,
		example: `  cairn account add acme
  cairn account add acme --access-key acme-root --secret-key - < secret.txt`,
		flags: func(cmd *cobra.Command) {
			keys.flags(cmd)
			cmd.Flags().BoolVar(&admin, "admin", false, "the account administers the cluster and sees everything")
		},
		run: func(ctx context.Context, c api, in io.Reader, args []string) (*answer, error) {
			if err := keys.read(in); err != nil {
				return nil, err
			}
			a, err := c.AddAccount(ctx, &adminpb.AddAccountRequest{Name: args[0], AccessKey: keys.access, SecretKey: keys.secret, Admin: admin})
			return &answer{a, func(w io.Writer) {
				row(w, "account", a.Account.Name)
				row(w, "id", a.Account.Id)
				printNewKey(w, a.Key)
			}}, err
		},
	}
}

func accountList() verb {
	return verb{use: "list", short: "List accounts", run: func(ctx context.Context, c api, _ io.Reader, _ []string) (*answer, error) {
		a, err := c.ListAccounts(ctx, &adminpb.ListAccountsRequest{})
		return &answer{a, func(w io.Writer) {
			row(w, "NAME", "ID", "STATE", "ADMIN", "CREATED")
			for _, x := range a.Accounts {
				row(w, x.Name, x.Id, inState(x.Disabled), x.Admin, x.Created)
			}
		}}, err
	}}
}

func accountShow() verb {
	return verb{use: "show [ACCOUNT]", short: "Show an account; your own where none is named",
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			return showAccount(c.ShowAccount(ctx, &adminpb.AccountRef{Account: argument(args, 0)}))
		}}
}

func accountSet(name, short string, disabled bool) verb {
	return verb{use: name + " ACCOUNT", short: short, run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
		return showAccount(c.SetAccountDisabled(ctx, &adminpb.SetAccountDisabledRequest{Account: args[0], Disabled: disabled}))
	}}
}

func accountBuckets() verb {
	return verb{
		use: "buckets ACCOUNT NUMBER", short: "Say how many buckets an account may have",
		long: `Say how many buckets an account may have; 0 is what the setting max-buckets says.
Buckets that it has already stay.`,
		example: `  cairn account buckets acme 5000`,
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			most, err := strconv.ParseUint(args[1], 10, 32)
			if err != nil {
				return nil, &statusError{exitUsage, fmt.Errorf("%q is not a number of buckets", args[1])}
			}
			return showAccount(c.SetAccountBuckets(ctx, &adminpb.SetAccountBucketsRequest{Account: args[0], Max: uint32(most)}))
		},
	}
}

func accountRemove() verb {
	var force bool
	return verb{
		use: "remove ACCOUNT", short: "Remove an account",
		long: `Remove an account. One that has users, groups, roles, policies, access keys or
buckets is refused without --force.`,
		flags: func(cmd *cobra.Command) {
			forceFlag(cmd, &force, "remove its users, groups, roles, policies and access keys too; its buckets stay, for the cluster's root")
		},
		destroys: func(args []string) string {
			return fmt.Sprintf("Account %s will be removed. It cannot be had back: a new one of this name has another id.", args[0])
		},
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			a, err := c.RemoveAccount(ctx, &adminpb.RemoveAccountRequest{Account: args[0], Force: force})
			return done(a, err, "account %s removed", args[0])
		},
	}
}

func showAccount(a *adminpb.Account, err error) (*answer, error) {
	return &answer{a, func(w io.Writer) {
		row(w, "account", a.Name)
		row(w, "id", a.Id)
		row(w, "state", inState(a.Disabled))
		row(w, "administers", a.Admin)
		row(w, "buckets", bucketsMax(a))
		row(w, "created", a.Created)
	}}, err
}

// bucketsMax is how many buckets an account may have, as people read it.
func bucketsMax(a *adminpb.Account) string {
	if a.BucketsMax == 0 {
		return "as many as the setting max-buckets says"
	}
	return fmt.Sprintf("%d at most", a.BucketsMax)
}

// accountUse is what the buckets of an account hold.
type accountUse struct {
	Account string `json:"account"` // Name; the id if the name is not known.
	ID      string `json:"id"`
	Buckets int    `json:"buckets"`
	Objects uint64 `json:"objects"` // All versions but delete markers.
	Bytes   uint64 `json:"bytes"`
}

func accountUsage() verb {
	return verb{
		use: "usage [ACCOUNT]", short: "Show how much accounts store: the sums over their buckets",
		long: `Show how much an account stores, or all accounts to who administers the cluster: the
sums over their buckets. The numbers are exact, as those of cairn bucket list.`,
		example: "  cairn account usage\n  cairn account usage acme -o json",
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			uses, err := accountUses(ctx, c, argument(args, 0))
			return &answer{uses, func(w io.Writer) {
				row(w, "ACCOUNT", "ID", "BUCKETS", "OBJECTS", "SIZE")
				for _, u := range uses {
					row(w, u.Account, u.ID, u.Buckets, u.Objects, humanize.IBytes(u.Bytes))
				}
			}}, err
		},
	}
}

// accountUses returns what the accounts store whose buckets the caller may list, the greatest first.
func accountUses(ctx context.Context, c api, account string) ([]*accountUse, error) {
	uses := []*accountUse{}
	by := map[string]*accountUse{}
	for r := (&adminpb.ListBucketsRequest{Account: account, Max: bucketsPage}); ; {
		page, err := c.ListBuckets(ctx, r)
		if err != nil {
			return nil, err
		}
		for _, b := range page.Buckets {
			u := by[b.Owner]
			if u == nil {
				u = &accountUse{Account: b.Owner, ID: b.Owner}
				by[b.Owner], uses = u, append(uses, u)
			}
			u.Buckets, u.Objects, u.Bytes = u.Buckets+1, u.Objects+b.Objects, u.Bytes+b.Bytes
			r.After = b.Name
		}
		if !page.Truncated {
			break
		}
	}
	slices.SortStableFunc(uses, func(a, b *accountUse) int { return cmp.Compare(b.Bytes, a.Bytes) })
	// Names are known to who administers the cluster. Others have one account, and know its name.
	if all, err := c.ListAccounts(ctx, &adminpb.ListAccountsRequest{}); err == nil {
		for _, a := range all.Accounts {
			if u := by[a.Id]; u != nil {
				u.Account = a.Name
			}
		}
	}
	return uses, nil
}

// bucketsPage is how many buckets are asked for at once, which is the most that one answer has.
const bucketsPage = 10000
