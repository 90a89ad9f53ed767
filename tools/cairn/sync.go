package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/tools/transfer"
)

// settledAfter is how often --watch looks at a source that changes all the time, before it copies what is
// there.
const settledAfter = 10

func newSync() *cobra.Command {
	t := &transferring{}
	var p transfer.SyncPlan
	var watch bool
	var interval time.Duration
	return storeCommand{
		use: "sync SOURCE DEST", short: "Make a directory or prefix like another", least: 2, most: 2,
		long: `Copy what is new or has changed from a directory or prefix to another: what has another size,
or is younger than what is there. With --delete what the source does not have goes, after
everything else, and only if all of the source could be read. What --exclude leaves out is
neither copied nor deleted.

With --watch it goes on: whenever the source has changed and then rested for an interval,
it is done again, until Ctrl-C.`,
		example: "  cairn sync photos s3://photos/2026/\n  cairn sync --delete --dry-run s3://photos/2026 backup\n" +
			"  cairn sync --watch --delete www s3://site/ --exclude '.git/*'",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().BoolVar(&p.Delete, "delete", false, "delete what the source does not have")
			cmd.Flags().BoolVar(&p.SizeOnly, "size-only", false, "what has the same size is the same")
			cmd.Flags().BoolVar(&watch, "watch", false, "go on, and do it again when the source has changed")
			cmd.Flags().DurationVar(&interval, "interval", 2*time.Second, "how often --watch looks")
			t.selecting(cmd)
			t.copying(cmd)
		},
		run: func(ctx context.Context, c *call, args []string) error {
			list, err := places(args)
			if err != nil {
				return err
			}
			if err := t.check(); err != nil {
				return err
			}
			p.From, p.To, p.Rules = list[0], list[1], t.sel.Rules
			switch err := p.Check(); {
			case err != nil:
				return err
			case watch && t.dryRun:
				return &statusError{exitUsage, errors.New("--watch and --dry-run: give one of them")}
			case watch && interval < 100*time.Millisecond:
				return &statusError{exitUsage, fmt.Errorf("--interval %s: at least 100ms", interval)}
			case watch:
				return t.watch(ctx, c, p, interval)
			}
			return t.run(ctx, c, c.store.PlanSync(ctx, p))
		},
	}.command()
}

// watch syncs whenever the source has changed and then rested. It ends with ctx, and that is no failure
// unless it is in the middle of something.
func (t *transferring) watch(ctx context.Context, c *call, p transfer.SyncPlan, interval time.Duration) error {
	synced, before, restless := "", "", 0
	for first := true; ; first = false {
		now, err := c.store.Fingerprint(ctx, p.From, p.Rules)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && first:
			return err
		case err != nil:
			fmt.Fprintln(c.notes, at(p.From, err))
		case first || now != synced && (now == before || restless >= settledAfter):
			err := t.run(ctx, c, c.store.PlanSync(ctx, p))
			var own *statusError
			switch {
			case ctx.Err() != nil:
				return err
			case err == nil:
				synced, restless = now, 0
			case first && errors.As(err, &own) && own.status != exitError:
				return err
			default:
				fmt.Fprintln(c.notes, "cairn:", sentence(err), "- it is tried again")
			}
		case now != synced:
			restless++
		}
		before = now
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(interval):
		}
	}
}
