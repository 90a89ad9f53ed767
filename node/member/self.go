package member

import (
	"log/slog"
	"net/http"
	"sync/atomic"

	"github.com/cairnstore/cairn/cluster/events"
	"github.com/cairnstore/cairn/node/home"
)

// Self is this node on its way into its cluster, and as a member of it. Safe for
// concurrent use.
type Self struct {
	cfg    Config
	run    uint64 // Of this process: no other has the same.
	home   *home.Home
	peers  *Peers
	gossip Gossip
	group  Group
	client Metadata
	http   *http.Client
	events Events
	log    *slog.Logger

	distrusted atomic.Int32             // In how many rounds in a row a certificate kept all others away.
	skewed     atomic.Pointer[[]string] // Sentences about clocks that differ.
	forms      bool                     // This node belonged to no cluster, and expects others; set by Join.
	formed     chan struct{}            // Closed when the cluster has its voters, or had them before.
}

// New returns this node. It asks nobody and tells nothing before one of its methods is
// called.
func New(cfg Config) *Self {
	return &Self{cfg: cfg, run: newRun(), home: cfg.Home, peers: cfg.Peers, gossip: cfg.Peers.heard(),
		group: cfg.Group, client: cfg.Metadata, http: cfg.HTTP, events: events.Filled(cfg.Events), log: cfg.Log,
		formed: make(chan struct{})}
}
