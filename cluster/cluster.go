// Package cluster holds the nouns of a Cairn cluster: node, drive, zone, and the
// View of them that placement and routing work on.
//
// A View is immutable: every change makes a new one with a greater Epoch. It
// says who belongs to the cluster, which only the metadata decides; who is alive
// right now is a hint of package gossip and never part of a View.
package cluster

import (
	"fmt"
	"slices"
	"strconv"
)

// NodeID names a node for as long as its data directories live. It is random and
// never zero.
type NodeID uint64

// DriveID names a drive for as long as its directory lives. It is random and
// never zero.
type DriveID uint64

// String returns the id as 16 hex digits.
func (id NodeID) String() string { return fmt.Sprintf("%016x", uint64(id)) }

// String returns the id as 16 hex digits.
func (id DriveID) String() string { return fmt.Sprintf("%016x", uint64(id)) }

// ParseNodeID reads the form that NodeID.String writes.
func ParseNodeID(s string) (NodeID, error) {
	v, err := strconv.ParseUint(s, 16, 64)
	if err != nil || v == 0 {
		return 0, fmt.Errorf("node id %q is not 16 hex digits", s)
	}
	return NodeID(v), nil
}

// ParseDriveID reads the form that DriveID.String writes.
func ParseDriveID(s string) (DriveID, error) {
	v, err := strconv.ParseUint(s, 16, 64)
	if err != nil || v == 0 {
		return 0, fmt.Errorf("drive id %q is not 16 hex digits", s)
	}
	return DriveID(v), nil
}

// Life is what operators and upkeep have decided of a node or a drive. Whether it
// is alive right now is a hint of package gossip.
type Life uint8

// The states, with the numbers of metapb.Life.
const (
	Active   Life = iota // Takes slots and extents.
	Draining             // Takes no new slots; those that it has are moved away.
	Lost                 // Given up: its slots are rebuilt elsewhere.
	Failed               // A drive that was fenced after an I/O error.
)

// String returns the state as people read it.
func (l Life) String() string {
	switch l {
	case Active:
		return "active"
	case Draining:
		return "draining"
	case Lost:
		return "lost"
	case Failed:
		return "failed"
	}
	return fmt.Sprintf("state %d", uint8(l))
}

// Gone reports whether what lies there is given up.
func (l Life) Gone() bool { return l == Lost || l == Failed }

// Drive is one directory that holds shards.
type Drive struct {
	ID            DriveID
	Node          NodeID
	CapacityBytes uint64 // Size of its file system when it registered; weighs placement.
	State         Life   // Of the drive alone: see View.StateOf.
	Cold          bool   // Labelled for cold data: see View.Cold.

	// What its node reported last.
	Full      bool // Below its reserve: takes no new extents.
	Slow      bool // Avoided by new extents where others can take them.
	UsedBytes uint64
	FreeBytes uint64
}

// Node is one running server and its drives. Addresses are host:port.
type Node struct {
	ID         NodeID
	Zone       string // Empty where the operator set none.
	RPCAddr    string
	RaftAddr   string
	GossipAddr string
	S3Addr     string
	Drives     []Drive
	State      Life

	Version         string // Of the software.
	FeatureLevelMax uint32 // The newest feature level that it knows.
	Run             uint64 // Another one each time the node starts.
	Incarnation     string // As which it takes part in the metadata's group; empty: the first.
}

// View is who belongs to the cluster as of one epoch. It must not be changed.
type View struct {
	Epoch uint64
	Nodes []Node // Ascending by ID.

	drives    map[DriveID]int // Index into Nodes.
	nodes     map[NodeID]int
	coldApart bool
}

// NewView returns the view of nodes, which must be ascending by ID and is owned
// by the view from now on.
func NewView(epoch uint64, nodes []Node) *View {
	v := &View{Epoch: epoch, Nodes: nodes,
		drives: make(map[DriveID]int), nodes: make(map[NodeID]int, len(nodes))}
	cold, other := 0, 0 // Nodes with drives of the kind.
	for i := range nodes {
		v.nodes[nodes[i].ID] = i
		var hasCold, hasOther bool
		for _, d := range nodes[i].Drives {
			v.drives[d.ID] = i
			hasCold, hasOther = hasCold || d.Cold, hasOther || !d.Cold
		}
		if hasCold {
			cold++
		}
		if hasOther {
			other++
		}
	}
	v.coldApart = cold > 0 && other > 0 && cold >= other
	return v
}

// At returns the view with another epoch: nothing in it has changed since.
func (v *View) At(epoch uint64) *View {
	w := *v
	w.Epoch = epoch
	return &w
}

// Cold reports whether a drive is set aside for cold data, which then lies on such
// drives alone. Labels count where cold drives are on at least as many nodes as the
// others: data must not be easier to lose because it is cold.
func (v *View) Cold(id DriveID) bool {
	if !v.coldApart {
		return false
	}
	d := v.Drive(id)
	return d != nil && d.Cold
}

// ColdApart reports whether there are drives set aside for cold data.
func (v *View) ColdApart() bool { return v.coldApart }

// AnyCold reports whether one of the drives is set aside for cold data.
func (v *View) AnyCold(drives []DriveID) bool { return slices.ContainsFunc(drives, v.Cold) }

// Node returns the node with the given id; nil where there is none.
func (v *View) Node(id NodeID) *Node {
	if i, ok := v.nodes[id]; ok {
		return &v.Nodes[i]
	}
	return nil
}

// Stale reports whether a server of the metadata's group is an earlier incarnation of its node. Such a
// server has lost what it had promised, and never votes again: where it still has a vote, that raises the
// majority that is needed and never helps to reach it. It is false of a node that the view does not have.
func (v *View) Stale(id NodeID, incarnation string) bool {
	n := v.Node(id)
	return n != nil && n.Incarnation != incarnation
}

// NodeOf returns the node that holds a drive; nil where there is none.
func (v *View) NodeOf(id DriveID) *Node {
	if i, ok := v.drives[id]; ok {
		return &v.Nodes[i]
	}
	return nil
}

// Drive returns a drive; nil where there is none.
func (v *View) Drive(id DriveID) *Drive {
	n := v.NodeOf(id)
	if n == nil {
		return nil
	}
	for i := range n.Drives {
		if n.Drives[i].ID == id {
			return &n.Drives[i]
		}
	}
	return nil
}

// StateOf returns the state of a drive, that of its node included: Lost where there
// is no such drive (any more).
func (v *View) StateOf(id DriveID) Life {
	n, d := v.NodeOf(id), v.Drive(id)
	switch {
	case d == nil:
		return Lost
	case n.State.Gone():
		return n.State
	case d.State != Active:
		return d.State
	}
	return n.State
}
