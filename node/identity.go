package node

import (
	"fmt"

	"github.com/cairnstore/cairn/cluster/identity"
)

// gossipLabel tells Cairn's gossip from that of other programs on the same port. It is
// the same for all clusters: a node that joins does not know its cluster yet. The key
// keeps clusters apart, and the cluster's id where two share a key.
const gossipLabel = "cairn"

// loadIdentity makes this node's identity: from the cluster key alone, or with
// certificates that the operator made.
func (n *Node) loadIdentity() (err error) {
	c := &n.cfg
	keys, err := identity.LoadKeyFile(c.ClusterKeyFile)
	if err != nil {
		return fmt.Errorf("setting --cluster-key-file: %w", err)
	}
	if c.InternodeCert == "" {
		n.identity, err = identity.NewRotating(keys, n.home.ID(), c.NodeCertLife)
	} else {
		n.identity, err = identity.Load(c.InternodeCert, c.InternodeKey, c.InternodeCA, n.home.ID(), keys,
			identity.OnReload(n.obs.CertificatesReloaded), identity.Names(c.InternodeNames), identity.Members(n.peers.Check))
		if err != nil {
			err = fmt.Errorf("setting --internode-cert: %w", err)
		}
	}
	return err
}
