package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/shardtest"
)

func requireKind(t *testing.T, kind errs.Kind, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, kind, errs.KindOf(err), "%v", err)
}

func TestCreateFailsWithoutPeer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	s := dial(t, addr, ClientConfig{}).Store(testDrive)
	_, err = s.Create(t.Context(), shardtest.Header(1, 1, 0, 9, 0, 0))
	requireKind(t, errs.Unavailable, err)
	_, err = s.Stat(t.Context(), shard.ID{Extent: shard.ExtentID{Volume: 1, Seq: 1}})
	requireKind(t, errs.Unavailable, err)
}

func TestUnknownDriveAndAddress(t *testing.T) {
	c := dial(t, serve(t, shardtest.NewMemory(), HandlerConfig{}), ClientConfig{})
	_, err := c.Store(99).Stat(t.Context(), shard.ID{Extent: shard.ExtentID{Volume: 1, Seq: 1}})
	requireKind(t, errs.NotFound, err)
	none := NewClient(http.DefaultClient, func(cluster.DriveID) (string, error) { return "", errors.New("no node") }, ClientConfig{})
	_, err = none.Store(1).Stat(t.Context(), shard.ID{Extent: shard.ExtentID{Volume: 1, Seq: 1}})
	requireKind(t, errs.Unavailable, err)
}

// TestEarlyRefusalEndsTheStream: a peer without room must not get all bytes first.
func TestEarlyRefusalEndsTheStream(t *testing.T) {
	f := shardtest.NewFaulty(shardtest.NewMemory())
	f.Fail(errs.New("test", errs.NoSpace, errors.New("full")))
	s := dial(t, serve(t, f, HandlerConfig{}), ClientConfig{}).Store(testDrive)
	h := shardtest.Header(1, 1, 0, 1000, 0, 0)
	unit := shardtest.Frames(h, 1)[:4*shard.FrameBytes]
	w, err := s.Create(t.Context(), h)
	if err != nil { // The refusal was quicker than the first byte.
		requireKind(t, errs.NoSpace, err)
		return
	}
	defer w.Abort()
	sent := 0
	for ; err == nil && sent < 250; sent++ {
		_, err = w.Write(unit) // Nobody looks at the checksums any more.
	}
	requireKind(t, errs.NoSpace, err)
	require.Less(t, sent, 249)
	_, again := w.Write(unit)
	requireKind(t, errs.NoSpace, again)
	requireKind(t, errs.NoSpace, w.Commit(t.Context()))
}

func TestRefusalAtCommit(t *testing.T) {
	f := shardtest.NewFaulty(shardtest.NewMemory())
	f.FailAt(shardtest.CallCommit, 0, errs.New("test", errs.Unavailable, errors.New("fenced")))
	s := dial(t, serve(t, f, HandlerConfig{}), ClientConfig{}).Store(testDrive)
	h := shardtest.Header(1, 1, 0, 9, 0, 0)
	requireKind(t, errs.Unavailable, shardtest.Put(t.Context(), s, h, shardtest.Frames(h, 1)))
	require.NoError(t, shardtest.Put(t.Context(), s, h, shardtest.Frames(h, 1)))
}

// TestStalls lets the peer hang at each call: the client gives up by itself.
func TestStalls(t *testing.T) {
	f := shardtest.NewFaulty(shardtest.NewMemory())
	addr := serve(t, f, HandlerConfig{})
	t.Cleanup(f.Heal) // Before the server waits for its handlers.
	s := dial(t, addr, ClientConfig{StallTimeout: 50 * time.Millisecond}).Store(testDrive)
	patient := dial(t, addr, ClientConfig{}).Store(testDrive)
	h := shardtest.Header(1, 1, 0, 100, 0, 0)
	frames := shardtest.Frames(h, 1)
	require.NoError(t, shardtest.Put(t.Context(), patient, h, frames))
	for _, call := range []shardtest.Call{shardtest.CallCreate, shardtest.CallWrite, shardtest.CallCommit} {
		f.HangOn(call)
		requireKind(t, errs.Unavailable, shardtest.Put(t.Context(), s, h, frames))
		f.Heal()
	}
	for _, call := range []shardtest.Call{shardtest.CallOpen, shardtest.CallRead} {
		f.HangOn(call)
		_, err := shardtest.Get(t.Context(), s, h)
		requireKind(t, errs.Unavailable, err)
		f.Heal()
	}
	f.HangOn(shardtest.CallStat)
	_, err := s.Stat(t.Context(), h.ID)
	requireKind(t, errs.Unavailable, err)
	f.Heal()
	b, err := shardtest.Get(t.Context(), patient, h)
	require.NoError(t, err)
	require.Equal(t, -1, shardtest.CheckFrames(h, b))
}

