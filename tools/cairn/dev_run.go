package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cairnstore/cairn/node"
	"github.com/spf13/pflag"
)

// devRunning is a started dev cluster.
type devRunning struct {
	failed chan error                  // Carries what ended the cluster by itself.
	wait   func(context.Context) error // Returns when ctx ends or the cluster does.
	stop   func()
}

// startHere runs all nodes in this process.
func (c *devCluster) startHere(ctx context.Context) (*devRunning, error) {
	r := &devRunning{failed: make(chan error, len(c.configs))}
	var nodes []*node.Node
	r.stop = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		var wg sync.WaitGroup
		for _, n := range nodes {
			wg.Go(func() { _ = n.Stop(ctx) })
		}
		stopped := make(chan struct{})
		go func() {
			wg.Wait()
			close(stopped)
		}()
		select {
		case <-stopped:
		case <-time.After(stopTimeout + stopGrace): // A hung disk lets nobody go.
		}
	}
	for i, cfg := range c.configs {
		ownDirs(cfg.DataDirs)
		n, err := node.Start(ctx, cfg, node.OS(version))
		if err != nil {
			r.stop()
			return nil, fmt.Errorf("node %d: %w", i+1, err)
		}
		nodes = append(nodes, n)
		go func() {
			<-n.Failed()
			if err := n.Err(); err != nil {
				r.failed <- fmt.Errorf("node %d: %w", i+1, err)
			}
		}()
	}
	r.wait = func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return nil
		case err := <-r.failed:
			return err
		}
	}
	return r, nil
}

// startProcesses runs each node as a child. One that dies stays dead: the
// cluster goes on without it.
func (c *devCluster) startProcesses(ctx context.Context) (*devRunning, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	r := &devRunning{failed: make(chan error, 1)}
	var children []*exec.Cmd
	var gone sync.WaitGroup
	r.stop = func() {
		for _, child := range children {
			_ = child.Process.Signal(syscall.SIGTERM)
		}
		gone.Wait()
	}
	for i := range c.configs {
		child, err := c.spawn(self, i)
		if err != nil {
			r.stop()
			return nil, fmt.Errorf("node %d: %w", i+1, err)
		}
		children = append(children, child)
		gone.Go(func() {
			if err := child.Wait(); err != nil && ctx.Err() == nil {
				fmt.Fprintf(os.Stderr, "node %d (process %d) ended: %v; its log is %s\n",
					i+1, child.Process.Pid, err, c.nodeFile(i, "log"))
			}
		})
	}
	all := make(chan struct{})
	go func() {
		gone.Wait()
		close(all)
		r.failed <- errors.New("all nodes have ended")
	}()
	r.wait = func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return nil
		case <-all:
			return errors.New("all nodes have ended")
		}
	}
	return r, nil
}

func (c *devCluster) nodeFile(i int, name string) string {
	return filepath.Join(c.dir, fmt.Sprintf("node%d", i+1), name)
}

// spawn starts node i. Its settings are passed through the environment, where
// ps does not show the password.
func (c *devCluster) spawn(self string, i int) (*exec.Cmd, error) {
	if err := os.MkdirAll(filepath.Dir(c.nodeFile(i, "log")), 0o755); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(c.nodeFile(i, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // The child has its own.
	cmd := exec.Command(self, "server")
	own := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "CAIRN_") })
	cmd.Env = append(own, settingsEnv(c.configs[i])...)
	cmd.Env = append(cmd.Env, allowDevCredentials+"=1")
	cmd.Stdout, cmd.Stderr = log, log
	// A child outlives neither Ctrl-C here nor this process, but is not
	// interrupted before it is told to stop.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return cmd, os.WriteFile(c.nodeFile(i, "pid"), []byte(strconv.Itoa(cmd.Process.Pid)+"\n"), 0o644)
}

// allowDevCredentials marks a server as a child of cairn dev, which may use the
// public credentials.
const allowDevCredentials = "CAIRN_INTERNAL_DEV"

// settingsEnv returns cfg as environment variables.
func settingsEnv(cfg node.Config) []string {
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	var printed node.Config
	printed.Flags(fs)
	printed = cfg
	var env []string
	fs.VisitAll(func(f *pflag.Flag) {
		value := f.Value.String()
		if s, ok := f.Value.(pflag.SliceValue); ok {
			value = strings.Join(s.GetSlice(), ",")
		}
		env = append(env, node.EnvName(f.Name)+"="+value)
	})
	return env
}
