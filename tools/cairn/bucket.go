package main

import (
	"context"
	"fmt"
	"io"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

func newBucket() *cobra.Command {
	cmd := noun("bucket", "Buckets: what they hold, and what is set for them", bucketList(), bucketShow(), bucketMake(),
		bucketDelete())
	for _, p := range bucketParts() {
		cmd.AddCommand(p.command())
	}
	return cmd
}

func bucketList() verb {
	r := &adminpb.ListBucketsRequest{}
	return verb{
		use: "list", short: "List buckets, what they hold, and how much they may",
		long: `List the buckets of an account, or of all accounts to who administers the cluster,
what they hold, and how much they may. The numbers are exact: the metadata counts with
each change. OBJECTS are all versions but delete markers.`,
		example: "  cairn bucket list --account acme\n  cairn bucket list --prefix logs- -o json",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().StringVar(&r.Account, "account", "", "owner of the buckets (default: yours, or all if you administer the cluster)")
			cmd.Flags().StringVar(&r.Prefix, "prefix", "", "only names that begin with it (default: all)")
			cmd.Flags().StringVar(&r.After, "after", "", "only names after it (default: from the first)")
			cmd.Flags().Uint32Var(&r.Max, "max", 1000, "list at most so many, up to 10000")
		},
		run: func(ctx context.Context, c api, _ io.Reader, _ []string) (*answer, error) {
			a, err := c.ListBuckets(ctx, r)
			return &answer{a, func(w io.Writer) {
				row(w, "BUCKET", "OWNER", "OBJECTS", "SIZE", "QUOTA", "USED", "VERSIONING", "CREATED")
				for _, b := range a.Buckets {
					row(w, b.Name, b.Owner, b.Objects, humanize.IBytes(b.Bytes), quota(b), percent(b.Bytes, b.QuotaBytes), b.Versioning, b.Created)
				}
				if a.Truncated {
					fmt.Fprintln(w, "\nThere are more: give a --prefix or --after, or raise --max.")
				}
			}}, err
		},
	}
}

func bucketShow() verb {
	return verb{
		use: "show BUCKET", short: "Show a bucket, what it holds, and what is set for it",
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			b, err := c.ShowBucket(ctx, &adminpb.BucketRef{Name: args[0]})
			return &answer{b, func(w io.Writer) { printBucket(w, b) }}, err
		},
	}
}

func printBucket(w io.Writer, b *adminpb.Bucket) {
	row(w, "bucket", b.Name)
	row(w, "owner", b.Owner)
	row(w, "created", b.Created)
	row(w, "region", b.Region)
	row(w, "objects", fmt.Sprintf("%d (all versions but delete markers)", b.Objects))
	row(w, "size", fmt.Sprintf("%s (%d bytes)", humanize.IBytes(b.Bytes), b.Bytes))
	row(w, "quota", quota(b))
	if b.QuotaBytes > 0 {
		row(w, "used", bar(b.Bytes, b.QuotaBytes)+" "+percent(b.Bytes, b.QuotaBytes))
	}
	row(w, "versioning", b.Versioning)
	row(w, "object lock", b.ObjectLock)
	row(w, "storage class", b.StorageClass)
	row(w, "configured", b.Configured)
}

// quota is what a bucket may hold, as people read it.
func quota(b *adminpb.Bucket) string {
	if b.QuotaBytes == 0 {
		return "none"
	}
	return humanize.IBytes(b.QuotaBytes)
}
