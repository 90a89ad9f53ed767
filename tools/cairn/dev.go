package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/cairnstore/cairn/cluster/identity"
	"github.com/cairnstore/cairn/node"
	"github.com/cairnstore/cairn/s3api/lifecycle"
	"github.com/spf13/cobra"
)

// readyTimeout bounds how long a dev cluster may take to form.
const readyTimeout = 60 * time.Second

// devOptions are the flags of `cairn dev`.
type devOptions struct {
	nodes, drives int
	dir, s3       string
	console       string
	consoleGiven  bool
	domain        string
	tls           bool
	processes     bool
	logLevel      string
	lifecycleDay  time.Duration
	eventTargets  []string
}

func newDev() *cobra.Command {
	var o devOptions
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Start a whole cluster on this machine to play with",
		Long: `Start a whole cluster on this machine to play with: --nodes nodes with --drives
drives each. Node i (from 1) serves S3 on the port of --s3 plus i - 1; every one of
them is an endpoint of the cluster. Credentials: ` + node.DevUser + ` / ` + node.DevPassword + `, which
everybody knows; where --s3 is an address that other machines reach, a secret of its
own is made for the cluster and kept in DIR/secret.

A directory that holds a dev cluster already goes on with its data. With
--processes each node is a process of its own that may be killed; its id and log
are DIR/node<i>/pid and DIR/node<i>/log.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.consoleGiven = cmd.Flags().Changed(consoleFlag)
			if given, ok := os.LookupEnv(node.EnvName(consoleFlag)); ok && !o.consoleGiven {
				o.console, o.consoleGiven = given, true
			}
			err := o.run(cmd.Context(), cmd.OutOrStdout())
			if cmd.Context().Err() != nil && err == nil {
				return nil
			}
			return err
		},
	}
	fs := cmd.Flags()
	fs.IntVar(&o.nodes, "nodes", 6, "number of nodes")
	fs.IntVar(&o.drives, "drives", 1, "drives of each node")
	fs.StringVar(&o.dir, "data", "cairn-dev", "directory for everything the cluster keeps")
	fs.StringVar(&o.s3, "s3", "127.0.0.1:9000", "S3 address of node 1; node i has the port plus i - 1")
	fs.StringVar(&o.console, consoleFlag, ":"+strconv.Itoa(consolePort),
		"address of the web console, which node 1 serves (CAIRN_CONSOLE); by default on the host of --s3, "+
			"and on the next port that is free; empty: none")
	fs.StringVar(&o.domain, "domain", "", "host name under which buckets are addressed as BUCKET.NAME")
	fs.BoolVar(&o.tls, "tls", false, "serve HTTPS, with certificates of an authority made under the data directory (ca.crt)")
	fs.BoolVar(&o.processes, "processes", false, "run each node as a process of its own")
	fs.DurationVar(&o.lifecycleDay, "lifecycle-day", lifecycle.DefaultDay, "how long a day of lifecycle rules is, to see them at work in seconds")
	fs.StringSliceVar(&o.eventTargets, "event-target", nil, "targets of event notifications, ID=URL: a webhook's, nats://HOST:PORT/SUBJECT, jetstream://HOST:PORT/SUBJECT or kafka://HOST:PORT,HOST:PORT/TOPIC")
	fs.StringVar(&o.logLevel, "log-level", "warn", "debug, info, warn or error")
	return cmd
}

// devCluster is a dev cluster about to run: its settings, node by node.
type devCluster struct {
	devOptions
	layout   devLayout
	secret   string // Of the root user.
	configs  []node.Config
	caFile   string
	hostname string
}

func (o devOptions) run(ctx context.Context, out io.Writer) error {
	c, err := o.prepare()
	if err != nil {
		return err
	}
	unlock, err := lockDir(c.dir)
	if err != nil {
		return err
	}
	defer unlock()
	start := c.startHere
	if o.processes {
		start = c.startProcesses
	}
	running, err := start(ctx)
	if err != nil {
		return err
	}
	defer running.stop()
	if err := c.waitReady(ctx, running); err != nil {
		return err
	}
	state := devState{target: c.target(), PID: os.Getpid(), Dir: c.dir}
	for i := range c.configs {
		state.Endpoints = append(state.Endpoints, c.endpoint(i))
	}
	remove, err := writeDevState(state)
	if err != nil {
		return fmt.Errorf("note the running cluster for the admin commands: %w", err)
	}
	defer remove()
	if err := c.banner(out); err != nil {
		return err
	}
	return running.wait(ctx)
}

// prepare checks the options and makes what all nodes need under the directory.
func (o devOptions) prepare() (*devCluster, error) {
	usage := func(format string, args ...any) error {
		return &statusError{exitUsage, fmt.Errorf(format, args...)}
	}
	if o.nodes < 1 || o.nodes > 64 {
		return nil, usage("--nodes %d: between 1 and 64", o.nodes)
	}
	if o.drives < 1 || o.drives > 16 {
		return nil, usage("--drives %d: between 1 and 16", o.drives)
	}
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return nil, usage("--data: %v", err)
	}
	o.dir = dir
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	c := &devCluster{devOptions: o}
	if c.layout, err = loadLayout(dir, o.nodes, o.drives); err != nil {
		return nil, err
	}
	keyFile, err := devKeyFile(dir)
	if err != nil {
		return nil, err
	}
	var certFile, certKey string
	if o.tls {
		hosts := []string{"localhost", "127.0.0.1", "::1"}
		if host, _, err := net.SplitHostPort(o.s3); err == nil && host != "" {
			hosts = append(hosts, host)
		}
		if o.domain != "" {
			hosts = append(hosts, o.domain, "*."+o.domain, "*.website."+o.domain)
		}
		if c.caFile, certFile, certKey, err = identity.LocalCA(dir, hosts); err != nil {
			return nil, fmt.Errorf("--tls: %w", err)
		}
	}
	host, port, err := splitPort(o.s3)
	if err != nil {
		return nil, usage("--s3: %v", err)
	}
	c.hostname = host
	if c.secret, err = devSecret(dir, host); err != nil {
		return nil, err
	}
	if c.console, err = o.consoleAddr(host, port); err != nil {
		return nil, err
	}
	for i := range o.nodes {
		c.configs = append(c.configs, c.nodeConfig(i, port, keyFile, certFile, certKey))
	}
	return c, nil
}

func (c *devCluster) nodeConfig(i, port int, keyFile, certFile, certKey string) node.Config {
	cfg := node.Defaults()
	home := filepath.Join(c.dir, fmt.Sprintf("node%d", i+1))
	for d := range c.drives {
		cfg.DataDirs = append(cfg.DataDirs, filepath.Join(home, fmt.Sprintf("drive%d", d+1)))
	}
	p := c.layout.Ports[i]
	local := func(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
	cfg.S3 = net.JoinHostPort(c.hostname, strconv.Itoa(port+i))
	if i == 0 {
		cfg.Console = c.console
	}
	cfg.RPC, cfg.Raft, cfg.Gossip = local(p.RPC), local(p.Raft), local(p.Gossip)
	cfg.Advertise = "127.0.0.1"
	for j, other := range c.layout.Ports {
		if j != i {
			cfg.Join = append(cfg.Join, local(other.Gossip))
		}
	}
	cfg.BootstrapExpect = c.nodes
	cfg.ClusterKeyFile = keyFile
	cfg.RootUser, cfg.RootPassword = node.DevUser, c.secret
	cfg.TLSCert, cfg.TLSKey = certFile, certKey
	if c.domain != "" {
		cfg.Domains = []string{c.domain}
		cfg.WebsiteDomains = []string{"website." + c.domain}
	}
	cfg.LogLevel = c.logLevel
	cfg.FastDetection = true
	cfg.LifecycleDay, cfg.EventTargets = c.lifecycleDay, c.eventTargets
	cfg.DriveReserve, cfg.MetadataReserve = devReserve, devMetadataReserve
	cfg.SegmentSize, cfg.MetadataCache = devSegment, devCache
	cfg.GCGrace = devGrace
	cfg.UpkeepEvery = devUpkeep
	cfg.RestoreExpedited, cfg.RestoreStandard, cfg.RestoreBulk = devExpedited, devStandard, devBulk
	return cfg
}

// Settings of dev nodes that differ from a server's: small disks, quick upkeep.
const (
	devReserve         = 256 << 20
	devMetadataReserve = 16 << 20
	devSegment         = 128 << 20
	devCache           = 64 << 20 // Several nodes share the machine.
	devGrace           = time.Minute
	devUpkeep          = 2 * time.Second

	devExpedited = time.Second
	devStandard  = 5 * time.Second
	devBulk      = 10 * time.Second
)

// target returns how admin commands reach the cluster.
func (c *devCluster) target() target {
	return target{Endpoint: c.endpoint(0), AccessKey: node.DevUser, SecretKey: c.secret, CAFile: c.caFile}
}

// endpoint returns the S3 endpoint of node i, as a client on this machine names it.
func (c *devCluster) endpoint(i int) string { return c.url(c.configs[i].S3) }

// url returns the address of a listener, as a client on this machine names it.
func (c *devCluster) url(addr string) string {
	scheme := "http"
	if c.tls {
		scheme = "https"
	}
	host, port, _ := net.SplitHostPort(addr)
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// waitReady returns once every node answers /readyz.
func (c *devCluster) waitReady(ctx context.Context, running *devRunning) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for i := range c.configs {
		t := target{Endpoint: c.endpoint(i), CAFile: c.caFile}
		for {
			err := t.probe(ctx, "/readyz", io.Discard)
			if err == nil {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("node %d is not ready: %w", i+1, err)
			case err := <-running.failed:
				return err
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return nil
}

func (c *devCluster) banner(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\nCairn is running: %s, %s each.\n\n",
		counted(c.nodes, "node", "nodes"), counted(c.drives, "drive", "drives"))
	for i := range c.configs {
		label := "S3 endpoints"
		if i > 0 {
			label = ""
		}
		fmt.Fprintf(&b, "  %-13s %s\n", label, c.endpoint(i))
	}
	if c.console != "" {
		fmt.Fprintf(&b, "  %-13s %s\n", "console", c.url(c.console))
	}
	fmt.Fprintf(&b, "  %-13s %s / %s\n", "credentials", node.DevUser, c.secret)
	fmt.Fprintf(&b, "  %-13s %s\n", "data", c.dir)
	if c.processes {
		fmt.Fprintf(&b, "  %-13s %s\n", "processes", filepath.Join(c.dir, "node*", "pid")+" (and log)")
	}
	fmt.Fprintf(&b, "\nPaste this to use it with the aws CLI:\n\n")
	ca := ""
	if c.tls {
		ca = " AWS_CA_BUNDLE=" + c.caFile
	}
	fmt.Fprintf(&b, "  export AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s AWS_DEFAULT_REGION=us-east-1\n", node.DevUser, c.secret)
	fmt.Fprintf(&b, "  export AWS_ENDPOINT_URL=%s%s\n", c.endpoint(0), ca)
	fmt.Fprintf(&b, "  aws s3 mb s3://first && echo hello | aws s3 cp - s3://first/hello && aws s3 ls s3://first\n\n")
	fmt.Fprintf(&b, "Stop it with Ctrl-C; the data stays.\n")
	_, err := io.WriteString(out, b.String())
	return err
}

func splitPort(addr string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, fmt.Errorf("%q is not of the form HOST:PORT", addr)
	}
	port, err = strconv.Atoi(text)
	if err != nil || port < 1 || port > 65000 {
		return "", 0, fmt.Errorf("%q has no port between 1 and 65000", addr)
	}
	return host, port, nil
}

// devSecret returns the secret key of the root user: the well-known one where only this
// machine reaches the cluster, else one that is made on first use.
func devSecret(dir, host string) (string, error) {
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return node.DevPassword, nil
	}
	path := filepath.Join(dir, "secret")
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		text = []byte(rand.Text())
		return string(text), os.WriteFile(path, append(text, '\n'), 0o600)
	}
	return strings.TrimSpace(string(text)), err
}

// devKeyFile returns the file of the cluster's key, made on first use.
func devKeyFile(dir string) (string, error) {
	path := filepath.Join(dir, "cluster.key")
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return path, err
	}
	text, err := identity.NewKeyText()
	if err != nil {
		return "", err
	}
	return path, os.WriteFile(path, []byte(text+"\n"), 0o600)
}
