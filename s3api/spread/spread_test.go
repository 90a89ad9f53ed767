package spread

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/rpc"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/sse"
	"github.com/cairnstore/cairn/shard"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// doer is a node that does tasks.
type doer func(context.Context, *object.Task) (*metapb.Extent, error)

func (d doer) DoTask(ctx context.Context, t *object.Task) (*metapb.Extent, error) { return d(ctx, t) }

const worker cluster.NodeID = 7

// connect returns a client of a node that does tasks with d.
func connect(t testing.TB, d doer, beats, stall time.Duration) *Client {
	return connectTo(t, NewHandler(d, HandlerConfig{BeatInterval: beats}), stall)
}

func connectTo(t testing.TB, h http.Handler, stall time.Duration) *Client {
	t.Helper()
	s := rpc.NewServer(rpc.Config{})
	s.Handle(Path, h)
	l, err := rpc.TCP().Listen("127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	hc := rpc.NewHTTPClient(rpc.TCP(), rpc.ClientConfig{})
	t.Cleanup(func() {
		hc.CloseIdleConnections()
		require.NoError(t, s.Shutdown(context.Background()))
		require.NoError(t, <-ended)
	})
	return NewClient(ClientConfig{HTTP: hc, StallTimeout: stall,
		Nodes: func() []cluster.NodeID { return []cluster.NodeID{worker} },
		Addr:  func(n cluster.NodeID) (string, bool) { return l.Addr().String(), n == worker }})
}

func someTask() *object.Task {
	return &object.Task{
		Source: &metapb.ContentAnswer{Length: 12, Pieces: []*metapb.Piece{{Ref: &metapb.ExtentRef{Volume: 3, Seq: 4, Offset: 5, Length: 12, Envelope: 1},
			Extent: &metapb.Extent{PlainBytes: 100, SealId: sse.NewSealID()}}}},
		Keys:   []*sse.DataKey{sse.NewDataKey(), sse.NewDataKey()},
		Extent: shard.ExtentID{Volume: 9, Seq: 10}, Epoch: 11, Key: sse.NewDataKey(), SealID: sse.NewSealID(),
	}
}

// keysOf returns the bytes of a task's keys.
func keysOf(t *object.Task) (b []byte) {
	for _, k := range t.Keys {
		b = k.AppendKey(b)
	}
	if t.Key != nil {
		b = t.Key.AppendKey(b)
	}
	return b
}

// TestTaskCrosses: a task arrives as it was sent. The worker's copy of its keys is cleared after
// the answer; the sender's is not.
func TestTaskCrosses(t *testing.T) {
	want := someTask()
	plain := &object.Task{Source: want.Source, Extent: want.Extent, Epoch: 1}
	made := &metapb.Extent{PlainBytes: 12, SealId: want.SealID, Crc64: 99, HasCrcs: true, Missing: 2}
	var got *object.Task
	var keys []byte
	c := connect(t, func(_ context.Context, task *object.Task) (*metapb.Extent, error) {
		got, keys = task, keysOf(task)
		return made, nil
	}, 0, 0)
	require.Equal(t, []cluster.NodeID{worker}, c.Nodes())
	for _, task := range []*object.Task{want, plain} {
		sent := keysOf(task)
		x, err := c.Do(t.Context(), worker, task)
		require.NoError(t, err)
		require.True(t, proto.Equal(made, x))
		require.True(t, proto.Equal(task.Source, got.Source))
		require.Equal(t, task.Extent, got.Extent)
		require.Equal(t, task.Epoch, got.Epoch)
		require.True(t, bytes.Equal(task.SealID, got.SealID))
		require.Equal(t, sent, keys)
		require.Equal(t, sent, keysOf(task))
		require.Equal(t, task.Key == nil, got.Key == nil)
		require.Equal(t, make([]byte, len(keys)), append([]byte{}, keysOf(got)...), "wiped")
	}
}

// TestBeats: a task may take longer than the client would wait in silence.
func TestBeats(t *testing.T) {
	heard := make(chan struct{}, 100)
	body := &beating{beats: 50, rest: append([]byte{done}, marshal(t, &metapb.Extent{PlainBytes: 5})...)}
	x, err := await(body, func() { heard <- struct{}{} })
	require.NoError(t, err)
	require.EqualValues(t, 5, x.PlainBytes)
	require.Len(t, heard, 50)

	// Over the wire, the answer has begun when the task ends, well or badly.
	for _, cause := range []error{nil, errs.Newf("test", errs.Corrupt, "bad")} {
		n := &noticing{written: make(chan struct{})}
		h := NewHandler(doer(func(context.Context, *object.Task) (*metapb.Extent, error) {
			<-n.written
			return &metapb.Extent{PlainBytes: 6}, cause
		}), HandlerConfig{BeatInterval: time.Millisecond})
		c := connectTo(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n.ResponseWriter = w
			h.ServeHTTP(n, r)
		}), 0)
		x, err := c.Do(t.Context(), worker, someTask())
		if cause == nil {
			require.NoError(t, err)
			require.EqualValues(t, 6, x.PlainBytes)
		} else {
			require.Equal(t, errs.Unavailable, errs.KindOf(err), "%v", err)
		}
	}
}

// noticing notes when the answer begins.
type noticing struct {
	http.ResponseWriter
	once    sync.Once
	written chan struct{}
}

