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

// Config sets up a Self. All fields must be set, except where the comment says otherwise.
type Config struct {
	Home     *home.Home
	Peers    *Peers   // UseGossip was called on it.
	Group    Group    // This node's server in the group of the metadata.
	Metadata Metadata // Of the cluster.
	HTTP     *http.Client
	Clock    *group.Clock // It is told to others, and they decide whether it is right.
	Drives   []Drive      // The drives of this node.

	// Describe returns the record by which this node registers, without id, run and incarnation.
	Describe func() *metapb.Node
	Version  string // The release.
	RPCAddr  string // The address at which others reach this node.

	Expect       int               // How many nodes found a cluster together; 0: this node founds none.
	MaxClockSkew time.Duration     // How far the clocks of two nodes may be apart.
	Settings     map[string]string // Digests of the settings that must be equal on every node: see Digests.

	// Contradicted receives an element after the state of the metadata has refused a command.
	Contradicted <-chan struct{}

	Go     func(func())      // Runs a function that ends with its context; whoever ends the node waits for it.
	Fail   func(cause error) // Ends the node.
	Events Events
	Log    *slog.Logger
}

// Group is this node's server in the group of the metadata. *group.Group implements it. Its four
// parts are the four things for which this package uses it.
type Group interface {
	founding
	leading
	remembering
	judging
}

// founding is how a server begins a group, and under which incarnation it takes part.
type founding interface {
	HasState() bool
	Bootstrap() error
	Incarnation() string
}

// leading is about who votes and who leads.
type leading interface {
	Members() (members []group.Member, leader cluster.NodeID)
	IsLeader() bool
	HandOver(ctx context.Context, to cluster.NodeID) error
}

// remembering is about how far servers have applied the log, as each knows of itself and of the
// others.
type remembering interface {
	Server() string
	Stats() group.Stats
	Heard(server string, applied uint64)
	KnownOf(server string) uint64
	Distrust(index uint64) error
	Forgot() string
}

// judging is about what servers have refused.
type judging interface {
	Refusals() group.Refusals
	HeardRefusals(server string, r group.Refusals)
	Judge() group.Judgement
	Disown(why string) error
}

// Metadata are the cluster's metadata. *group.Client implements it.
type Metadata interface {
	Topology(ctx context.Context) (*meta.Topology, error)
	LastTopology() *meta.Topology // Nil before there is one.
	Read(ctx context.Context, q *metapb.Query) (*metapb.Answer, error)
	Propose(ctx context.Context, cmd *metapb.Command) (*metapb.Result, error)
	Members(ctx context.Context) (*metapb.MembersResponse, error)
	OpenSession(ctx context.Context) error
}

// Drive is a drive of this node. *drive.Drive implements it.
type Drive interface {
	// SetCluster records the cluster that the drive belongs to from now on.
	SetCluster(id string) error
}

// Events are called with what others may want to know; any may be nil.
type Events struct {
	// ClockSkew is called with how far a peer's clock is ahead of this node's.
	ClockSkew func(peer cluster.NodeID, ahead time.Duration)
	// ClockOff is called with whether this node's clock is far from those of most voters, or has
	// jumped.
	ClockOff func(off bool)
	// Disagree is called with how many voters have refused other commands than this node.
	Disagree func(voters int)
	// SettingsDiffer is called with the number of settings that must be equal and for which another
	// node has another value.
	SettingsDiffer func(settings int)
}
