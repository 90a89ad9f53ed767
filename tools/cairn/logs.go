package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

func newLogs() *cobra.Command {
	return noun("logs", "Logs of the nodes", logsLevel(), logsShow())
}

// logLevels are what the last argument of `logs level` can be.
var logLevels = []string{"debug", "info", "warn", "error", "default"}

func logsLevel() verb {
	var fallBack time.Duration
	return verb{
		use: "level [NODE] [LEVEL]", short: "Show or change how much nodes log",
		long: `Show how much nodes log, or change it without a restart: debug, info, warn, error, or
default for what the settings of the node say. Without NODE it is about all nodes. A
restart takes it back, and so does --for after its time.` + idHelp,
		example: "  cairn logs level\n  cairn logs level debug --for 10m\n  cairn logs level 3fa9 warn",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().DurationVar(&fallBack, "for", 0, "how long, before it falls back to the node's settings (0: until changed)")
		},
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			node, level := "", ""
			if n := len(args); n > 0 && slices.Contains(logLevels, args[n-1]) {
				level, args = args[n-1], args[:n-1]
			}
			node = argument(args, 0)
			if len(args) > 1 {
				return nil, &statusError{exitUsage, fmt.Errorf("%q is no log level: debug, info, warn, error or default", args[1])}
			}
			if level == "" {
				if fallBack != 0 {
					return nil, &statusError{exitUsage, fmt.Errorf("--for %s of which level?", fallBack)}
				}
				return showLevels(c.ListLogLevels(ctx, &adminpb.ListLogLevelsRequest{Node: node}))
			}
			if level == "default" {
				level = ""
			}
			return showLevels(c.SetLogLevel(ctx, &adminpb.SetLogLevelRequest{Node: node, Level: level, Seconds: uint32(fallBack.Seconds())}))
		},
	}
}

func showLevels(a *adminpb.LogLevels, err error) (*answer, error) {
	return &answer{a, func(w io.Writer) {
		row(w, "NODE", "S3", "LEVEL", "UNTIL", "SETTINGS")
		for _, l := range a.Nodes {
			if l.Error != "" {
				row(w, l.Node, l.S3Addr, "unknown", l.Error, "")
				continue
			}
			row(w, l.Node, l.S3Addr, l.Level, l.Until, l.Configured)
		}
	}}, err
}

func logsShow() verb {
	var lines uint32
	return verb{
		use: "show [NODE]", short: "Show the newest lines of nodes' logs",
		long: "Show the newest lines of nodes' logs, which each keeps in memory (2000 of them)." + idHelp,
		flags: func(cmd *cobra.Command) {
			cmd.Flags().Uint32Var(&lines, "lines", 100, "newest lines of each node")
		},
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			a, err := c.ListLogs(ctx, &adminpb.ListLogsRequest{Node: argument(args, 0), Lines: lines})
			return &answer{a, func(w io.Writer) {
				for _, n := range a.Nodes {
					if n.Error != "" {
						fmt.Fprintf(w, "%s  %s\n", n.Node, n.Error)
					}
					for _, line := range n.Lines {
						fmt.Fprintf(w, "%s  %s\n", n.Node, printable(line))
					}
				}
			}}, err
		},
	}
}
