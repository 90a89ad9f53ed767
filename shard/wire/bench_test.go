package wire

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/shardtest"
)

// sink checks nothing and keeps nothing, so that only the wire is measured.
type sink struct {
	shard.Store
	frames []byte
}

func (s sink) Create(context.Context, shard.Header) (shard.Writer, error) { return sinkWriter{}, nil }

func (s sink) Open(context.Context, shard.ID, shard.Span) (io.ReadCloser, error) {
	return &sinkReader{s.frames}, nil
}

type sinkWriter struct{}

func (sinkWriter) Write(p []byte) (int, error)  { return len(p), nil }
func (sinkWriter) Commit(context.Context) error { return nil }
func (sinkWriter) Abort()                       {}

type sinkReader struct{ frames []byte }

func (r *sinkReader) Read(p []byte) (int, error) { panic("WriteTo is used") }
func (r *sinkReader) WriteTo(w io.Writer) (n int64, err error) {
	for len(r.frames) > 0 {
		k, err := w.Write(r.frames[:min(len(r.frames), chunkBytes)])
		n += int64(k)
		if err != nil {
			return n, err
		}
		r.frames = r.frames[k:]
	}
	return n, nil
}
func (r *sinkReader) Close() error { return nil }

func benchTransfer(b *testing.B, do func(shard.Store, shard.Header, []byte) error) {
	h := shardtest.Header(1, 1, 0, 256, 0, 0)
	frames := shardtest.Frames(h, 1)
	srv := httptest.NewServer(NewHandler(func(cluster.DriveID) (shard.Store, error) {
		return sink{frames: frames}, nil
	}, HandlerConfig{}))
	defer srv.Close()
	tr := &http.Transport{WriteBufferSize: 68 << 10, ReadBufferSize: 68 << 10}
	defer tr.CloseIdleConnections()
	s := NewClient(&http.Client{Transport: tr}, func(cluster.DriveID) (string, error) {
		return srv.Listener.Addr().String(), nil
	}, ClientConfig{}).Store(testDrive)
	b.SetBytes(h.FramedBytes())
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, do(s, h, frames))
	}
}
