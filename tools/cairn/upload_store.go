package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/tools/transfer"
)

// orOfStore lets a command of the admin API take s3://BUCKET/PREFIX too, and ask the S3 API of any store
// then.
func orOfStore(cmd *cobra.Command, more func(*cobra.Command), run storeRun) *cobra.Command {
	admin := cmd.RunE
	if more != nil {
		more(cmd)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 || !strings.HasPrefix(args[0], transfer.Scheme) {
			return admin(cmd, args)
		}
		text := func(name string) string {
			f := cmd.Flags().Lookup(name)
			if f == nil {
				return ""
			}
			return f.Value.String()
		}
		where := storeFlags{target: target{Endpoint: text("endpoint"), AccessKey: text("access-key"),
			SecretKey: text("secret-key"), CAFile: text("ca-file"), profile: text("profile")}}
		output := text("output")
		if err := checkOutput(output); err != nil {
			return err
		}
		store, err := where.open(cmd.Context())
		if err != nil {
			return err
		}
		c := &call{store: store, in: cmd.InOrStdin(), out: cmd.OutOrStdout(), notes: cmd.ErrOrStderr(), output: output,
			yes: text("yes") == "true"}
		return storeFailure(cmd.Context(), store, run(cmd.Context(), c, args))
	}
	return cmd
}

// storedUpload is an upload in progress as JSON shows it.
type storedUpload struct {
	Key       string    `json:"key"`
	ID        string    `json:"upload_id"`
	Initiated time.Time `json:"initiated"`
	Class     string    `json:"storage_class"`
}

// listUploads lists the uploads in progress below a prefix.
func listUploads(ctx context.Context, c *call, args []string) error {
	list, err := inStore(args, false)
	if err != nil {
		return err
	}
	all := []storedUpload{}
	for u, err := range c.store.Uploads(ctx, list[0].Bucket, list[0].Key) {
		if err != nil {
			return err
		}
		all = append(all, storedUpload{u.At.Key, u.ID, u.Begun, u.Class})
	}
	if c.json() {
		return printWhole(c.out, map[string]any{"bucket": list[0].Bucket, "uploads": all})
	}
	return printTable(c.out, func(w io.Writer) {
		row(w, "INITIATED", "UPLOAD", "KEY")
		for _, u := range all {
			row(w, moment(u.Initiated), u.ID, plainName(u.Key))
		}
	})
}

// uploadsAbort is what aborts the uploads below a prefix.
type uploadsAbort struct {
	older  string
	dryRun bool
}

func (a *uploadsAbort) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.older, "older", "",
		"of s3://BUCKET/PREFIX only those begun before, as 12h or 30d (default: all)")
	cmd.Flags().BoolVar(&a.dryRun, "dry-run", false, "of s3://BUCKET/PREFIX: say what would be aborted, and abort nothing")
}

func (a *uploadsAbort) run(ctx context.Context, c *call, args []string) error {
	list, err := inStore(args, false)
	if err != nil {
		return err
	}
	before := time.Now()
	if a.older != "" {
		if before, err = ageOrTime(a.older, before); err != nil {
			return &statusError{exitUsage, fmt.Errorf("--older %w", err)}
		}
	}
	if !c.yes && !a.dryRun {
		what := fmt.Sprintf("The uploads in progress of %s will be aborted and their parts deleted.", list[0])
		if err := confirm(c.in, c.notes, what); err != nil {
			return err
		}
	}
	n, failed := 0, 0
	for u, err := range c.store.Uploads(ctx, list[0].Bucket, list[0].Key) {
		if err != nil {
			return err
		}
		if a.older != "" && !u.Begun.Before(before) {
			continue
		}
		if a.dryRun {
			fmt.Fprintln(c.out, "abort", u.At, u.ID)
			continue
		}
		if err := c.store.Abort(ctx, u); err != nil {
			failed++
			fmt.Fprintln(c.notes, at(u.At, err))
			continue
		}
		n++
	}
	if !a.dryRun {
		fmt.Fprintln(c.out, "aborted", plural(n, "upload"))
	}
	if failed > 0 {
		return &statusError{exitError, fmt.Errorf("%d of %d failed", failed, failed+n)}
	}
	return nil
}
