package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

func newUpload() *cobra.Command {
	list, abort := uploadList(), uploadAbort()
	cmd := noun("upload", "Multipart uploads in progress", uploadShow())
	cmd.AddCommand(orOfStore(list.command(), nil, listUploads))
	a := &uploadsAbort{}
	cmd.AddCommand(orOfStore(abort.command(), a.flags, a.run))
	return cmd
}

func uploadList() verb {
	var account, prefix string
	var most uint32
	return verb{
		use: "list [BUCKET]", short: "List uploads in progress",
		long: `List uploads in progress, of a bucket or of all buckets of an account; who
administers the cluster sees all. s3://BUCKET/PREFIX asks the S3 API, of any store.`,
		example: "  cairn upload list photos\n  cairn upload list s3://photos/2026/",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().StringVar(&account, "account", "", "owner of the buckets (default: yours, or all if you administer the cluster)")
			cmd.Flags().StringVar(&prefix, "prefix", "", "only keys that begin with it (default: all)")
			cmd.Flags().Uint32Var(&most, "max", 1000, "list at most so many, up to 10000")
		},
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			a, err := c.ListUploads(ctx, &adminpb.ListUploadsRequest{Account: account, Bucket: argument(args, 0), Prefix: prefix, Max: most})
			return &answer{a, func(w io.Writer) {
				row(w, "BUCKET", "KEY", "UPLOAD", "INITIATED", "INITIATOR")
				for _, u := range a.Uploads {
					row(w, u.Bucket, u.Key, u.Id, u.Initiated, u.Initiator)
				}
				if a.Truncated {
					fmt.Fprintln(w, "\nThere are more: name a bucket or a --prefix, or raise --max.")
				}
			}}, err
		},
	}
}

func uploadShow() verb {
	return verb{use: "show UPLOAD", short: "Show an upload in progress and its parts",
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			u, err := c.ShowUpload(ctx, &adminpb.UploadRef{Id: args[0]})
			return &answer{u, func(w io.Writer) { printUpload(w, u) }}, err
		}}
}

func uploadAbort() verb {
	return verb{
		use: "abort UPLOAD", short: "Abort an upload and free its parts",
		long: "Abort an upload and free its parts. s3://BUCKET/PREFIX aborts all uploads in progress of keys\n" +
			"that begin with the prefix, by the S3 API of any store.",
		example: "  cairn upload abort 0123abcd\n  cairn upload abort s3://photos/2026/ --older 7d",
		destroys: func(args []string) string {
			return fmt.Sprintf("Upload %s will be aborted and its parts deleted.", args[0])
		},
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			a, err := c.AbortUpload(ctx, &adminpb.UploadRef{Id: args[0]})
			return done(a, err, "upload %s aborted", args[0])
		},
	}
}

func printUpload(w io.Writer, u *adminpb.Upload) {
	row(w, "upload", u.Id)
	row(w, "object", "s3://"+u.Bucket+"/"+u.Key)
	row(w, "initiated", u.Initiated)
	row(w, "initiator", u.Initiator)
	row(w, "owner", u.Owner)
	row(w, "storage class", u.StorageClass)
	row(w, "encryption", strings.TrimSpace(u.Encryption+" "+u.KmsKeyId))
	row(w, "checksum", u.ChecksumAlgorithm)
	row(w, "parts", fmt.Sprintf("%d, %s", u.Parts, humanize.IBytes(u.Bytes)))
	if len(u.Part) == 0 {
		return
	}
	fmt.Fprintln(w)
	row(w, "PART", "SIZE", "ETAG", "MODIFIED")
	for _, p := range u.Part {
		row(w, p.Number, humanize.IBytes(p.Size), p.Etag, p.Modified)
	}
}
