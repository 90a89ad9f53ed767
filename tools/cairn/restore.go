package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/cairnstore/cairn/tools/transfer"
)

// restoring is one run of restore.
type restoring struct {
	sel  transfer.Selection
	days int32
	tier string

	mu                     sync.Mutex
	asked, already, failed int
}

func newRestore() *cobra.Command {
	r := &restoring{}
	return storeCommand{
		use: "restore s3://BUCKET/KEY [s3://BUCKET/KEY...]", short: "Bring back cold objects for some days",
		least: 1, most: -1,
		long: `Ask that cold objects can be read for some days. cairn stat says how far a restore is. Objects
that are not cold are left as they are. An older version, or what was deleted, is brought back
by cairn version restore.`,
		example: "  cairn restore --days 7 s3://archive/2024/report.pdf\n" +
			"  cairn restore -r s3://archive/2024/ --tier Expedited",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().Int32Var(&r.days, "days", 1, "how many days they can be read")
			cmd.Flags().StringVar(&r.tier, "tier", string(types.TierStandard), "Expedited, Standard or Bulk")
			cmd.Flags().BoolVarP(&r.sel.Recursive, "recursive", "r", false, "everything below a prefix")
			cmd.Flags().BoolVar(&r.sel.Literal, "no-glob", false, "* and ? in keys are themselves")
			selectingOnly(cmd, &r.sel)
		},
		run: func(ctx context.Context, c *call, args []string) error {
			list, err := inStore(args, false)
			if err != nil {
				return err
			}
			if r.days < 1 {
				return &statusError{exitUsage, fmt.Errorf("--days %d: 1 or more", r.days)}
			}
			for _, l := range list {
				if l.Key == "" && !r.sel.Recursive {
					return &statusError{exitUsage, fmt.Errorf("%s is a bucket: add --recursive", l)}
				}
			}
			for _, l := range list {
				if err := r.restore(ctx, c, l); err != nil {
					return err
				}
			}
			fmt.Fprintf(c.out, "restoring %s, %d were under way or not cold\n", plural(r.asked, "object"), r.already)
			if r.failed > 0 {
				return &statusError{exitError, fmt.Errorf("%d of %d failed", r.failed, r.failed+r.asked+r.already)}
			}
			return nil
		},
	}.command()
}

func (r *restoring) restore(ctx context.Context, c *call, l transfer.Location) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(transfer.UsualParallel)
	items, _ := c.store.Select(ctx, l, r.sel)
	n := 0
	var listErr error
	for item, err := range items {
		if listErr = err; err != nil {
			break
		}
		n++
		g.Go(func() error { return r.note(c, item.At, r.one(gctx, c, item.At)) })
	}
	err := errors.Join(listErr, g.Wait())
	if err == nil && n == 0 {
		err = at(l, transfer.ErrNothing)
	}
	return err
}

func (r *restoring) one(ctx context.Context, c *call, l transfer.Location) error {
	_, err := c.store.RestoreObject(ctx, &s3.RestoreObjectInput{Bucket: &l.Bucket, Key: &l.Key, VersionId: namedVersion(l),
		RestoreRequest: &types.RestoreRequest{Days: aws.Int32(r.days),
			GlacierJobParameters: &types.GlacierJobParameters{Tier: types.Tier(r.tier)}}})
	return err
}

// note counts an object, and tells what failed.
func (r *restoring) note(c *call, l transfer.Location, err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var told smithy.APIError
	switch {
	case err == nil:
		r.asked++
		return nil
	case errors.As(err, &told) && (told.ErrorCode() == "RestoreAlreadyInProgress" ||
		r.sel.Recursive && strings.HasPrefix(told.ErrorCode(), "InvalidObjectState")):
		r.already++
		return nil
	case errors.Is(err, context.Canceled):
		return err
	}
	r.failed++
	_, err = fmt.Fprintln(c.notes, &transfer.Failure{At: l, Err: err})
	return err
}
