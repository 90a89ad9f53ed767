package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// completeTimeout is how long a shell waits for names.
const completeTimeout = 3 * time.Second

// names returns the names of what there is of a kind. It is asked by a shell, so it returns what it
// can and no error.
type names func(ctx context.Context, c api) []string

// completions are the arguments whose names a shell is told, as they are called in verb.use.
var completions = map[string]names{
	"BUCKET": func(ctx context.Context, c api) []string {
		a, _ := c.ListBuckets(ctx, &adminpb.ListBucketsRequest{})
		return namesOf(a.GetBuckets(), (*adminpb.Bucket).GetName)
	},
	"NODE": func(ctx context.Context, c api) []string {
		a, _ := c.ListNodes(ctx, &adminpb.ListNodesRequest{})
		return namesOf(a.GetNodes(), (*adminpb.NodeStatus).GetId)
	},
	"DRIVE": func(ctx context.Context, c api) []string {
		a, _ := c.ListDrives(ctx, &adminpb.ListDrivesRequest{})
		return namesOf(a.GetDrives(), (*adminpb.DriveStatus).GetId)
	},
	"JOB": func(ctx context.Context, c api) []string {
		a, _ := c.ListJobs(ctx, &adminpb.ListJobsRequest{})
		return namesOf(a.GetJobs(), (*adminpb.Job).GetName)
	},
	"SETTING": func(ctx context.Context, c api) []string {
		a, _ := c.ListSettings(ctx, &adminpb.ListSettingsRequest{})
		return namesOf(a.GetSettings(), (*adminpb.Setting).GetName)
	},
	"ACCOUNT": func(ctx context.Context, c api) []string {
		a, _ := c.ListAccounts(ctx, &adminpb.ListAccountsRequest{})
		return namesOf(a.GetAccounts(), (*adminpb.Account).GetName)
	},
	"USER": func(ctx context.Context, c api) []string {
		a, _ := c.ListUsers(ctx, &adminpb.AccountRef{})
		return namesOf(a.GetUsers(), (*adminpb.User).GetName)
	},
	"GROUP": func(ctx context.Context, c api) []string {
		a, _ := c.ListGroups(ctx, &adminpb.AccountRef{})
		return namesOf(a.GetGroups(), (*adminpb.Group).GetName)
	},
	"ROLE": func(ctx context.Context, c api) []string {
		a, _ := c.ListRoles(ctx, &adminpb.AccountRef{})
		return namesOf(a.GetRoles(), (*adminpb.Role).GetName)
	},
	"POLICY": func(ctx context.Context, c api) []string {
		a, _ := c.ListPolicies(ctx, &adminpb.AccountRef{})
		return namesOf(a.GetPolicies(), (*adminpb.Policy).GetName)
	},
	"ACCESS-KEY": func(ctx context.Context, c api) []string {
		a, _ := c.ListAccessKeys(ctx, &adminpb.ListAccessKeysRequest{})
		return namesOf(a.GetKeys(), (*adminpb.AccessKey).GetId)
	},
	"KEY": func(ctx context.Context, c api) []string {
		a, _ := c.ListMasterKeys(ctx, &adminpb.AccountRef{})
		return namesOf(a.GetKeys(), (*adminpb.MasterKey).GetId)
	},
	"PROVIDER": func(ctx context.Context, c api) []string {
		a, _ := c.ListIdentityProviders(ctx, &adminpb.ListIdentityProvidersRequest{})
		return namesOf(a.GetProviders(), (*adminpb.IdentityProvider).GetName)
	},
	"TARGET": func(ctx context.Context, c api) []string {
		a, _ := c.ListEventTargets(ctx, &adminpb.ListEventTargetsRequest{})
		return namesOf(a.GetTargets(), (*adminpb.EventTarget).GetId)
	},
}

// namesOf returns the names of things, each once.
func namesOf[T any](things []T, name func(T) string) []string {
	seen := map[string]bool{}
	var out []string
	for _, t := range things {
		if n := name(t); !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	return out
}

// completion returns what tells a shell the names of the arguments that use has.
func (t *target) completion(use string) cobra.CompletionFunc {
	arguments := strings.Fields(use)[1:]
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= len(arguments) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		list := completions[strings.TrimRight(strings.TrimLeft(arguments[len(args)], "["), "].")]
		if list == nil {
			return nil, cobra.ShellCompDirectiveDefault
		}
		if t.resolve() != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		c, err := t.client()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completeTimeout)
		defer cancel()
		var out []string
		for _, name := range list(ctx, c) {
			if strings.HasPrefix(name, begun) {
				out = append(out, name)
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}
