package gossip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/hashicorp/memberlist"

	"github.com/cairnstore/cairn/cluster"
)

// Meta is what a node says of itself to all others.
type Meta struct {
	Node      cluster.NodeID
	Zone      string
	RPCAddr   string // Addresses are host:port.
	RaftAddr  string
	S3Addr    string
	ClusterID string // Empty until the cluster is formed.
	Era       uint64 // Of the metadata that the node belongs to: see meta/group.
	Room      uint32 // How much room its metadata have: see meta/room.
	Expect    int    // Nodes to wait for before forming one; 0: join an existing one.
}

const (
	metaVersion  = 1
	metaMaxBytes = memberlist.MetaMaxSize
	// clusterIDMaxBytes is kept free for the cluster's id, which comes later.
	clusterIDMaxBytes = 64
)

// encode returns
//
//	version (1 byte) node (8, big endian) expect (uvarint) and then Zone, RPCAddr,
//	RaftAddr, S3Addr, ClusterID, each as length (uvarint) and bytes, then era (uvarint) and
//	room (uvarint)
//
// New fields are added at the end; a reader ignores what it does not know.
func (m *Meta) encode() []byte {
	b := make([]byte, 0, 128)
	b = append(b, metaVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(m.Node))
	b = binary.AppendUvarint(b, uint64(max(0, m.Expect)))
	for _, s := range [...]string{m.Zone, m.RPCAddr, m.RaftAddr, m.S3Addr, m.ClusterID} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	b = binary.AppendUvarint(b, m.Era)
	return binary.AppendUvarint(b, uint64(m.Room))
}

var errMeta = errors.New("what it says of itself cannot be read; does it run another version?") // Never changed.

func decodeMeta(b []byte) (Meta, error) {
	var m Meta
	if len(b) < 9 || b[0] != metaVersion {
		return m, errMeta
	}
	m.Node = cluster.NodeID(binary.BigEndian.Uint64(b[1:]))
	b = b[9:]
	expect, n := binary.Uvarint(b)
	if n <= 0 || expect > 1<<20 || m.Node == 0 {
		return m, errMeta
	}
	m.Expect, b = int(expect), b[n:]
	for _, s := range [...]*string{&m.Zone, &m.RPCAddr, &m.RaftAddr, &m.S3Addr, &m.ClusterID} {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return m, errMeta
		}
		*s, b = string(b[n:n+int(size)]), b[n+int(size):]
	}
	era, n := binary.Uvarint(b) // Absent: the first.
	m.Era = era
	if n > 0 {
		room, _ := binary.Uvarint(b[n:]) // Absent: plenty.
		m.Room = uint32(min(room, math.MaxUint32))
	}
	return m, nil
}

// check returns a sentence where m cannot be gossiped.
func (m *Meta) check() error {
	if m.Node == 0 {
		return errors.New("gossip needs a node id")
	}
	if len(m.ClusterID) > clusterIDMaxBytes {
		return fmt.Errorf("cluster id has %d bytes, at most %d can be gossiped", len(m.ClusterID), clusterIDMaxBytes)
	}
	if n := len(m.encode()) - len(m.ClusterID); n > metaMaxBytes-clusterIDMaxBytes-1 {
		return fmt.Errorf("zone and addresses of this node take %d bytes, at most %d can be gossiped; shorten the zone or the host name",
			n, metaMaxBytes-clusterIDMaxBytes-1)
	}
	return nil
}
