package member

import (
	"log/slog"
	"net/http"
	"sync/atomic"

	"github.com/cairnstore/cairn/cluster/events"
	"github.com/cairnstore/cairn/node/home"
)

// Self is this node on its way into its cluster, and then as a member of it. It is safe for
// concurrent use.
type Self struct {
	cfg    Config
	run    uint64 // Of this process; no other process has the same.
	home   *home.Home
	peers  *Peers
	gossip Gossip
	group  Group
	client Metadata
	http   *http.Client
	events Events
	log    *slog.Logger

	distrusted atomic.Int32             // In how many rounds in a row certificates kept all others away.
	skewed     atomic.Pointer[[]string] // Sentences about clocks that differ.
	forms      bool                     // This node belonged to no cluster and expects other nodes; set by Join.
	formed     chan struct{}            // See Formed.
}

// New returns this node. Before one of its methods is called, it asks and tells nobody anything.
func New(cfg Config) *Self {
	return &Self{cfg: cfg, run: newRun(), home: cfg.Home, peers: cfg.Peers, gossip: cfg.Peers.heard(),
		group: cfg.Group, client: cfg.Metadata, http: cfg.HTTP, events: events.Filled(cfg.Events), log: cfg.Log,
		formed: make(chan struct{})}
}
