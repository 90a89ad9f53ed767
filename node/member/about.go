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

// aboutPath is where a node says who it is and what time it has.
const aboutPath = "/node/v1/about"

const (
	aboutTimeout  = 2 * time.Second
	aboutMaxBytes = 16 << 10
)

// about is what a node says of itself to another, as JSON. A field that an earlier release
// does not send has its zero value, which means that it says nothing.
type about struct {
	Node    string `json:"node"`
	Cluster string `json:"cluster"`
	Run     uint64 `json:"run"`
	Version string `json:"version"`
	TimeNs  int64  `json:"time_ns"` // What its clock shows, UTC.

	Settings map[string]string `json:"settings,omitempty"` // See Node.agreed.

	// Of its server in the metadata's group: how far it has applied the log, and how far the
	// server of who asks had applied it, as far as it knows.
	Server       string `json:"server,omitempty"`
	Applied      uint64 `json:"applied,omitempty"`
	AskerApplied uint64 `json:"asker_applied,omitempty"`

	// What its state has refused. It is told only to those who ask for it, since earlier
	// releases read no more than they know.
	Refusals *group.Refusals `json:"refusals,omitempty"`
}

// Parameters of the request: askerKey names the server of the node that asks, and refusalsKey asks
// for what the state has refused.
const (
	askerKey    = "server"
	refusalsKey = "refusals"
)

// newRun returns the number of this process, by which it is told from any other with the
// same node id. It is never 0.
func newRun() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // It never fails.
	return binary.LittleEndian.Uint64(b[:]) | 1
}

// Handler answers others who this node is, on the internode listener.
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
	_, _ = w.Write(text) // A peer that is gone needs no answer.
}

// askAbout asks the node at an address about itself. ahead is how far its clock is ahead of
// this node's.
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
	// Its clock was read about half way through.
	return a, time.Unix(0, a.TimeNs).Sub(sent.Add(got.Sub(sent) / 2)), nil
}
