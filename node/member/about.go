package member

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/cairnstore/cairn/cluster/rpc"
	"github.com/cairnstore/cairn/meta/group"
)

// aboutPath is the path at which a node tells who it is and what time it has.
const aboutPath = "/node/v1/about"

const (
	aboutTimeout  = 2 * time.Second
	aboutMaxBytes = 16 << 10
)

// about is what a node tells another node about itself, as JSON. If an earlier release does not
// send a field, it has its zero value, which means that the node says nothing about that.
type about struct {
	Node    string `json:"node"`
	Cluster string `json:"cluster"`
	Run     uint64 `json:"run"`
	Version string `json:"version"`
	TimeNs  int64  `json:"time_ns"` // What the node's clock shows, UTC.

	Settings map[string]string `json:"settings,omitempty"` // See Config.Settings.

	// These are about its server in the metadata's group: how far that has applied the log, and how
	// far, as it knows, the server of the node that asks had applied it.
	Server       string `json:"server,omitempty"`
	Applied      uint64 `json:"applied,omitempty"`
	AskerApplied uint64 `json:"asker_applied,omitempty"`

	// Refusals is what its state has refused. It is told only to those who ask for it, because
	// earlier releases read a shorter answer and would not understand one that is cut off.
	Refusals *group.Refusals `json:"refusals,omitempty"`
}

// Parameters of the request: askerKey has the server of the node that asks, and refusalsKey asks
// for Refusals.
const (
	askerKey    = "server"
	refusalsKey = "refusals"
)

// newRun returns a number for this process, which tells it from every other process with the same
// node id. It is never 0.
func newRun() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // It never fails.
	return binary.LittleEndian.Uint64(b[:]) | 1
}

// Handler returns the handler, on the internode listener, that tells others who this node is.
func (n *Self) Handler() (path string, h http.Handler) {
	return aboutPath, http.HandlerFunc(n.serveAbout)
}

func (n *Self) serveAbout(w http.ResponseWriter, r *http.Request) {
	a := about{Node: n.home.ID().String(), Cluster: n.home.Cluster(), Run: n.run, Version: n.cfg.Version,
		TimeNs: n.cfg.Clock.Now().UnixNano(), Settings: n.cfg.Settings,
		Server: n.group.Server(), Applied: n.group.Stats().AppliedIndex}
	if asker := r.URL.Query().Get(askerKey); asker != "" {
		a.AskerApplied = n.group.KnownOf(asker)
	}
	if r.URL.Query().Has(refusalsKey) {
		refusals := n.group.Refusals()
		a.Refusals = &refusals
	}
	text, err := json.Marshal(a)
	if err != nil {
		rpc.WriteError(w, err)
		return
	}
	_, _ = w.Write(text) // If that fails, the peer is gone.
}

// askAbout asks the node at an address about itself. ahead is by how much that node's clock is
// ahead of this node's.
func (n *Self) askAbout(ctx context.Context, addr string) (a about, ahead time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, aboutTimeout)
	defer cancel()
	asked := url.Values{askerKey: {n.group.Server()}, refusalsKey: {""}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+aboutPath+"?"+asked.Encode(), nil)
	if err != nil {
		return a, 0, err
	}
	sent := n.cfg.Clock.Now()
	resp, err := n.http.Do(req)
	if err != nil {
		return a, 0, rpc.CallError(ctx, "node.about", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return a, 0, rpc.ReadError(resp)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, aboutMaxBytes))
	if err != nil {
		return a, 0, rpc.CallError(ctx, "node.about", err)
	}
	if err := json.Unmarshal(text, &a); err != nil {
		return a, 0, fmt.Errorf("what %s says of itself cannot be read: %w", addr, err)
	}
	got := n.cfg.Clock.Now()
	// The other clock was read about half way between the two readings of this one.
	return a, time.Unix(0, a.TimeNs).Sub(sent.Add(got.Sub(sent) / 2)), nil
}
