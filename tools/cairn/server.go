package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cairnstore/cairn/node"
	"github.com/spf13/cobra"
)

// stopTimeout bounds a graceful stop; what runs longer is cut off.
const stopTimeout = 20 * time.Second

// stopGrace is how long after stopTimeout the process ends whatever is left.
const stopGrace = 5 * time.Second

func newServer() *cobra.Command {
	var cfg node.Config
	var file string
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Run one node of a cluster",
		Long: `Run one node of a cluster.

Every flag can be set as an environment variable (CAIRN_ and its name in capitals,
- as _: CAIRN_ROOT_PASSWORD) or in the YAML file named by --config (as name: value).
A flag goes before the environment, the environment before the file. A variable that
begins with CAIRN_ and is none of them ends the start: it may be misspelt. Sizes are
given as 64KiB or 5MB, durations as 150ms, 10s or 1h.

A new cluster is started by giving N nodes the same command, with
--bootstrap-expect N and --join naming at least one of the others.`,
		Example: `  cairn server --data /srv/d1,/srv/d2 --advertise node1.example.com --zone rack1 \
    --join node2.example.com:9003,node3.example.com:9003 --bootstrap-expect 3 \
    --cluster-key-file /etc/cairn/cluster.key --root-user admin`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				file = os.Getenv(node.EnvName("config"))
			}
			if err := node.CheckEnv(cmd.Flags(), os.Environ()); err != nil {
				return &statusError{exitUsage, err}
			}
			if err := node.Fill(cmd.Flags(), file); err != nil {
				return &statusError{exitUsage, err}
			}
			cfg.AllowDevCredentials = os.Getenv(allowDevCredentials) != ""
			if err := cfg.Validate(); err != nil {
				return &statusError{exitUsage, err}
			}
			return serve(cmd.Context(), cfg)
		},
	}
	cfg.Flags(cmd.Flags())
	cmd.Flags().StringVar(&file, "config", "", "YAML file of settings")
	cmd.SetUsageFunc(groupedUsage)
	return cmd
}

// serve runs a node until ctx ends or the node fails.
func serve(ctx context.Context, cfg node.Config) error {
	ownDirs(cfg.DataDirs)
	n, err := start(ctx, cfg)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-n.Failed():
	}
	stopCtx, cancel := context.WithTimeout(context.Background(), cfg.ShutdownDelay+stopTimeout)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- n.Stop(stopCtx) }()
	select {
	case err = <-stopped:
	case <-time.After(cfg.ShutdownDelay + stopTimeout + stopGrace): // A hung disk lets nobody go.
		err = errors.New("not everything ended in time; what was acknowledged is safe")
	}
	if err := errors.Join(n.Err(), err); err != nil {
		return fmt.Errorf("stopped: %w", err)
	}
	return nil
}

// startGrace is how long a start that was interrupted may take to end by itself.
const startGrace = 5 * time.Second

// start starts a node. If ctx ends, the start ends soon too, whatever it waits for. The node has
// promised nothing by then, and its data are made for a process that may end at any moment.
func start(ctx context.Context, cfg node.Config) (*node.Node, error) {
	type started struct {
		n   *node.Node
		err error
	}
	done := make(chan started, 1)
	go func() { // It ends with the start, or with the process.
		n, err := node.Start(ctx, cfg, node.OS(version))
		done <- started{n, err}
	}()
	select {
	case s := <-done:
		return s.n, s.err
	case <-ctx.Done():
	}
	select {
	case s := <-done:
		return s.n, s.err
	case <-time.After(startGrace):
		return nil, errors.New("the start was interrupted while it was opening the data")
	}
}