// TestSilentClientIsDropped sends half a body and nothing more.
func TestSilentClientIsDropped(t *testing.T) {
	m := shardtest.NewMemory()
	aborted := make(chan struct{}, 1)
	addr := serve(t, abortWatch{m, aborted}, HandlerConfig{StallTimeout: 50 * time.Millisecond})
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	h := shardtest.Header(1, 1, 0, 2, 0, 0)
	_, err = io.WriteString(c, "PUT "+shardPath(testDrive, h.ID)+" HTTP/1.1\r\nHost: x\r\nContent-Length: 131080\r\n"+
		shardHeader+": "+encodeHeader(h)+"\r\n\r\nhalf")
	require.NoError(t, err)
	<-aborted
	require.Zero(t, m.Len())
}

type abortWatch struct {
	shard.Store
	aborted chan struct{}
}

func (a abortWatch) Create(ctx context.Context, h shard.Header) (shard.Writer, error) {
	w, err := a.Store.Create(ctx, h)
	return abortWatchWriter{w, a.aborted}, err
}

type abortWatchWriter struct {
	shard.Writer
	aborted chan struct{}
}

func (w abortWatchWriter) Abort() { w.Writer.Abort(); w.aborted <- struct{}{} }

// TestConnectionIsKept counts connections: whole reads, short rests and small
// errors must not cost one.
func TestConnectionIsKept(t *testing.T) {
	addr := serve(t, shardtest.NewMemory(), HandlerConfig{})
	var dials atomic.Int64
	tr := &http.Transport{DialContext: func(ctx context.Context, n, a string) (net.Conn, error) {
		dials.Add(1)
		return (&net.Dialer{}).DialContext(ctx, n, a)
	}}
	t.Cleanup(tr.CloseIdleConnections)
	s := NewClient(&http.Client{Transport: tr}, func(cluster.DriveID) (string, error) { return addr, nil },
		ClientConfig{}).Store(testDrive)
	h := shardtest.Header(1, 1, 0, 9, 0, 0)
	require.NoError(t, shardtest.Put(t.Context(), s, h, shardtest.Frames(h, 1)))
	for _, left := range []int64{0, 10, drainBytes} {
		r, err := s.Open(t.Context(), h.ID, shard.Span{Len: h.FramedBytes()})
		require.NoError(t, err)
		_, err = io.CopyN(io.Discard, r, h.FramedBytes()-left)
		require.NoError(t, err)
		require.NoError(t, r.Close())
	}
	_, err := s.Stat(t.Context(), shard.ID{Extent: shard.ExtentID{Volume: 5, Seq: 5}})
	requireKind(t, errs.NotFound, err)
	require.NoError(t, s.Delete(t.Context(), []shard.ID{h.ID}))
	require.EqualValues(t, 1, dials.Load())
}

// TestStaleConnection closes the idle connection under the client: a small shard
// is sent again, since none of its bytes were let go.
func TestStaleConnection(t *testing.T) {
	f := newFeed()
	_, err := f.body()
	require.NoError(t, err)
	f.lend([]byte("abcdef"), true)
	b, err := f.body()
	require.NoError(t, err)
	p := make([]byte, 4)
	n, err := b.Read(p)
	require.NoError(t, err)
	require.Equal(t, "abcd", string(p[:n]))
	b2, err := f.body() // Nothing was taken back: from the first byte again.
	require.NoError(t, err)
	_, err = b.Read(p)
	require.ErrorIs(t, err, errFeedClosed)
	all, err := io.ReadAll(b2)
	require.NoError(t, err)
	require.Equal(t, "abcdef", string(all))
	require.True(t, f.finished())
	require.True(t, f.takeBack())
	_, err = f.body()
	require.ErrorIs(t, err, errFeedMoved)
}

