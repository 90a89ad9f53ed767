package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/tools/transfer"
)

// storeCommand is a command that works with the objects of a store.
type storeCommand struct {
	use     string // Name and arguments.
	short   string
	long    string
	example string

	least, most int // Arguments; most < 0: as many as there are.
	json        bool
	flags       func(cmd *cobra.Command)
	// run does it. Its errors get their exit status.
	run storeRun
}

// storeRun does what a command does, with its arguments.
type storeRun func(ctx context.Context, c *call, args []string) error

// call is what a storeCommand is run with.
type call struct {
	store      *transfer.Store
	in         io.Reader
	out, notes io.Writer
	output     string
	yes        bool // Nobody is asked.
}

// json reports whether -o json was given.
func (c *call) json() bool { return c.output == outputJSON }

func (s storeCommand) command() *cobra.Command {
	var where storeFlags
	var output string
	_, takes, _ := strings.Cut(s.use, " ")
	cmd := &cobra.Command{Use: s.use, Short: s.short, Long: s.long + "\n\n" + storeHelp, Example: s.example,
		Args: atLeast(takes, s.least, s.most)}
	if takes == "" {
		cmd.Args = atLeast("no arguments", 0, 0)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if output != "" {
			if err := checkOutput(output); err != nil {
				return err
			}
		}
		store, err := where.open(cmd.Context())
		if err != nil {
			return err
		}
		c := &call{store: store, in: cmd.InOrStdin(), out: cmd.OutOrStdout(), notes: cmd.ErrOrStderr(), output: output}
		return storeFailure(cmd.Context(), store, s.run(cmd.Context(), c, args))
	}
	where.flags(cmd)
	if s.json {
		outputFlag(cmd, &output)
	}
	cmd.ValidArgsFunction = where.completeKeys(strings.Contains(s.use, "SOURCE") || strings.Contains(s.use, "FILE"))
	if s.flags != nil {
		s.flags(cmd)
	}
	return cmd
}
