package main

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/tools/transfer"
)

func newMb() *cobra.Command {
	return storeCommand{
		use: "mb s3://BUCKET [s3://BUCKET...]", short: "Make buckets", least: 1, most: -1,
		long:    "Make buckets. cairn bucket make does it with a quota, versioning and the like.",
		example: "  cairn mb s3://photos",
		run: func(ctx context.Context, c *call, args []string) error {
			names, err := bucketNames(args)
			if err != nil {
				return err
			}
			for _, name := range names {
				in := &s3.CreateBucketInput{Bucket: &name}
				if region := c.store.Options().Region; c.store.Options().BaseEndpoint == nil && region != bucketRegion {
					in.CreateBucketConfiguration = &types.CreateBucketConfiguration{
						LocationConstraint: types.BucketLocationConstraint(region)}
				}
				if _, err := c.store.CreateBucket(ctx, in); err != nil {
					return at(transfer.Location{Kind: transfer.Object, Bucket: name}, err)
				}
				if _, err := fmt.Fprintf(c.out, "made %s%s\n", transfer.Scheme, name); err != nil {
					return err
				}
			}
			return nil
		},
	}.command()
}

func newRb() *cobra.Command {
	t := &transferring{removes: true}
	var force, yes bool
	return storeCommand{
		use: "rb s3://BUCKET [s3://BUCKET...]", short: "Remove buckets", least: 1, most: -1,
		long: `Remove buckets, which must be empty. With --force all objects of a bucket are deleted first,
with all their versions, for good, and uploads in progress are aborted. On a terminal that
asks first.`,
		example: "  cairn rb s3://photos\n  cairn rb --force s3://scratch",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().BoolVar(&force, "force", false, "delete all that is in them first, for good")
			cmd.Flags().BoolVar(&yes, "yes", false, "do not ask for confirmation")
			cmd.Flags().BoolVar(&t.o.Bypass, "bypass-governance", false, "delete also what is retained in governance mode")
		},
		run: func(ctx context.Context, c *call, args []string) error {
			names, err := bucketNames(args)
			if err != nil {
				return err
			}
			if force && !yes && isTerminal(c.in) {
				what := fmt.Sprintf("Buckets %v and every version of everything in them will be deleted, for good.", names)
				if err := confirm(c.in, c.notes, what); err != nil {
					return err
				}
			}
			for _, name := range names {
				if err := t.removeBucket(ctx, c, name, force); err != nil {
					return err
				}
			}
			return nil
		},
	}.command()
}

func (t *transferring) removeBucket(ctx context.Context, c *call, name string, force bool) error {
	l := transfer.Location{Kind: transfer.Object, Bucket: name}
	if force {
		t.quiet = true
		sel := transfer.Selection{Recursive: true, Versions: true, Literal: true}
		if err := t.run(ctx, c, c.store.PlanRemove(ctx, []transfer.Location{l}, sel)); err != nil {
			return err
		}
		for u, err := range c.store.Uploads(ctx, name, "") {
			if err == nil {
				err = c.store.Abort(ctx, u)
			}
			if err != nil {
				return at(l, err)
			}
		}
	}
	if _, err := c.store.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &name}); err != nil {
		return at(l, err)
	}
	_, err := fmt.Fprintf(c.out, "removed %s%s\n", transfer.Scheme, name)
	return err
}
