package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/node"
	"github.com/cairnstore/cairn/tools/doctor"
)

func newDoctor() *cobra.Command {
	var t target
	var output string
	var dirs []string
	var all bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look at this machine and the cluster, and say what to change",
		Long: `Look at this machine and the cluster, and say what to change.

Of the machine: its kernel, clock, memory, swap and limits; with --data the file
systems, mount options, space and speed of the drives of a node (a file of 256 KiB is
written there and removed). Of the cluster: its health, the versions and settings of
its nodes, and from here the name, certificate and clock of the endpoint and the way
to every node. Without a cluster to ask, the machine alone is looked at.

Exit status: 0 nothing to change, 1 something to change, 2 wrong usage.`,
		Example: "  cairn doctor --data /srv/d1,/srv/d2\n  cairn doctor --all -o json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			found := doctor.Machine(dirs)
			more, err := t.examine(cmd.Context())
			if err != nil {
				return err
			}
			found = append(found, more...)
			return tellFindings(cmd.OutOrStdout(), found, output, all)
		},
	}
	t.flags(cmd)
	outputFlag(cmd, &output)
	cmd.Flags().StringSliceVar(&dirs, "data", nil,
		"directories of a node's drives on this machine, comma separated (CAIRN_DATA)")
	cmd.Flags().BoolVar(&all, "all", false, "also list what is well")
	cmd.PreRun = func(cmd *cobra.Command, _ []string) {
		if env := os.Getenv(node.EnvName("data")); env != "" && !cmd.Flags().Changed("data") {
			_ = cmd.Flags().Set("data", env) // Any text is a list of directories.
		}
	}
	return cmd
}

// examine looks at the cluster that the target names. Where it names none, that is the finding.
func (t *target) examine(ctx context.Context) ([]doctor.Finding, error) {
	if err := t.resolve(); err != nil {
		return []doctor.Finding{{Where: "cluster", What: "everything", State: doctor.Unknown, Found: sentence(err)}}, nil
	}
	admin, err := t.client()
	if err != nil {
		return nil, &statusError{exitUsage, err}
	}
	hc, err := t.httpClient()
	if err != nil {
		return nil, &statusError{exitUsage, err}
	}
	roots, err := t.roots()
	if err != nil {
		return nil, &statusError{exitUsage, err}
	}
	return (&doctor.Cluster{Endpoint: t.Endpoint, HTTP: hc, Roots: roots, Admin: admin}).Examine(ctx), nil
}

// tellFindings shows what is to be changed, or all.
func tellFindings(out io.Writer, found []doctor.Finding, output string, all bool) error {
	sick, unknown := 0, 0
	shown := []doctor.Finding{}
	for _, f := range found {
		switch {
		case f.Sick():
			sick++
		case f.State == doctor.Unknown:
			unknown++
		}
		if all || f.State != doctor.OK {
			shown = append(shown, f)
		}
	}
	var err error
	if output == outputJSON {
		lines := json.NewEncoder(out)
		lines.SetIndent("", "  ")
		err = lines.Encode(shown)
	} else {
		for _, f := range shown {
			fmt.Fprintf(out, "%-8s %s: %s: %s\n", f.State, f.Where, f.What, f.Found)
			if f.Action != "" {
				fmt.Fprintf(out, "         %s\n", f.Action)
			}
		}
		well := len(found) - sick - unknown
		_, err = fmt.Fprintf(out, "%d looked at: %d well, %d to change, %d unknown\n", len(found), well, sick, unknown)
	}
	if err == nil && sick > 0 {
		err = &statusError{status: exitError}
	}
	return err
}
