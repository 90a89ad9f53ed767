package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/tools/transfer"
)

func newCat() *cobra.Command {
	t := &transferring{}
	return storeCommand{
		use: "cat s3://BUCKET/KEY [s3://BUCKET/KEY...]", short: "Write objects to standard output",
		least: 1, most: -1,
		long: `Write objects to standard output, one after another. The bytes are compared with what was
stored; where they differ this is known, and told by the exit status, only at the end.`,
		example: "  cairn cat s3://photos/notes.txt\n  cairn cat 's3://photos/notes.txt?versionId=3' | less",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().IntVar(&t.o.Parallel, "parallel", transfer.UsualParallel, "parts that are fetched at once, up to 64")
			cmd.Flags().StringVar(&t.partSize, "part-size", "16MiB", "size of parts")
		},
		run: func(ctx context.Context, c *call, args []string) error {
			list, err := inStore(args, true)
			if err != nil {
				return err
			}
			if err := t.check(); err != nil {
				return err
			}
			for _, from := range list {
				if err := t.get(ctx, c, from); err != nil {
					return err
				}
			}
			return nil
		},
	}.command()
}

func newPut() *cobra.Command {
	t := &transferring{}
	return storeCommand{
		use: "put [FILE] s3://BUCKET/KEY", short: "Write a file, or standard input, to one object",
		least: 1, most: 2,
		long: `Write a file to one object, or standard input where no file is named. Nothing stays of an
input that breaks off with an error. * and ? in the key are themselves.`,
		example: "  cairn put report.pdf s3://reports/2026.pdf\n  pg_dump shop | cairn put s3://backup/shop.sql",
		flags:   func(cmd *cobra.Command) { t.putFlags(cmd) },
		run: func(ctx context.Context, c *call, args []string) error {
			if len(args) == 1 {
				args = []string{"-", args[0]}
			}
			t.sel.Literal = true
			if _, err := inStore(args[1:], false); err != nil {
				return err
			}
			return t.copy(ctx, c, args)
		},
	}.command()
}

func (t *transferring) putFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&t.quiet, "quiet", "q", false, "say only what failed")
	t.copying(cmd)
}
