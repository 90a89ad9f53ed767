package testbed

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cairnstore/cairn/cluster/identity"
)

// The credentials of the root user of every cluster.
const (
	RootUser     = "testbed-root"
	RootPassword = "testbed-root-secret-0123456789"
)

const (
	pollEvery    = 200 * time.Millisecond
	probeTimeout = 2 * time.Second
	loopback     = "127.0.0.1"
)

// Options say how a cluster is set up.
type Options struct {
	Bin     string   // The cairn binary.
	Dir     string   // Everything is kept below it.
	Expect  int      // How many nodes form the cluster. Those added later join it.
	Drives  int      // How many drives each node has; 0 means 1.
	TLS     bool     // The nodes speak HTTPS, with a certificate of an authority made for the cluster.
	Domain  string   // Buckets can be reached at BUCKET.Domain too.
	Flags   []string // More flags of every server. They come after those of the testbed, and so win.
	Env     []string // More environment of every server.
	Network Network  // Nil: all nodes are on loopback.
}

// Network gives each node a machine of its own.
type Network interface {
	// Host returns the address of node i, and the command that runs a program there.
	Host(i int) (addr string, prefix []string, err error)
}

// Cluster is a set of `cairn server` processes.
type Cluster struct {
	Options
	CAFile string       // The certificate of the authority, if Options.TLS is set.
	Client *http.Client // It trusts the authority, and finds the domain on loopback.

	certFile, keyFile string

	mu    sync.Mutex
	nodes []*Node
}

// New prepares a cluster without nodes: its key and, with TLS, its certificates.
func New(o Options) (*Cluster, error) {
	o.Drives = max(1, o.Drives)
	if _, err := os.Stat(o.Bin); err != nil {
		return nil, fmt.Errorf("the cairn binary is needed (make build): %w", err)
	}
	c := &Cluster{Options: o}
	key, err := exec.Command(o.Bin, "key", "new").Output()
	if err != nil {
		return nil, fmt.Errorf("cairn key new: %w", err)
	}
	if err := os.WriteFile(c.path("cluster.key"), key, 0o600); err != nil {
		return nil, err
	}
	return c, c.trust()
}

func (c *Cluster) path(name string) string { return filepath.Join(c.Dir, name) }

// trust makes the HTTP client and, with TLS, the certificates that it trusts.
func (c *Cluster) trust() error {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	c.Client = &http.Client{Transport: transport}
	if c.Domain != "" {
		transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(address)
			if err == nil && strings.HasSuffix("."+host, "."+c.Domain) {
				address = net.JoinHostPort(loopback, port)
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		}
	}
	if !c.TLS {
		return nil
	}
	var err error
	c.CAFile, c.certFile, c.keyFile, err = identity.LocalCA(c.path("tls"), slices.DeleteFunc([]string{c.Domain}, func(h string) bool { return h == "" }))
	if err != nil {
		return err
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return err
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool()}
	if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s holds no certificate", c.CAFile)
	}
	return nil
}

// Add gives the cluster n more nodes, which do not run yet.
func (c *Cluster) Add(n int) ([]*Node, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := len(c.nodes)
	for i := first; i < first+n; i++ {
		node, err := c.place(i)
		if err != nil {
			return nil, err
		}
		c.nodes = append(c.nodes, node)
	}
	return slices.Clone(c.nodes[first:]), nil
}

// place makes node i, with its addresses and directories.
func (c *Cluster) place(i int) (*Node, error) {
	n := &Node{Index: i, Dir: c.path("node" + strconv.Itoa(i+1)), Addr: loopback, c: c}
	var err error
	if c.Network == nil {
		n.ports, err = freePorts()
	} else {
		n.ports = ports{S3Port, RPCPort, RaftPort, GossipPort, MetricsPort}
		n.Addr, n.prefix, err = c.Network.Host(i)
	}
	if err != nil {
		return nil, err
	}
	for d := range c.Drives {
		name := "drive"
		if d > 0 {
			name += strconv.Itoa(d + 1)
		}
		n.Drives = append(n.Drives, filepath.Join(n.Dir, name))
	}
	return n, os.MkdirAll(n.Dir, 0o755)
}