func (n *noticing) Unwrap() http.ResponseWriter { return n.ResponseWriter }

func (n *noticing) Write(p []byte) (int, error) {
	defer n.once.Do(func() { close(n.written) })
	return n.ResponseWriter.Write(p)
}

// beating is a body of some beats and a rest, read byte by byte.
type beating struct {
	beats int
	rest  []byte
}

func (b *beating) Read(p []byte) (int, error) {
	if b.beats > 0 {
		b.beats--
		p[0] = beat
		return 1, nil
	}
	if len(b.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:1], b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

func marshal(t testing.TB, m proto.Message) []byte {
	b, err := proto.Marshal(m)
	require.NoError(t, err)
	return b
}

func TestErrorsOfATask(t *testing.T) {
	var out error
	c := connect(t, func(context.Context, *object.Task) (*metapb.Extent, error) { return nil, out }, 0, 0)
	for _, kind := range []errs.Kind{errs.Overloaded, errs.Unavailable, errs.Corrupt, errs.Invalid} {
		out = errs.Newf("test", kind, "no")
		_, err := c.Do(t.Context(), worker, someTask())
		require.Equal(t, kind, errs.KindOf(err), "%v", err)
	}
	_, err := c.Do(t.Context(), worker+1, someTask())
	require.Equal(t, errs.Unavailable, errs.KindOf(err))
	large := someTask()
	large.Source.Pieces[0].Inline = make([]byte, taskMaxBytes)
	_, err = c.Do(t.Context(), worker, large)
	require.Equal(t, errs.Invalid, errs.KindOf(err))
}

// TestSilence: a node that is silent is given up.
func TestSilence(t *testing.T) {
	left := make(chan struct{})
	c := connect(t, func(ctx context.Context, _ *object.Task) (*metapb.Extent, error) {
		<-ctx.Done()
		close(left)
		return nil, ctx.Err()
	}, time.Hour, 10*time.Millisecond)
	_, err := c.Do(t.Context(), worker, someTask())
	require.Equal(t, errs.Unavailable, errs.KindOf(err), "%v", err)
	require.ErrorIs(t, err, errStalled)
	<-left
}

// TestAskerGoes: if the asking node goes away, the worker's context ends.
func TestAskerGoes(t *testing.T) {
	began, left := make(chan struct{}), make(chan struct{})
	c := connect(t, func(ctx context.Context, _ *object.Task) (*metapb.Extent, error) {
		close(began)
		<-ctx.Done()
		close(left)
		return nil, ctx.Err()
	}, 0, 0)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-began; cancel() }()
	_, err := c.Do(ctx, worker, someTask())
	require.Equal(t, errs.Canceled, errs.KindOf(err), "%v", err)
	<-left
}

// TestNotATask: a body that is no task is refused, and not quoted.
func TestNotATask(t *testing.T) {
	c := connect(t, func(context.Context, *object.Task) (*metapb.Extent, error) { panic("not reached") }, 0, 0)
	addr, _ := c.cfg.Addr(worker)
	for name, body := range map[string]string{"nothing": "", "noise": "\xff\xff secret", "short key": "\x12\x03abc"} {
		resp, err := c.cfg.HTTP.Post("http://"+addr+Path, "", bytes.NewReader([]byte(body)))
		require.NoError(t, err)
		err = rpc.ReadError(resp)
		_ = resp.Body.Close()
		require.Equal(t, errs.Invalid, errs.KindOf(err), "%s: %v", name, err)
		require.NotContains(t, err.Error(), "secret")
	}
	resp, err := c.cfg.HTTP.Get("http://" + addr + Path)
	require.NoError(t, err)
	require.Equal(t, errs.Invalid, errs.KindOf(rpc.ReadError(resp)))
	_ = resp.Body.Close()
}

// TestNotAnAnswer: an answer that is not of this protocol is an error.
func TestNotAnAnswer(t *testing.T) {
	for _, body := range []string{"", "\x00\x00", "\x02", "\x01\xff"} {
		_, err := await(bytes.NewReader([]byte(body)), func() {})
		require.Error(t, err, "%q", body)
	}
}

// TestBodyIsCleared: the body is cleared when the transport closes it, even while the transport
// reads.
func TestBodyIsCleared(t *testing.T) {
	text := []byte("0123456789")
	b := &secretBody{all: text, left: text}
	p := make([]byte, 4)
	n, err := b.Read(p)
	require.NoError(t, err)
	require.Equal(t, 4, n)
	require.NoError(t, b.Close())
	require.Equal(t, make([]byte, 10), text)
	_, err = b.Read(p)
	require.Equal(t, io.EOF, err)
}

// FuzzDecode: no body makes decode panic, and what is decoded, encoded and decoded again is the
// same task.
func FuzzDecode(f *testing.F) {
	b, err := encode(someTask())
	require.NoError(f, err)
	f.Add(b)
	f.Add([]byte{0x12, 0x01, 0x00})
	f.Fuzz(func(t *testing.T, b []byte) {
		task, err := decode(b)
		if err != nil {
			require.Equal(t, errs.Invalid, errs.KindOf(err))
			return
		}
		again, err := encode(task)
		require.NoError(t, err)
		same, err := decode(again)
		require.NoError(t, err)
		require.Equal(t, keysOf(task), keysOf(same))
		require.Equal(t, task.Extent, same.Extent)
	})
}
