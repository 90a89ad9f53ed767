package node

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/rpc"
	"github.com/cairnstore/cairn/meta/snapshot"
)

// backupPath is where the node that leads the metadata streams a backup of them.
const backupPath = "/node/v1/backup"

// LabelBackup names the key that signs backups among those derived from the cluster key.
const LabelBackup = "backup"

// backup writes a backup of the metadata to w. It is made here if this node leads, else by the node
// that does.
func (n *Node) backup(ctx context.Context, w io.Writer) error {
	if n.group.IsLeader() {
		return n.makeBackup(ctx, w)
	}
	members, err := n.client.Members(ctx)
	if err != nil {
		return err
	}
	addr, ok := n.peers.RPCAddr(cluster.NodeID(members.Leader))
	if !ok {
		return errs.Newf("node.backup", errs.Unavailable, "the node that leads the metadata cannot be reached")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+backupPath, nil)
	if err != nil {
		return err
	}
	resp, err := n.http.Do(req)
	if err != nil {
		return rpc.CallError(ctx, "node.backup", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return rpc.ReadError(resp)
	}
	_, err = io.Copy(w, resp.Body)
	return err
}

func (n *Node) makeBackup(ctx context.Context, w io.Writer) error {
	topo, err := n.client.Topology(ctx)
	if err != nil {
		return err
	}
	begin := time.Now()
	mac := n.secret(LabelBackup)
	head := snapshot.BackupHead{ClusterID: topo.ClusterID, Era: topo.Era, Node: n.home.ID().String(), Version: n.env.Version, MadeAt: n.clock().UTC().Format(time.RFC3339)}
	if n.identity != nil {
		head.KeyDigest = n.identity.SealDigest()
	}
	c := &countingWriter{w: w}
	head, err = n.group.Backup(ctx, c, head, mac[:])
	n.obs.BackupDone(head.Index, c.n, time.Since(begin), err)
	return err
}

// countingWriter counts what was written.
type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// serveBackup answers another node with a backup. If making it fails after the stream has begun,
// the connection is cut, and the backup lacks its end.
func (n *Node) serveBackup(w http.ResponseWriter, r *http.Request) {
	c := &countingWriter{w: w}
	err := n.makeBackup(r.Context(), c)
	switch {
	case err == nil:
	case c.n == 0:
		rpc.WriteError(w, err)
	default:
		panic(http.ErrAbortHandler)
	}
}
