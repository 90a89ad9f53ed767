package wire

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/drive"
	"github.com/cairnstore/cairn/shard/shardtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testDrive = cluster.DriveID(0x1234)

// serve starts a node that holds testDrive, and returns its address.
func serve(t *testing.T, s shard.Store, cfg HandlerConfig) string {
	t.Helper()
	h := NewHandler(func(id cluster.DriveID) (shard.Store, error) {
		if id != testDrive {
			return nil, errs.Newf("test", errs.NotFound, "drive %s", id)
		}
		return s, nil
	}, cfg)
	mux := http.NewServeMux()
	mux.Handle("/shard/", h)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

// dial returns a client whose connections all go to addr.
func dial(t *testing.T, addr string, cfg ClientConfig) *Client {
	t.Helper()
	tr := &http.Transport{WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		}}
	t.Cleanup(tr.CloseIdleConnections)
	return NewClient(&http.Client{Transport: tr},
		func(cluster.DriveID) (string, error) { return addr, nil }, cfg)
}

func TestStoreOfMemory(t *testing.T) {
	shardtest.Run(t, func(t *testing.T) shard.Store {
		return dial(t, serve(t, shardtest.NewMemory(), HandlerConfig{}), ClientConfig{}).Store(testDrive)
	})
}

func TestStoreOfDrive(t *testing.T) {
	shardtest.Run(t, func(t *testing.T) shard.Store {
		d, err := drive.Open(context.Background(), drive.Options{FS: vfs.NewMem(), Dir: "d", SegmentBytes: 4 << 20})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, d.Close()) })
		return dial(t, serve(t, d, HandlerConfig{StallTimeout: time.Minute}), ClientConfig{}).Store(testDrive)
	})
}
