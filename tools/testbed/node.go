package testbed

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Node is one server process, or what is left of it.
type Node struct {
	Index  int
	Addr   string // IP address.
	Dir    string
	Drives []string // The directories of its drives, below Dir.
	Flags  []string // More flags, besides those of all nodes.
	User   uint32   // The user and group that the process runs as; 0: those of this process.

	c      *Cluster
	prefix []string // The command that runs its command line, as Network.Host returned it.
	ports  ports

	// Guarded by c.mu.
	cmd   *exec.Cmd // Nil while the node is down.
	done  chan struct{}
	began int64 // Where in its log the last run begins.
}

func (n *Node) String() string { return "node " + strconv.Itoa(n.Index+1) }

// Host returns the address of the S3 listener.
func (n *Node) Host() string { return n.at(n.ports.s3) }

// Endpoint returns the URL of the S3 listener.
func (n *Node) Endpoint() string {
	if n.c.TLS {
		return "https://" + n.Host()
	}
	return "http://" + n.Host()
}

// RPCHost returns the address of the internode listener.
func (n *Node) RPCHost() string { return n.at(n.ports.rpc) }

// RaftHost returns the address of the listener of Raft.
func (n *Node) RaftHost() string { return n.at(n.ports.raft) }

// MetricsURL returns the URL of the node's metrics, without TLS.
func (n *Node) MetricsURL() string { return "http://" + n.at(n.ports.metrics) + "/metrics" }

// Client returns the HTTP client that reaches the node.
func (n *Node) Client() *http.Client { return n.c.Client }

func (n *Node) at(port int) string { return net.JoinHostPort(n.Addr, strconv.Itoa(port)) }

// Running reports whether the process was started, and was neither killed nor stopped since.
func (n *Node) Running() bool {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	return n.cmd != nil
}

// Done returns a channel that is closed when the process has ended. The node must have been run.
func (n *Node) Done() <-chan struct{} {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	return n.done
}

// Pid returns the process's id; 0 while it is down.
func (n *Node) Pid() int {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	if n.cmd == nil {
		return 0
	}
	return n.cmd.Process.Pid
}

// KillNow sends SIGKILL and does not wait. Kill must be called after it, which waits.
func (n *Node) KillNow() {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	if n.cmd != nil {
		_ = n.cmd.Process.Kill()
	}
}

// OwnEnviron returns the environment of this process without settings of Cairn's: those are for the
// test, and must not reach a server that it runs.
func OwnEnviron() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "CAIRN_") })
}

// Run starts a node that is down. It does not wait until it is ready.
func (c *Cluster) Run(n *Node) error {
	log, err := os.OpenFile(filepath.Join(n.Dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	before, err := log.Stat()
	if err != nil {
		return err
	}
	args := c.arguments(n)
	c.mu.Lock()
	defer c.mu.Unlock()
	if n.cmd != nil {
		return fmt.Errorf("%s runs already", n)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(OwnEnviron(), "CAIRN_ROOT_USER="+RootUser, "CAIRN_ROOT_PASSWORD="+RootPassword)
	cmd.Env = append(cmd.Env, c.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if n.User != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: n.User, Gid: n.User}
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", n, err)
	}
	done := make(chan struct{})
	go func() { // Ends with the process.
		_ = cmd.Wait()
		close(done)
	}()
	n.cmd, n.done, n.began = cmd, done, before.Size()
	return nil
}

// Log returns what the node has logged since it was last started.
func (n *Node) Log() (string, error) {
	n.c.mu.Lock()
	began := n.began
	n.c.mu.Unlock()
	text, err := os.ReadFile(filepath.Join(n.Dir, "log"))
	if err != nil {
		return "", err
	}
	return string(text[min(began, int64(len(text))):]), nil
}

// Refused runs a node that must end by itself, and returns its exit status and its log. If it does
// not end before ctx does, Refused kills it and returns an error.
func (c *Cluster) Refused(ctx context.Context, n *Node) (status int, said string, err error) {
	if err := c.Run(n); err != nil {
		return 0, "", err
	}
	select {
	case <-n.Done():
	case <-ctx.Done():
		c.Kill(n)
		return 0, "", fmt.Errorf("%s does not end by itself: %w; its log:\n%s", n, context.Cause(ctx), n.LogTail())
	}
	c.mu.Lock()
	status = n.cmd.ProcessState.ExitCode()
	n.cmd = nil
	c.mu.Unlock()
	said, err = n.Log()
	return status, said, err
}

// arguments returns a node's command line.
func (c *Cluster) arguments(n *Node) []string {
	var join []string
	for _, o := range c.Nodes() {
		if o != n {
			join = append(join, o.at(o.ports.gossip))
		}
	}
	args := append(append([]string{}, n.prefix...), c.Bin, "server", "--data", strings.Join(n.Drives, ","),
		"--s3", n.at(n.ports.s3), "--rpc", n.at(n.ports.rpc), "--raft", n.at(n.ports.raft), "--gossip", n.at(n.ports.gossip),
		"--metrics-addr", n.at(n.ports.metrics), "--advertise", n.Addr, "--cluster-key-file", c.path("cluster.key"),
		"--fast-detection", "--drive-reserve", "64MiB", "--segment-size", "128MiB")
	if len(join) > 0 {
		args = append(args, "--join", strings.Join(join, ","))
	}
	if n.Index < c.Expect {
		args = append(args, "--bootstrap-expect", strconv.Itoa(c.Expect))
	}
	if c.TLS {
		args = append(args, "--tls-cert", c.certFile, "--tls-key", c.keyFile)
	}
	if c.Domain != "" {
		args = append(args, "--domain", c.Domain)
	}
	return append(append(args, c.Flags...), n.Flags...)
}

// Ready asks the node whether it is ready.
func (n *Node) Ready(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, n.Endpoint()+"/readyz", nil)
	if err != nil {
		return false
	}
	resp, err := n.c.Client.Do(r)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// LogTail returns the end of the node's log.
func (n *Node) LogTail() string {
	text, err := os.ReadFile(filepath.Join(n.Dir, "log"))
	if err != nil {
		return err.Error()
	}
	const most = 4 << 10
	if len(text) > most {
		text = text[len(text)-most:]
	}
	return string(text)
}
