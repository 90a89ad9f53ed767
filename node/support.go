package node

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/pflag"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// supportFile is a file of a support bundle. None may hold a secret: of profiles the
// forms are taken that hold no arguments of functions.
type supportFile struct {
	name  string
	write func(io.Writer) error
}

func (n *Node) supportFiles() []supportFile {
	return []supportFile{
		{"version.txt", n.writeVersion},
		{"settings.yaml", n.writeSettings},
		{"metrics.txt", n.obs.WriteMetrics},
		{"log.txt", n.writeLog},
		{"raft.txt", func(w io.Writer) error { _, err := fmt.Fprintf(w, "%+v\n", n.group.Stats()); return err }},
		{"gossip.txt", n.writeGossip},
		{"goroutines.txt", func(w io.Writer) error { return pprof.Lookup("goroutine").WriteTo(w, 1) }},
		{"heap.pprof", func(w io.Writer) error { return pprof.Lookup("heap").WriteTo(w, 0) }},
	}
}

// pieceBytes bounds a piece of a file on its way.
const pieceBytes = 256 << 10

// Support implements PeerService.
func (p peer) Support(_ context.Context, _ *adminpb.ReportRequest, out *connect.ServerStream[adminpb.SupportPiece]) error {
	for _, f := range p.n.supportFiles() {
		var b bytes.Buffer
		if err := f.write(&b); err != nil {
			b.Reset()
			fmt.Fprintf(&b, "this file could not be made: %v\n", err)
		}
		for first := true; first || b.Len() > 0; first = false {
			if err := out.Send(&adminpb.SupportPiece{Name: f.name, Data: bytes.Clone(b.Next(pieceBytes))}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (n *Node) writeVersion(w io.Writer) error {
	_, err := fmt.Fprintf(w, "cairn %s\n%s %s/%s, %d processors\nnode %s of cluster %s\nstarted %s, now %s\n", n.env.Version, runtime.Version(),
		runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), n.home.ID().String(), n.home.Cluster(),
		n.started.UTC().Format(time.RFC3339), time.Now().UTC().Format(time.RFC3339))
	return err
}

func (n *Node) writeLog(w io.Writer) error {
	for _, line := range n.logs.Newest(supportLogLines) {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// supportLogLines is more than a log keeps.
const supportLogLines = 1 << 20

func (n *Node) writeGossip(w io.Writer) error {
	for _, m := range n.gossip.Members() {
		if _, err := fmt.Fprintf(w, "%s %s %+v\n", m.Node, m.State, m); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) writeSettings(w io.Writer) error {
	for _, s := range n.cfg.Shown() {
		if _, err := fmt.Fprintf(w, "%s: %q\n", s.Name, s.Value); err != nil {
			return err
		}
	}
	return nil
}

// secretSettings are never shown.
var secretSettings = []string{"root-password", "kms-root-key"}

// Setting is a setting and its value.
type Setting struct{ Name, Value string }

// Shown returns the settings by name, those that are secret as "(set)" or empty.
func (c *Config) Shown() (out []Setting) {
	var printed Config
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	printed.Flags(fs)
	printed = *c
	fs.VisitAll(func(f *pflag.Flag) {
		s := Setting{f.Name, f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			s.Value = strings.Join(list.GetSlice(), ",")
		}
		switch {
		case s.Value != "" && slices.Contains(secretSettings, s.Name):
			s.Value = "(set)"
		case strings.Contains(s.Value, "://"):
			s.Value = bareURL(s.Value)
		}
		out = append(out, s)
	})
	return out
}

// bareURL leaves out what may be secret in a URL: a password and the query.
func bareURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "(a URL that cannot be read)"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
