package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/cairnstore/cairn/tools/load"
	"github.com/cairnstore/cairn/tools/testbed"
)

const (
	nodes        = 6
	startTimeout = 5 * time.Minute
	loopback     = "127.0.0.1"
)

// startCluster runs six cairn processes with TLS and one drive each. The caller must call the func that
// it returns, which ends them.
func startCluster(ctx context.Context, o options) (spec, func(), error) {
	nothing := func() {}
	bin, err := filepath.Abs(o.bin)
	if err != nil {
		return spec{}, nothing, err
	}
	dir, err := own(o.dir, "cairn")
	if err != nil {
		return spec{}, nothing, err
	}
	c, err := testbed.New(testbed.Options{Bin: bin, Dir: dir, Expect: nodes, TLS: true})
	if err != nil {
		return spec{}, nothing, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	up, err := c.Start(ctx, nodes)
	if err != nil {
		return spec{}, c.KillAll, err
	}
	s := spec{name: "cairn", ca: c.CAFile, access: testbed.RootUser, secret: testbed.RootPassword}
	for _, n := range up {
		if err := s.word(n.Endpoint()); err != nil {
			return spec{}, c.KillAll, err
		}
		s.procs.pids = append(s.procs.pids, n.Pid())
	}
	return s, c.KillAll, await(ctx, s)
}

// own makes a directory for one of the servers.
func own(dir, name string) (string, error) {
	dir, err := filepath.Abs(filepath.Join(dir, name))
	if err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o755)
}

// daemons are the processes of a peer.
type daemons struct {
	dir  string
	env  []string // More environment of each process.
	cmds []*exec.Cmd
}

// run starts a process, whose output goes to a file. env is more environment of this one. The process
// dies with this program.
func (d *daemons) run(name, bin string, env []string, args ...string) error {
	log, err := os.Create(filepath.Join(d.dir, name+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(bin, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = d.dir, log, log
	cmd.Env = append(append(testbed.OwnEnviron(), d.env...), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	d.cmds = append(d.cmds, cmd)
	return nil
}

func (d *daemons) pids() (ids []int) {
	for _, c := range d.cmds {
		ids = append(ids, c.Process.Pid)
	}
	return ids
}

// words returns the end of the log of each process, which tells why it does not serve.
func (d *daemons) words() string {
	const most = 1 << 10
	var b strings.Builder
	logs, _ := filepath.Glob(filepath.Join(d.dir, "*.log")) // It fails for a malformed pattern only.
	for _, file := range logs {
		text, err := os.ReadFile(file)
		if err != nil {
			text = []byte(err.Error())
		}
		fmt.Fprintf(&b, "\n%s:\n%s", filepath.Base(file), text[max(0, len(text)-most):])
	}
	return b.String()
}

// kill kills all processes and waits until they have ended.
func (d *daemons) kill() {
	for _, c := range d.cmds {
		_ = c.Process.Kill()
	}
	for _, c := range d.cmds {
		_ = c.Wait() // It returns an error since the process has ended by the signal, as it should.
	}
}

// await waits until a server takes an object.
func await(ctx context.Context, s spec) error {
	h, err := s.httpClient()
	if err != nil {
		return err
	}
	defer h.CloseIdleConnections()
	conf := load.Config{Endpoint: s.urls[0].String(), HTTP: h, Access: s.access, Secret: s.secret}
	client, bucket, key := conf.SDK(), "bench-ready", "ready"
	made := false
	return testbed.Until(ctx, s.name+" takes an object", func() error {
		if !made {
			if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
				return err
			}
			made = true
		}
		_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: http.NoBody})
		if err != nil {
			return err
		}
		if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &key}); err != nil {
			return err
		}
		_, err = client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &bucket})
		return err
	})
}

func at(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }
