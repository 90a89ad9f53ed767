package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/meta/check"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/node"
)

func newMetaCheck() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Look for records of a node's metadata that are wrong, offline",
		Long: `Look for records of a node's metadata that cannot be decoded or that contradict each
other. The node must not run. Records are called as logs call them; 20 at most are
told. It holds all metadata in memory. ` + "`cairn meta mend`" + ` shows a record, and mends or
removes it.

Exit status: 0 nothing is wrong, 1 something is, or refused, 2 wrong usage.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withMetadata(dir, func(o *node.Offline) error { return checkRecords(cmd, o) })
		},
	}
	cmd.Flags().StringVar(&dir, "data", "", "data directory that holds the metadata (required)")
	return cmd
}

// withMetadata opens the metadata of a node that does not run.
func withMetadata(dir string, do func(*node.Offline) error) error {
	if dir == "" {
		return &statusError{exitUsage, errors.New("--data is required")}
	}
	if _, err := os.Stat(dir); err != nil {
		return &statusError{exitUsage, err}
	}
	o, err := node.OpenOffline(vfs.Default, dir)
	if err != nil {
		return err
	}
	has, err := o.HasMetadata()
	switch {
	case err == nil && !has:
		err = fmt.Errorf("%s holds no metadata: name the directory that has meta/ in it", dir)
	case err == nil:
		err = do(o)
	}
	return errors.Join(err, o.Close())
}

func checkRecords(cmd *cobra.Command, o *node.Offline) error {
	faults, err := o.Faults()
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	for _, f := range faults {
		if f.Key == nil {
			fmt.Fprintln(out, f.What)
			continue
		}
		fmt.Fprintf(out, "%s: %s\n", record.Name(f.Key), f.What)
	}
	if len(faults) > 0 {
		return fmt.Errorf("the metadata of node %s contradict themselves", o.Node())
	}
	_, err = fmt.Fprintf(out, "the metadata of node %s agree with themselves\n", o.Node())
	return err
}

// mending is what `cairn meta mend` is asked to do.
type mending struct {
	dir, record, from   string
	remove, dryRun, yes bool
}

func newMetaMend() *cobra.Command {
	var m mending
	cmd := &cobra.Command{
		Use:   "mend",
		Short: "Show, mend or remove one record of a node's metadata, offline",
		Long: `Show one record of a node's metadata, and mend it (--from) or remove it (--remove).
The node must not run. --record is what a log or ` + "`cairn meta check`" + ` calls it, or its key in
hex. Without --from and --remove it is shown, and nothing else happens: as JSON, which
is what --from takes.

All voters must have the same records. So mend each of them alike while all are
stopped, or mend one and have the others made anew from it: docs/operations.md, "A
record is bad", tells when to do which. What a record means to others is not looked
at: run ` + "`cairn meta check`" + ` afterwards, and keep a copy of meta/ before.

Exit status: 0 shown or done, 1 refused, not confirmed or failed, 2 wrong usage.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if m.record == "" || m.remove && m.from != "" {
				return &statusError{exitUsage, errors.New("--record is required, and either --from or --remove")}
			}
			return withMetadata(m.dir, func(o *node.Offline) error { return m.run(cmd, o) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&m.dir, "data", "", "data directory that holds the metadata (required)")
	f.StringVar(&m.record, "record", "", "the record (required)")
	f.StringVar(&m.from, "from", "", "file with what the record is to be, in JSON")
	f.BoolVar(&m.remove, "remove", false, "remove it")
	f.BoolVar(&m.dryRun, "dry-run", false, "only show what it would become")
	f.BoolVar(&m.yes, "yes", false, "do not ask")
	return cmd
}

func (m *mending) run(cmd *cobra.Command, o *node.Offline) error {
	key, was, err := o.Record(m.record)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	fmt.Fprint(out, check.Show(key, was))
	if m.from == "" && !m.remove {
		return nil
	}
	var value []byte
	if m.from != "" {
		text, err := os.ReadFile(m.from)
		if err != nil {
			return &statusError{exitUsage, err}
		}
		if value, err = check.Encode(key, text); err != nil {
			return err
		}
		fmt.Fprint(out, "\nIt becomes:\n", check.Show(key, value))
	} else {
		fmt.Fprintln(out, "\nIt is removed.")
	}
	if m.dryRun {
		return nil
	}
	if !m.yes {
		what := fmt.Sprintf("This changes the metadata of node %s alone; all voters must have the same.", o.Node())
		if err := confirm(cmd.InOrStdin(), cmd.ErrOrStderr(), what); err != nil {
			return err
		}
	}
	return o.Mend(key, value)
}
