package member

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/group"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/home"
)

// Config is what a node needs to be one of its cluster. Nothing of it is optional, but
// where that is said.
type Config struct {
	Home     *home.Home
	Peers    *Peers   // Has been given the gossip.
	Group    Group    // This node's server in the group of the metadata.
	Metadata Metadata // Of the cluster.
	HTTP     *http.Client
	Clock    *group.Clock // What it shows is told to others; they decide whether it is right.
	Drives   []Drive      // This node's.

	// Describe returns the node as it registers, but for its id, run and incarnation.
	Describe func() *metapb.Node
	Version  string // The release.
	RPCAddr  string // Where others reach this node.

	Expect       int               // Nodes that found a cluster together; 0: this node founds none.
	MaxClockSkew time.Duration     // How far the clocks of two nodes may be apart.
	Settings     map[string]string // Digests of the settings that must be equal on every node: see Digests.

	// Contradicted has an element after the state of the metadata has refused a command.
	Contradicted <-chan struct{}

	Go     func(func())      // Runs what ends with its context; the caller waits for it.
	Fail   func(cause error) // Ends the node.
	Events Events
	Log    *slog.Logger
}

// Group is this node's server in the group of the metadata: a group.Group. It has four
// parts, for the four things that it is asked for here.
type Group interface {
	founding
	leading
	remembering
	judging
}

// founding is how a server begins a group, and as whom it takes part.
type founding interface {
	HasState() bool
	Bootstrap() error
	Incarnation() string
}

// leading is who votes and leads.
type leading interface {
	Members() (members []group.Member, leader cluster.NodeID)
	IsLeader() bool
	HandOver(ctx context.Context, to cluster.NodeID) error
}

// remembering is how far servers have come, as they know of themselves and of each other.
type remembering interface {
	Server() string
	Stats() group.Stats
	Heard(server string, applied uint64)
	KnownOf(server string) uint64
	Distrust(index uint64) error
	Forgot() string
}

// judging is what servers have refused.
type judging interface {
	Refusals() group.Refusals
	HeardRefusals(server string, r group.Refusals)
	Judge() group.Judgement
	Disown(why string) error
}

// Metadata are the cluster's metadata: a group.Client.
type Metadata interface {
	Topology(ctx context.Context) (*meta.Topology, error)
	LastTopology() *meta.Topology // Nil before there is one.
	Read(ctx context.Context, q *metapb.Query) (*metapb.Answer, error)
	Propose(ctx context.Context, cmd *metapb.Command) (*metapb.Result, error)
	Members(ctx context.Context) (*metapb.MembersResponse, error)
	OpenSession(ctx context.Context) error
}

// Drive is a drive of this node: a drive.Drive.
type Drive interface {
	// SetCluster records the cluster that the drive belongs to from now on.
	SetCluster(id string) error
}

// Events are what others may want to hear of; nil: nobody does.
type Events struct {
	// ClockSkew tells how far a peer's clock is ahead of this node's.
	ClockSkew func(peer cluster.NodeID, ahead time.Duration)
	// ClockOff tells whether this node's clock is far from those of most voters, or has jumped.
	ClockOff func(off bool)
	// Disagree tells with how many voters this node disagrees about what was refused.
	Disagree func(voters int)
	// SettingsDiffer tells of how many settings that must be equal a node has another value.
	SettingsDiffer func(settings int)
}