func TestHandlerRefuses(t *testing.T) {
	m := shardtest.NewMemory()
	addr := serve(t, m, HandlerConfig{})
	h := shardtest.Header(1, 1, 0, 0, 1, 100)
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	good := "http://" + addr + shardPath(testDrive, h.ID)
	for _, c := range []struct{ name, method, url, header, body string }{
		{"no header", "PUT", good, "", "x"},
		{"short body", "PUT", good, encodeHeader(h), "x"},
		{"long body", "PUT", good, encodeHeader(h), strings.Repeat("x", 105)},
		{"no span", "GET", good, "", ""},
		{"negative span", "GET", good + "?-1+5", "", ""},
		{"slot", "GET", "http://" + addr + "/shard/v1/0000000000001234/1/1/32?0+1", "", ""},
		{"no drive", "GET", "http://" + addr + "/shard/v1/12/1/1/3?0+1", "", ""},
		{"method", "PATCH", good, "", ""},
		{"part of an id", "POST", "http://" + addr + "/shard/v1/0000000000001234/delete", "", "xxx"},
		{"too many ids", "POST", "http://" + addr + "/shard/v1/0000000000001234/delete", "", strings.Repeat("x", deleteMaxBody+1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), c.method, c.url, strings.NewReader(c.body))
			require.NoError(t, err)
			req.Header.Set(shardHeader, c.header)
			resp, err := tr.RoundTrip(req)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, http.StatusBadRequest, resp.StatusCode)
		})
	}
	require.Zero(t, m.Len())
}

func FuzzHeader(f *testing.F) {
	f.Add(encodeHeader(shardtest.Header(1, 1, 0, 9, 2, 640)), "0+100", "/shard/v1/0000000000001234/1/2/3")
	f.Add("1 1 4 2 0 0 0", "1+1+1", "/shard/v1/0000000000001234/delete")
	f.Add("1 1 256 2 9 0 0 7", "-1+1", "/shard/v1//")
	id := shard.ID{Extent: shard.ExtentID{Volume: 1, Seq: 1}}
	f.Fuzz(func(t *testing.T, value, query, path string) {
		if h, err := decodeHeader(id, value); err == nil && (!h.Valid() || encodeHeader(h) != value) {
			t.Fatalf("%q became %+v", value, h)
		}
		if s, err := decodeSpan(query); err == nil && encodeSpan(s) != query {
			t.Fatalf("%q became %+v", query, s)
		}
		if d, sid, del, err := parsePath(path); err == nil && !del && !strings.EqualFold(shardPath(d, sid), path) {
			t.Fatalf("%q became %v %v", path, d, sid)
		}
		if ids, err := decodeIDs([]byte(value)); err == nil && string(encodeIDs(ids)) != value {
			t.Fatalf("%q became %v", value, ids)
		}
	})
}

func BenchmarkPut16MiB(b *testing.B) {
	benchTransfer(b, func(s shard.Store, h shard.Header, frames []byte) error {
		w, err := s.Create(context.Background(), h)
		if err != nil {
			return err
		}
		for off := 0; off < len(frames); off += chunkBytes {
			if _, err := w.Write(frames[off:min(off+chunkBytes, len(frames))]); err != nil {
				return err
			}
		}
		return w.Commit(context.Background())
	})
}

func BenchmarkGet16MiB(b *testing.B) {
	buf := make([]byte, chunkBytes)
	benchTransfer(b, func(s shard.Store, h shard.Header, _ []byte) error {
		r, err := s.Open(context.Background(), h.ID, shard.Span{Len: h.FramedBytes()})
		if err != nil {
			return err
		}
		for left := h.FramedBytes(); left > 0; {
			n, err := io.ReadFull(r, buf[:min(left, chunkBytes)])
			if err != nil {
				return err
			}
			left -= int64(n)
		}
		return r.Close()
	})
}
