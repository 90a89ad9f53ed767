package main

import (
	"fmt"
	"io"

	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/spf13/cobra"
)

// Exit statuses of `cairn health`, as monitors know them.
const (
	healthWarning  = 1
	healthCritical = 2
	healthUnknown  = 3
)

func newHealth() *cobra.Command {
	var t target
	var output string
	var list bool
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Tell by the exit status how well the cluster is (for monitors)",
		Long: `Tell by the exit status how well the cluster is, and why in one line. Healthy means
that every node answers and that the metadata counts no missing shard and nothing
unfinished. --checks lists what was looked at.

Exit status: 0 healthy, 1 warning, 2 critical, 3 unknown: wrong usage, refused, or
the cluster cannot be asked.`,
		Args: noArgs,
	}
	unknown := func(err error) error {
		if err == nil {
			return nil
		}
		return &statusError{healthUnknown, fmt.Errorf("unknown: %w", err)}
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return unknown(err) })
	cmd.Args = func(cmd *cobra.Command, args []string) error { return unknown(noArgs(cmd, args)) }
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		h, err := t.health(cmd, output)
		if err != nil {
			return unknown(err)
		}
		out := cmd.OutOrStdout()
		switch {
		case output == outputJSON:
			err = printJSON(out, h)
		case list:
			err = printTable(out, func(w io.Writer) { checkTable(w, h) })
		default:
			_, err = fmt.Fprintf(out, "%s: %s\n", h.State, h.Reason)
		}
		if err != nil {
			return unknown(err)
		}
		return healthStatus(h)
	}
	t.flags(cmd)
	outputFlag(cmd, &output)
	cmd.Flags().BoolVar(&list, "checks", false, "list every check")
	return cmd
}

func (t *target) health(cmd *cobra.Command, output string) (*adminpb.Health, error) {
	if err := checkOutput(output); err != nil {
		return nil, err
	}
	if err := t.resolve(); err != nil {
		return nil, err
	}
	c, err := t.client()
	if err != nil {
		return nil, err
	}
	ctx, cancel := withTimeout(cmd.Context())
	defer cancel()
	h, err := c.ShowHealth(ctx, &adminpb.ShowHealthRequest{})
	if err != nil {
		return nil, t.adminError(err)
	}
	return h, nil
}

// healthStatus is the exit status of a state; the reason was told already.
func healthStatus(h *adminpb.Health) error {
	switch h.State {
	case "healthy":
		return nil
	case "warning":
		return &statusError{status: healthWarning}
	case "critical":
		return &statusError{status: healthCritical}
	}
	return &statusError{healthUnknown, fmt.Errorf("unknown: the cluster says %q", h.State)}
}

func checkTable(w io.Writer, h *adminpb.Health) {
	row(w, "CHECK", "STATE", "FOUND", "WHAT TO DO")
	for _, c := range h.Checks {
		row(w, c.Name, c.State, c.Found, c.Action)
	}
}