// Nodes returns all nodes that were ever added.
func (c *Cluster) Nodes() []*Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.nodes)
}

// Up returns the nodes that run.
func (c *Cluster) Up() []*Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.nodes), func(n *Node) bool { return n.cmd == nil })
}

// Start adds n nodes, runs them and waits until they are ready.
func (c *Cluster) Start(ctx context.Context, n int) ([]*Node, error) {
	nodes, err := c.Add(n)
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		if err := c.Run(n); err != nil {
			return nil, err
		}
	}
	return nodes, c.WaitReady(ctx, nodes...)
}

// Kill ends nodes with SIGKILL, so that they can do nothing more, and waits until they have ended.
func (c *Cluster) Kill(nodes ...*Node) {
	var done []chan struct{}
	c.mu.Lock()
	for _, n := range nodes {
		if n.cmd != nil {
			_ = n.cmd.Process.Kill()
			n.cmd = nil
			done = append(done, n.done)
		}
	}
	c.mu.Unlock()
	for _, d := range done {
		<-d
	}
}

// KillAll kills all nodes.
func (c *Cluster) KillAll() { c.Kill(c.Nodes()...) }

// Stop asks a node to end, as systemd does, and waits until it has ended.
func (c *Cluster) Stop(ctx context.Context, n *Node) error { return c.End(ctx, n, syscall.SIGTERM) }

// End sends a node a signal and waits until it has ended.
func (c *Cluster) End(ctx context.Context, n *Node, by syscall.Signal) error {
	c.mu.Lock()
	cmd, done := n.cmd, n.done
	c.mu.Unlock()
	if cmd == nil {
		return nil
	}
	if err := cmd.Process.Signal(by); err != nil {
		return fmt.Errorf("%s to %s: %w", by, n, err)
	}
	select {
	case <-done:
	case <-ctx.Done():
		return fmt.Errorf("%s does not end: %w; its log:\n%s", n, context.Cause(ctx), n.LogTail())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n.cmd = nil
	return nil
}

// WaitReady waits until nodes are ready. It returns an error if one of them ends.
func (c *Cluster) WaitReady(ctx context.Context, nodes ...*Node) error {
	for _, n := range nodes {
		done := n.Done()
		for !n.Ready(ctx) {
			select {
			case <-done:
				return fmt.Errorf("%s ended; its log:\n%s", n, n.LogTail())
			case <-ctx.Done():
				return fmt.Errorf("%s is not ready: %w; its log:\n%s", n, context.Cause(ctx), n.LogTail())
			case <-time.After(pollEvery):
			}
		}
	}
	return nil
}

// Cairn runs an admin command as the root user, at a node that runs, and returns what it printed. An
// error holds what it printed to stderr.
func (c *Cluster) Cairn(ctx context.Context, args ...string) ([]byte, error) {
	up := c.Up()
	if len(up) == 0 {
		return nil, errors.New("no node runs")
	}
	return c.CairnAt(ctx, up[0], args...)
}

// CairnAt is Cairn at one node.
func (c *Cluster) CairnAt(ctx context.Context, n *Node, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, c.Bin, args...)
	cmd.Env = append(OwnEnviron(), "CAIRN_ENDPOINT="+n.Endpoint(), "CAIRN_CA_FILE="+c.CAFile,
		"CAIRN_ACCESS_KEY="+RootUser, "CAIRN_SECRET_KEY="+RootPassword)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		said := ""
		if errors.As(err, &exit) {
			said = strings.TrimSpace(string(exit.Stderr))
		}
		return out, fmt.Errorf("cairn %s: %w: %s", strings.Join(args, " "), err, cmp.Or(said, "it said nothing"))
	}
	return out, nil
}

// Until polls a condition until it holds (nil). If ctx ends before, the error names what was waited
// for, and why it did not hold the last time.
func Until(ctx context.Context, what string, holds func() error) error {
	for {
		why := holds()
		if why == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not in time: %s: %w (%w)", what, why, context.Cause(ctx))
		case <-time.After(pollEvery):
		}
	}
}
