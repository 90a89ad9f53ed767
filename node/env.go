package node

import (
	"context"
	"io"
	"net"
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/cluster/rpc"
	"github.com/cairnstore/cairn/node/member"
)

// Env is the machine that a node runs on: one file system, one transport, one log. The clock is
// package time. Simulations pass their own.
type Env struct {
	FS        vfs.FS
	Transport rpc.Transport // Between nodes, before TLS.
	ListenS3  func(addr string) (net.Listener, error)
	Gossip    func(context.Context, gossip.Config) (Gossip, error)
	Log       io.Writer
	Version   string

	// Clock is what this machine's clock shows; nil: time.Now.
	Clock func() time.Time

	// Simulated leaves out what only a real machine needs: TLS between nodes, and the file of the
	// cluster key.
	Simulated bool

	// ExtentMaxBytes makes extents shorter than the format allows, so that simulations meet the
	// borders of extents; 0: as long as the format allows.
	ExtentMaxBytes int64

	// SnapshotThreshold and TrailingLogs make snapshots of the metadata more frequent, and make
	// followers need them sooner. 0: the defaults of package group.
	SnapshotThreshold, TrailingLogs uint64
}

// Gossip knows who is alive, as far as this node has heard.
type Gossip interface {
	member.Gossip
	SetRoom(room uint32)
	Leave(timeout time.Duration) error
	Close() error
}

// OS returns the machine this process runs on.
func OS(version string) Env {
	return Env{
		FS:        vfs.Default,
		Transport: rpc.TCP(),
		ListenS3:  func(addr string) (net.Listener, error) { return net.Listen("tcp", addr) },
		Gossip: func(ctx context.Context, c gossip.Config) (Gossip, error) {
			return gossip.Start(ctx, c)
		},
		Log:     os.Stderr,
		Version: version,
	}
}
