package main

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
)

func bucketMake() verb {
	var region string
	var lock bool
	return verb{
		use: "make BUCKET", short: "Make a bucket",
		example: "  cairn bucket make reports\n  cairn bucket make archive --lock",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().StringVar(&region, "region", "", "region of the bucket (default: the cluster's)")
			cmd.Flags().BoolVar(&lock, "lock", false, "the bucket has object lock, and so keeps versions")
		},
		s3: func(ctx context.Context, c *bucketClient, _ io.Reader, args []string) (*answer, error) {
			in := &s3.CreateBucketInput{Bucket: &args[0]}
			if lock {
				in.ObjectLockEnabledForBucket = &lock
			}
			if region != "" {
				at := types.BucketLocationConstraint(region)
				in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: at}
			}
			_, err := c.CreateBucket(ctx, in)
			return changedBucket(args[0], "made"), err
		},
	}
}

func bucketDelete() verb {
	return verb{
		use: "delete BUCKET", short: "Delete a bucket that is empty",
		long: "Delete a bucket. One that holds something is refused: empty it first, with\n" +
			"`cairn object rm --recursive --versions s3://BUCKET/`.",
		example: "  cairn bucket delete reports",
		destroys: func(args []string) string {
			return fmt.Sprintf("Bucket %s and what is set for it will be deleted.", args[0])
		},
		s3: func(ctx context.Context, c *bucketClient, _ io.Reader, args []string) (*answer, error) {
			_, err := c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &args[0]})
			return changedBucket(args[0], "deleted"), err
		},
	}
}

func changedBucket(name, what string) *answer {
	return &answer{message: map[string]string{"bucket": name, "change": what},
		table: func(w io.Writer) { fmt.Fprintf(w, "bucket %s %s\n", name, what) }}
}

// bucketQuota is how many bytes a bucket may hold, and holds.
type bucketQuota struct {
	QuotaBytes uint64 `json:"quota_bytes"` // 0: no limit.
	UsedBytes  uint64 `json:"used_bytes"`
	Objects    uint64 `json:"objects"`
}

func quotaPart() part {
	set := func(ctx context.Context, c *bucketClient, bucket string, document any) error {
		body, err := xml.Marshal(struct {
			XMLName      xml.Name `xml:"Quota"`
			StorageQuota uint64
		}{StorageQuota: document.(*bucketQuota).QuotaBytes})
		if err == nil {
			_, err = c.raw.call(ctx, http.MethodPut, objectPath(bucket, ""), "quota=", body)
		}
		return err
	}
	return part{
		name: "quota", short: "the quota", takes: "SIZE", example: "  cairn bucket quota set reports 10GiB",
		long: "SIZE is a number of bytes, or as in 500MB or 10GiB. A write beyond it is refused; what\n" +
			"is there stays. All versions and parts count.",
		get: func(ctx context.Context, c *bucketClient, bucket string) (any, error) {
			out, quota, used := &bucketQuota{}, struct{ StorageQuota uint64 }{}, struct{ Size, ObjectNumber uint64 }{}
			for query, into := range map[string]any{"quota=": &quota, "storageinfo=": &used} {
				text, err := c.raw.call(ctx, http.MethodGet, objectPath(bucket, ""), query, nil)
				if err != nil {
					return nil, err
				}
				if err := xml.Unmarshal(text, into); err != nil {
					return nil, fmt.Errorf("an answer that cannot be read: %w", err)
				}
			}
			out.QuotaBytes, out.UsedBytes, out.Objects = quota.StorageQuota, used.Size, used.ObjectNumber
			return out, nil
		},
		show: func(w io.Writer, document any) {
			q := document.(*bucketQuota)
			if q.QuotaBytes == 0 {
				row(w, "quota", "none")
				row(w, "used", humanize.IBytes(q.UsedBytes))
				return
			}
			row(w, "quota", humanize.IBytes(q.QuotaBytes))
			row(w, "used", fmt.Sprintf("%s %s %s", bar(q.UsedBytes, q.QuotaBytes), percent(q.UsedBytes, q.QuotaBytes),
				humanize.IBytes(q.UsedBytes)))
		},
		build: func(_ context.Context, _ *bucketClient, args []string) (any, error) {
			n, err := humanize.ParseBytes(args[1])
			if err != nil || n == 0 {
				return nil, &statusError{exitUsage,
					fmt.Errorf("%q is no size, such as 10GiB; `cairn bucket quota clear` takes a quota away", args[1])}
			}
			return &bucketQuota{QuotaBytes: n}, nil
		},
		put: set,
		clear: func(ctx context.Context, c *bucketClient, bucket string) error {
			return set(ctx, c, bucket, &bucketQuota{})
		},
	}
}
