package main

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/tools/transfer"
)

// versionsOfObjects returns the commands below cairn version, which are of objects.
func versionsOfObjects() []*cobra.Command {
	return []*cobra.Command{versionList(), versionRestore()}
}

func versionList() *cobra.Command {
	l := &listing{versions: true, recursive: true}
	return storeCommand{
		use: "list s3://BUCKET[/PREFIX]", short: "List versions and delete markers of objects", least: 1, most: 1, json: true,
		long: `List all versions and delete markers of the objects whose keys begin with a prefix, the newest
of each key first.`,
		example: "  cairn version list s3://photos/2026/beach.jpg\n  cairn version list s3://photos/2026/ -o json",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().BoolVar(&l.exact, "bytes", false, "sizes in bytes")
			cmd.Flags().BoolVar(&l.literal, "no-glob", false, "* and ? in the prefix are themselves")
		},
		run: func(ctx context.Context, c *call, args []string) error {
			list, err := inStore(args, false)
			if err != nil {
				return err
			}
			return l.run(ctx, c, list[0])
		},
	}.command()
}

func versionRestore() *cobra.Command {
	t := &transferring{}
	return storeCommand{
		use: "restore s3://BUCKET/KEY", short: "Bring back an older version, or what was deleted", least: 1, most: 1,
		long: `Bring back an older version of an object: s3://BUCKET/KEY?versionId=ID becomes the latest one
again, by a copy inside the store. Without a version, an object that was deleted comes back:
its delete markers above the last version are removed. With --recursive that is done for all
objects below a prefix. Whether objects are cold is another matter: see cairn restore.`,
		example: "  cairn version restore 's3://photos/beach.jpg?versionId=3'\n  cairn version restore -r s3://photos/2026/",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().BoolVarP(&t.sel.Recursive, "recursive", "r", false, "everything that was deleted below a prefix")
			cmd.Flags().BoolVar(&t.dryRun, "dry-run", false, "say what would be done, and do nothing")
		},
		run: func(ctx context.Context, c *call, args []string) error {
			list, err := inStore(args, false)
			if err != nil {
				return err
			}
			l := list[0]
			t.o.StateDir, t.removes = stateDir(), true
			switch {
			case l.Version != "" && t.sel.Recursive:
				return &statusError{exitUsage, errors.New("?versionId= names one version: leave --recursive out")}
			case l.Version != "":
				t.removes = false
				to := l
				to.Version = ""
				return t.run(ctx, c, func(yield func(transfer.Task, error) bool) {
					yield(transfer.Task{From: l, To: to, Size: -1}, nil)
				})
			case l.Key == "" && !t.sel.Recursive:
				return &statusError{exitUsage, fmt.Errorf("%s is a bucket: add --recursive", l)}
			}
			return t.run(ctx, c, undeleted(ctx, c.store, l, t.sel.Recursive))
		},
	}.command()
}

// undeleted yields the deletion of the delete markers that hide objects.
func undeleted(ctx context.Context, s *transfer.Store, l transfer.Location, below bool) iter.Seq2[transfer.Task,
	error,
] {
	return func(yield func(transfer.Task, error) bool) {
		prefix := l.Key
		if below {
			prefix = l.Dir()
		}
		var above []transfer.Task // The markers of a key that nothing was found below of yet.
		n, key, hidden := 0, "", true
		for item, err := range s.List(ctx, l.Bucket, prefix, transfer.ListOptions{Versions: true}) {
			if err != nil {
				yield(transfer.Task{}, err)
				return
			}
			if !below && item.At.Key != l.Key {
				break
			}
			if item.At.Key != key {
				above, key, hidden = nil, item.At.Key, true
			}
			switch {
			case item.Marker && hidden:
				above = append(above, transfer.Task{Op: transfer.Delete, To: item.At})
			case hidden:
				hidden = false
				for _, t := range above {
					n++
					if !yield(t, nil) {
						return
					}
				}
			}
		}
		if n == 0 && !below {
			yield(transfer.Task{}, &transfer.Failure{At: l, Err: errors.New("it is not deleted, or nothing of it is left")})
		}
	}
}
