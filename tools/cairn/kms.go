package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

const keyNameHelp = "KEY is an id, alias/NAME or an ARN."

func newKMS() *cobra.Command {
	kms := group("kms", "Master keys of SSE-KMS and SSE-S3")
	kms.AddCommand(
		noun("key", "Master keys", masterKeyCreate(), masterKeyList(), masterKeyShow(),
			masterKeyChange("rotate", "Give a key another version, which encrypts from now on; older ones still decrypt", adminpb.KeyChange_KEY_CHANGE_ROTATE),
			masterKeyChange("disable", "Stop the use of a key: what is under it can be neither read nor written", adminpb.KeyChange_KEY_CHANGE_DISABLE),
			masterKeyChange("enable", "Allow the use of a key again", adminpb.KeyChange_KEY_CHANGE_ENABLE),
			masterKeyDeletion(),
			masterKeyChange("cancel-deletion", "Keep a key that was to be deleted; it is disabled then", adminpb.KeyChange_KEY_CHANGE_CANCEL_DELETION)),
		noun("alias", "Other names of master keys", aliasSet(), aliasRemove()))
	return kms
}

func masterKeyCreate() verb {
	var account, id, alias, description string
	return verb{
		use: "create", short: "Make a master key",
		example: "  cairn kms key create --alias photos",
		flags: func(cmd *cobra.Command) {
			accountFlag(cmd, &account)
			cmd.Flags().StringVar(&id, "id", "", "its id; a key of this name at an external service is taken over (default: made up)")
			cmd.Flags().StringVar(&alias, "alias", "", "another name for it; aws/s3 makes it the account's default key (default: none)")
			cmd.Flags().StringVar(&description, "description", "", "what it is for (default: nothing said)")
		},
		run: func(ctx context.Context, c api, _ io.Reader, _ []string) (*answer, error) {
			return showMasterKey(c.CreateMasterKey(ctx, &adminpb.CreateMasterKeyRequest{Account: account, Id: id,
				Alias: strings.TrimPrefix(alias, "alias/"), Description: description}))
		},
	}
}

func masterKeyList() verb {
	var account string
	return verb{
		use: "list", short: "List master keys",
		long: "List the master keys of an account; who administers the cluster sees all.",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().StringVar(&account, "account", "", "name or id of the account (default: yours, or all if you administer the cluster)")
		},
		run: func(ctx context.Context, c api, _ io.Reader, _ []string) (*answer, error) {
			a, err := c.ListMasterKeys(ctx, &adminpb.AccountRef{Account: account})
			return &answer{a, func(w io.Writer) {
				row(w, "ID", "ACCOUNT", "STATE", "VERSIONS", "ALIASES", "CREATED", "DESCRIPTION")
				for _, k := range a.Keys {
					row(w, k.Id, ownerOf(k), k.State, versions(k), k.Aliases, k.Created, k.Description)
				}
			}}, err
		},
	}
}

func masterKeyShow() verb {
	return verb{use: "show KEY", short: "Show a master key", long: "Show a master key. " + keyNameHelp,
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			return showMasterKey(c.ShowMasterKey(ctx, &adminpb.MasterKeyRef{Id: args[0]}))
		}}
}

func masterKeyChange(name, short string, change adminpb.KeyChange) verb {
	return verb{use: name + " KEY", short: short, long: short + ". " + keyNameHelp,
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			return showMasterKey(c.ChangeMasterKey(ctx, &adminpb.ChangeMasterKeyRequest{Id: args[0], Change: change}))
		}}
}

func masterKeyDeletion() verb {
	var days uint32
	return verb{
		use: "schedule-deletion KEY", short: "Stop the use of a key and delete it after some days",
		long: "Stop the use of a key at once and delete it after some days. " + keyNameHelp + `
Until then cancel-deletion keeps it; after that whatever is encrypted under it is
lost for good.`,
		flags: func(cmd *cobra.Command) {
			cmd.Flags().Uint32Var(&days, "days", 30, "days until it is deleted, 7 to 30")
		},
		destroys: func(args []string) string {
			return fmt.Sprintf("KMS key %s will be deleted in %s. From now on what is encrypted under it cannot be read; once the key is deleted, never again.", args[0], counted(days, "day", "days"))
		},
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			return showMasterKey(c.ChangeMasterKey(ctx, &adminpb.ChangeMasterKeyRequest{Id: args[0],
				Change: adminpb.KeyChange_KEY_CHANGE_SCHEDULE_DELETION, Days: days}))
		},
	}
}

func aliasSet() verb {
	return verb{
		use: "set ALIAS KEY", short: "Make an alias name a key, whatever it named before",
		long: "Make an alias name a key of the key's account, whatever it named before. " + keyNameHelp + `
The alias aws/s3 names the default key of the account.`,
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			return showMasterKey(c.SetKeyAlias(ctx, &adminpb.SetKeyAliasRequest{Alias: args[0], Id: args[1]}))
		},
	}
}

func aliasRemove() verb {
	var account string
	return verb{
		use: "remove ALIAS", short: "Remove an alias; the key stays",
		flags: func(cmd *cobra.Command) { accountFlag(cmd, &account) },
		destroys: func(args []string) string {
			return fmt.Sprintf("Alias %s will be removed; requests that name it are refused.", args[0])
		},
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			a, err := c.RemoveKeyAlias(ctx, &adminpb.RemoveKeyAliasRequest{Account: account, Alias: args[0]})
			return done(a, err, "alias %s removed", args[0])
		},
	}
}

func showMasterKey(k *adminpb.MasterKey, err error) (*answer, error) {
	return &answer{k, func(w io.Writer) {
		row(w, "key", k.Id)
		row(w, "arn", k.Arn)
		row(w, "account", ownerOf(k))
		row(w, "state", k.State)
		if k.DeleteAt != "" {
			row(w, "deleted at", k.DeleteAt)
		}
		row(w, "aliases", k.Aliases)
		row(w, "versions", versions(k))
		row(w, "created", k.Created)
		row(w, "description", k.Description)
	}}, err
}

func ownerOf(k *adminpb.MasterKey) string {
	if k.Account == "" {
		return "(the cluster)"
	}
	return k.Account
}

func versions(k *adminpb.MasterKey) string {
	if k.External {
		return "external"
	}
	return fmt.Sprint(len(k.Versions))
}
