package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

func newPolicy() *cobra.Command {
	return noun("policy", "Policies, attached to users, groups and roles", policyAdd(), policyList(), policyShow(),
		policyAttach("attach", "Attach a policy to a user, group or role", true),
		policyAttach("detach", "Detach a policy from a user, group or role", false), policyRemove(), policySimulate())
}

func policyAdd() verb {
	var account, file string
	var replace bool
	return verb{
		use: "add POLICY", short: "Make a policy",
		long: `Make a policy, a document in the AWS policy language without principals. Every
account has the policies readonly, readwrite, writeonly and admin as well.`,
		example: "  cairn policy add reports-only --file policy.json",
		flags: func(cmd *cobra.Command) {
			accountFlag(cmd, &account)
			cmd.Flags().StringVar(&file, "file", "", "file with the document (JSON); - is standard input (required)")
			cmd.Flags().BoolVar(&replace, "replace", false, "change the document of a policy that is there, for all who have it")
		},
		run: func(ctx context.Context, c api, in io.Reader, args []string) (*answer, error) {
			document, err := readText(in, "file", file)
			if err != nil {
				return nil, err
			}
			return showPolicy(c.AddPolicy(ctx, &adminpb.AddPolicyRequest{Account: account, Name: args[0], Document: document, Replace: replace}))
		},
	}
}

func policyList() verb {
	var account string
	return verb{
		use: "list", short: "List the policies of an account",
		flags: func(cmd *cobra.Command) { accountFlag(cmd, &account) },
		run: func(ctx context.Context, c api, _ io.Reader, _ []string) (*answer, error) {
			a, err := c.ListPolicies(ctx, &adminpb.AccountRef{Account: account})
			return &answer{a, func(w io.Writer) {
				row(w, "POLICY", "BUILT IN", "CREATED", "MODIFIED")
				for _, p := range a.Policies {
					row(w, p.Name, p.Builtin, p.Created, p.Modified)
				}
			}}, err
		},
	}
}

func policyShow() verb {
	var account string
	return verb{
		use: "show POLICY", short: "Show a policy and whom it is attached to",
		flags: func(cmd *cobra.Command) { accountFlag(cmd, &account) },
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			return showPolicy(c.ShowPolicy(ctx, &adminpb.EntryRef{Account: account, Name: args[0]}))
		},
	}
}

func policyAttach(name, short string, attached bool) verb {
	var account, user, group, role string
	return verb{
		use: name + " POLICY", short: short, example: "  cairn policy " + name + " readonly --user alice",
		flags: func(cmd *cobra.Command) {
			accountFlag(cmd, &account)
			cmd.Flags().StringVar(&user, "user", "", "the user (one of --user, --group and --role is required)")
			cmd.Flags().StringVar(&group, "group", "", "the group (default: none)")
			cmd.Flags().StringVar(&role, "role", "", "the role (default: none)")
		},
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			to := strings.Fields(user + " " + group + " " + role)
			if len(to) != 1 {
				return nil, &statusError{exitUsage, errors.New("give one of --user, --group and --role")}
			}
			a, err := c.SetPolicyAttached(ctx, &adminpb.SetPolicyAttachedRequest{Account: account, Name: args[0],
				User: user, Group: group, Role: role, Attached: attached})
			return &answer{a, func(w io.Writer) { fmt.Fprintf(w, "%s has: %s\n", to[0], orDash(strings.Join(a.Policies, ","))) }}, err
		},
	}
}

func policyRemove() verb {
	var account string
	var force bool
	return verb{
		use: "remove POLICY", short: "Remove a policy",
		long: "Remove a policy. One that is attached is refused without --force.",
		flags: func(cmd *cobra.Command) {
			accountFlag(cmd, &account)
			forceFlag(cmd, &force, "detach it everywhere first")
		},
		destroys: func(args []string) string { return fmt.Sprintf("Policy %s will be removed.", args[0]) },
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			a, err := c.RemovePolicy(ctx, &adminpb.RemoveEntryRequest{Account: account, Name: args[0], Force: force})
			return done(a, err, "policy %s removed", args[0])
		},
	}
}

func showPolicy(p *adminpb.Policy, err error) (*answer, error) {
	return &answer{p, func(w io.Writer) {
		row(w, "policy", p.Name)
		row(w, "account", p.Account)
		row(w, "built in", p.Builtin)
		row(w, "created", p.Created)
		row(w, "modified", p.Modified)
		var to []string
		for _, h := range p.Attached {
			to = append(to, h.Kind+" "+h.Name)
		}
		row(w, "attached to", strings.Join(to, ", "))
		fmt.Fprintf(w, "\n%s\n", indented(p.Document))
	}}, err
}

// indented returns a JSON document in lines.
func indented(document string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(strings.TrimSpace(document)), "", "  ") != nil {
		return document
	}
	return b.String()
}
