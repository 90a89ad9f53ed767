package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

func policySimulate() verb {
	r := &adminpb.SimulatePolicyRequest{}
	var facts []string
	return verb{
		use: "simulate", short: "Say whether somebody may do something, and what decides",
		long: `Say whether somebody may do something, and what decides: the policy of a user, a
group or a role with the number of the statement and its Sid, the policy or the ACL of
the bucket, block public access, or that it is an account's root; or that nothing
allows it. The code that decides requests answers; nothing is changed.

WHO is anonymous, an access key, a user or a role of the account, an account (its root)
or an ARN. If a name is of several, user:NAME, role:NAME, account:NAME and key:ID tell
them apart. Everybody may ask about themselves. The root of an account, and users with
admin:SimulatePolicy, may ask about whoever is in the account.

RESOURCE is s3://BUCKET, s3://BUCKET/KEY, of one version with ?versionId=ID, or an ARN.
The tags, the owner and the ACL of an object count if it is there. Conditions see what
--context gives, and the time; the keys that they ask for besides are listed.`,
		example: "  cairn policy simulate --as alice --action s3:GetObject --resource s3://reports/2026/may.csv\n" +
			"  cairn policy simulate --as anonymous --action s3:ListBucket --resource s3://www -o json\n" +
			"  cairn policy simulate --as bob --action s3:PutObject --resource s3://in/x --context aws:SourceIp=10.0.0.7",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().StringVar(&r.As, "as", "", "who makes the request (default: you)")
			cmd.Flags().StringVar(&r.Action, "action", "", "the action, such as s3:GetObject or admin:DrainNode (required)")
			cmd.Flags().StringVar(&r.Resource, "resource", "", "the bucket or object (default: none in particular)")
			cmd.Flags().StringArrayVar(&facts, "context", nil,
				"a condition key of the request, as KEY=VALUE; may be repeated (default: none)")
			accountFlag(cmd, &r.Account)
		},
		run: func(ctx context.Context, c api, _ io.Reader, _ []string) (*answer, error) {
			if r.Action == "" {
				return nil, &statusError{exitUsage, errors.New("give --action, such as s3:GetObject")}
			}
			for _, f := range facts {
				key, value, ok := strings.Cut(f, "=")
				if !ok {
					return nil, &statusError{exitUsage, fmt.Errorf("--context %q is not KEY=VALUE", f)}
				}
				r.Context = append(r.Context, &adminpb.ConditionFact{Key: key, Values: []string{value}})
			}
			a, err := c.SimulatePolicy(ctx, r)
			return &answer{a, func(w io.Writer) { printSimulation(w, a) }}, err
		},
	}
}

func printSimulation(w io.Writer, a *adminpb.Simulation) {
	row(w, "allowed", a.Allowed)
	row(w, "who", a.As)
	row(w, "action", a.Action)
	row(w, "resource", a.Resource)
	row(w, "reason", a.Reason)
	if a.Note != "" {
		row(w, "note", a.Note)
	}
	if len(a.MissingContext) > 0 {
		row(w, "not given", strings.Join(a.MissingContext, ", ")+" (see --context)")
	}
	if len(a.Considered) == 0 {
		return
	}
	fmt.Fprintln(w)
	row(w, "SAYS", "KIND", "POLICY", "OF", "STATEMENT", "SID", "COUNTS")
	for _, s := range a.Considered {
		counts := "yes"
		if s.Overruled != "" {
			counts = "no: " + s.Overruled
		}
		statement := ""
		if s.Statement > 0 {
			statement = fmt.Sprint(s.Statement)
		}
		row(w, strings.ToLower(s.Effect), s.Kind, s.Policy, s.Holder, statement, s.Sid, counts)
	}
}
