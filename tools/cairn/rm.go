package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

func newRm() *cobra.Command {
	t := &transferring{removes: true}
	var yes bool
	return storeCommand{
		use: "rm s3://BUCKET/KEY [s3://BUCKET/KEY...]", short: "Delete objects",
		least: 1, most: -1,
		long: `Delete objects. With --recursive everything below a prefix goes: s3://b/log is s3://b/log/
then, and not s3://b/logbook. A key with * or ? is a pattern: * is any run of characters but /,
** any run. Where the bucket keeps versions the objects get delete markers, unless --versions is
given: then all their versions and delete markers go, for good.

On a terminal --recursive, --versions and patterns ask first. An object that is not there is
no failure.`,
		example: "  cairn rm s3://photos/2024/beach.jpg\n  cairn rm -r s3://photos/2024/ --exclude '*.raw' --dry-run\n" +
			"  cairn rm -r --versions s3://photos/2024/",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().BoolVarP(&t.sel.Recursive, "recursive", "r", false, "everything below a prefix")
			cmd.Flags().BoolVar(&t.sel.Versions, "versions", false, "all versions and delete markers, for good")
			cmd.Flags().BoolVar(&t.sel.Literal, "no-glob", false, "* and ? in keys are themselves")
			cmd.Flags().BoolVar(&t.o.Bypass, "bypass-governance", false, "delete also what is retained in governance mode")
			cmd.Flags().BoolVar(&yes, "yes", false, "do not ask for confirmation")
			t.selecting(cmd)
		},
		run: func(ctx context.Context, c *call, args []string) error {
			list, err := inStore(args, false)
			if err != nil {
				return err
			}
			for _, l := range list {
				switch {
				case !t.sel.Recursive && l.Key == "":
					return &statusError{exitUsage, fmt.Errorf("%s is a bucket: add --recursive to empty it, or use cairn rb", l)}
				case l.Version != "" && (t.sel.Recursive || t.sel.Versions):
					return &statusError{exitUsage, fmt.Errorf("%s names one version: leave --recursive and --versions out", l)}
				}
			}
			many := t.sel.Recursive || t.sel.Versions || t.sel.Wild(list)
			if many && !yes && !t.dryRun && isTerminal(c.in) {
				what := "Everything that is"
				if t.sel.Versions {
					what = "Every version and delete marker, for good, of what is"
				}
				if err := confirm(c.in, c.notes, fmt.Sprintf("%s %v will be deleted.", what, list)); err != nil {
					return err
				}
			}
			return t.run(ctx, c, c.store.PlanRemove(ctx, list, t.sel))
		},
	}.command()
}
