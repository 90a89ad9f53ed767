package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

func newLimit() *cobra.Command {
	return noun("limit", "Limits: how much accounts, users, access keys and buckets may take",
		limitSet(), limitShow(), limitClear(), limitTop())
}

// limitFlags registers the flags that name whom a limit is for.
func limitFlags(cmd *cobra.Command, of *adminpb.LimitRef) {
	fs := cmd.Flags()
	fs.StringVar(&of.Account, "account", "",
		"the limit of this account, by name or id; with --user: where the user is (default: the one of your access key)")
	fs.StringVar(&of.User, "user", "", "the limit of this user (default: none)")
	fs.StringVar(&of.AccessKey, "access-key", "", "the limit of this access key (default: none)")
	fs.StringVar(&of.Bucket, "bucket", "", "the limit of this bucket, whoever asks (default: none)")
}

const limitOff = "off"

// parseLimit reads a limit: a number, or of bytes also with a unit; off takes it away.
func parseLimit(flag, text string) (uint64, error) {
	if text == limitOff {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil && strings.HasPrefix(flag, "bytes") {
		n, err = humanize.ParseBytes(text)
	}
	if err != nil || n == 0 {
		return 0, &statusError{exitUsage,
			fmt.Errorf("--%s %s is no limit: give a number above 0, or %s", flag, text, limitOff)}
	}
	return n, nil
}

// requestMeasures are the measures of --requests-per-second, by --class.
var requestMeasures = map[string]string{
	"": "requests", "read": "reads", "write": "writes", "list": "lists", "delete": "deletes",
}

func limitSet() verb {
	var of adminpb.LimitRef
	var requests, class, in, out, concurrent string
	return verb{
		use: "set", ownKeys: true, short: "Limit what an account, a user, an access key or a bucket may take",
		long: `Limit what an account, a user, an access key or a bucket may take of the whole cluster.
It holds on all nodes within a second or so, without a restart. Flags that are not given
leave what was set before; off takes one away. A request counts for its account, its
user, its access key and its bucket, and must be within all their limits. Requests
beyond a limit are refused with 503 SlowDown (429 in the OBS dialect); bytes wait.`,
		example: `  cairn limit set --account acme --requests-per-second 500
  cairn limit set --account acme --requests-per-second 50 --class list
  cairn limit set --bucket photos --bytes-out-per-second 100MiB --concurrent 64`,
		flags: func(cmd *cobra.Command) {
			limitFlags(cmd, &of)
			fs := cmd.Flags()
			fs.StringVar(&requests, "requests-per-second", "", "requests per second, or off (default: as it was)")
			fs.StringVar(&class, "class", "",
				"with --requests-per-second: read, write, list or delete (default: all together)")
			fs.StringVar(&in, "bytes-in-per-second", "",
				"bytes per second that clients send, as 10MiB, or off (default: as it was)")
			fs.StringVar(&out, "bytes-out-per-second", "",
				"bytes per second that clients are sent, as 10MiB, or off (default: as it was)")
			fs.StringVar(&concurrent, "concurrent", "", "requests at once, or off (default: as it was)")
		},
		run: func(ctx context.Context, c api, _ io.Reader, _ []string) (*answer, error) {
			r := &adminpb.SetLimitRequest{Of: &of}
			measure, known := requestMeasures[class]
			if !known || class != "" && requests == "" {
				return nil, &statusError{exitUsage,
					errors.New("--class is read, write, list or delete, and goes with --requests-per-second")}
			}
			for _, f := range []struct{ flag, text, measure string }{{"requests-per-second", requests, measure},
				{"bytes-in-per-second", in, "bytes-in"}, {"bytes-out-per-second", out, "bytes-out"},
				{"concurrent", concurrent, "concurrent"}} {
				if f.text == "" {
					continue
				}
				n, err := parseLimit(f.flag, f.text)
				if err != nil {
					return nil, err
				}
				r.Values = append(r.Values, &adminpb.LimitValue{Measure: f.measure, Value: n})
			}
			a, err := c.SetLimit(ctx, r)
			return &answer{a, func(w io.Writer) { showLimits(w, []*adminpb.Limit{a}) }}, err
		},
	}
}

func limitShow() verb {
	var of adminpb.LimitRef
	return verb{
		use: "show", ownKeys: true, short: "Show limits, and what is taken of them now",
		long: `Show limits, all or those of one account, user, access key or bucket. NOW is what all
nodes together let through in the last second; REFUSED is what they refused per second.`,
		flags: func(cmd *cobra.Command) { limitFlags(cmd, &of) },
		run: func(ctx context.Context, c api, _ io.Reader, _ []string) (*answer, error) {
			a, err := c.ListLimits(ctx, &adminpb.ListLimitsRequest{Of: &of})
			return &answer{a, func(w io.Writer) {
				showLimits(w, a.Limits)
				showLimitErrors(w, a.Errors)
			}}, err
		},
	}
}

func showLimits(w io.Writer, limits []*adminpb.Limit) {
	row(w, "OF", "NAME", "ACCOUNT", "MEASURE", "LIMIT", "NOW", "REFUSED")
	for _, l := range limits {
		for _, v := range l.Values {
			value, now := strconv.FormatUint(v.Value, 10), rateText(v.Taken)
			if strings.HasPrefix(v.Measure, "bytes") {
				value, now = humanize.IBytes(v.Value), humanize.IBytes(uint64(v.Taken))
			}
			row(w, l.Of, l.Name, l.AccountName, v.Measure, value, now, rateText(v.Refused))
		}
	}
}

func showLimitErrors(w io.Writer, errors []string) {
	for _, e := range errors {
		fmt.Fprintln(w, "did not answer: "+e)
	}
}

func rateText(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

func limitClear() verb {
	var of adminpb.LimitRef
	return verb{
		use: "clear", ownKeys: true, short: "Take the limits of an account, a user, an access key or a bucket away",
		flags: func(cmd *cobra.Command) { limitFlags(cmd, &of) },
		run: func(ctx context.Context, c api, _ io.Reader, _ []string) (*answer, error) {
			a, err := c.ClearLimit(ctx, &of)
			return done(a, err, "the limits are cleared")
		},
	}
}

func limitTop() verb {
	var most uint32
	return verb{
		use: "top", short: "Show who takes how much of the cluster now",
		long: `Show who takes how much of all nodes now, per second: all accounts, and the users,
access keys and buckets that have a limit. Bytes count when their request ends.`,
		flags: func(cmd *cobra.Command) {
			cmd.Flags().Uint32Var(&most, "max", 20, "how many rows, those that take most")
		},
		run: func(ctx context.Context, c api, _ io.Reader, _ []string) (*answer, error) {
			a, err := c.ListTaken(ctx, &adminpb.ListTakenRequest{Max: most})
			return &answer{a, func(w io.Writer) {
				row(w, "OF", "NAME", "ACCOUNT", "REQUESTS", "REFUSED", "IN", "OUT")
				for _, t := range a.Taken {
					row(w, t.Of, t.Name, t.AccountName, rateText(t.Requests), rateText(t.Refused),
						humanize.IBytes(uint64(t.BytesIn)), humanize.IBytes(uint64(t.BytesOut)))
				}
				showLimitErrors(w, a.Errors)
			}}, err
		},
	}
}
