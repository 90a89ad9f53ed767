package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

func newEventTarget() *cobra.Command {
	return noun("event-target", "Targets of event notifications", eventTargetList(), eventTargetSet(), eventTargetRemove(), eventTargetTest())
}

func eventTargetList() verb {
	return verb{
		use: "list", short: "List the targets of event notifications and what waits for them",
		long: `List the targets of event notifications and what waits for them. SOURCE says where a
target comes from: the cluster (cairn event-target set), or the settings of the node
that answers. A target that nobody knows any more, but for which events wait, is none's.`,
		run: func(ctx context.Context, c api, _ io.Reader, _ []string) (*answer, error) {
			a, err := c.ListEventTargets(ctx, &adminpb.ListEventTargetsRequest{})
			return &answer{a, func(w io.Writer) {
				row(w, "TARGET", "SOURCE", "URL", "TOKEN", "WAITING", "LOST", "ARN")
				for _, t := range a.Targets {
					row(w, t.Id, t.Source, t.Url, t.Token, t.Waiting, t.Lost, t.Arn)
				}
			}}, err
		},
	}
}

func eventTargetSet() verb {
	var file string
	var accounts []string
	return verb{
		use: "set TARGET URL", short: "Set a target for the whole cluster",
		long: `Set a target for the whole cluster, new or in place of one of its name: http(s)://… (a
webhook), nats://HOST:PORT/SUBJECT, jetstream://HOST:PORT/SUBJECT or
kafka://HOST:PORT,HOST:PORT/TOPIC (kafkas: with TLS). It holds on the node that answers
at once, and on every other one within a second or so; a target of the same name in the
settings of a node counts no more. --accounts says whose buckets may name it in their
configurations from now on; those that name it already stay. Its token is kept sealed
and is never shown; to set a target without one takes away the one it had.`,
		example: "  cairn event-target set audit https://hooks.example.com/cairn --token-file -",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().StringVar(&file, "token-file", "", "file with the token by which the target lets the cluster in; Kafka: the password of the URL's user; - is standard input (default: none)")
			cmd.Flags().StringSliceVar(&accounts, "accounts", nil, "ids of the accounts whose buckets may name the target, comma separated (default: all)")
		},
		run: func(ctx context.Context, c api, in io.Reader, args []string) (*answer, error) {
			r := &adminpb.SetEventTargetRequest{Id: args[0], Url: args[1], Accounts: accounts}
			if file != "" {
				token, err := readText(in, "token-file", file)
				if err != nil {
					return nil, err
				}
				r.Token = strings.TrimSpace(token)
			}
			return showEventTarget(c.SetEventTarget(ctx, r))
		},
	}
}

func eventTargetRemove() verb {
	return verb{
		use: "remove TARGET", short: "Remove a target that was set for the cluster",
		long: `Remove a target that was set for the cluster: one of its name in the settings of a node
counts again. Rules that name it stay, and its events wait until it is set again.`,
		destroys: func(args []string) string {
			return "Event target " + args[0] + " will be removed; events wait until it is set again."
		},
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			a, err := c.RemoveEventTarget(ctx, &adminpb.EventTargetRef{Id: args[0]})
			return done(a, err, "event target %s removed", args[0])
		},
	}
}

func eventTargetTest() verb {
	return verb{
		use: "test TARGET", short: "Send a target a test event",
		long: `Send a target an s3:TestEvent from the node that answers, by a connection of its own,
and wait until the target has taken it. What is wrong otherwise is told.`,
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			return showEventTarget(c.TestEventTarget(ctx, &adminpb.EventTargetRef{Id: args[0]}))
		},
	}
}

func showEventTarget(t *adminpb.EventTarget, err error) (*answer, error) {
	return &answer{t, func(w io.Writer) {
		row(w, "target", t.Id)
		row(w, "arn", t.Arn)
		row(w, "url", t.Url)
		row(w, "source", t.Source)
		row(w, "token", t.Token)
		if len(t.Accounts) > 0 {
			row(w, "accounts", strings.Join(t.Accounts, ", "))
		}
		row(w, "waiting", t.Waiting)
		row(w, "lost", t.Lost)
		row(w, "oldest", t.Oldest)
	}}, err
}
