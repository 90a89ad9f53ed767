package rpc

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// counted counts the writes of the connections it dials.
type counted struct {
	Transport
	writes *atomic.Int64
}

type countedConn struct {
	net.Conn
	writes *atomic.Int64
}

func (c counted) Dial(ctx context.Context, addr string) (net.Conn, error) {
	conn, err := c.Transport.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	return countedConn{conn, c.writes}, nil
}

func (c countedConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// pair returns the two ends of a TLS connection over loopback, the dialing one
// counting what it writes to the network.
func pair(t *testing.T) (a, b net.Conn, writes *atomic.Int64) {
	t.Helper()
	writes = new(atomic.Int64)
	over := TLS(counted{TCP(), writes}, testIdentity(t, "a", 1))
	l, err := over.Listen("127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, _ = c.Read(nil) // Shakes hands.
		}
		accepted <- c
	}()
	a, err = over.Dial(t.Context(), l.Addr().String())
	require.NoError(t, err)
	b = <-accepted
	t.Cleanup(func() {
		_ = a.Close()
		_ = b.Close()
	})
	return a, b, writes
}

func TestTLSConnKeepsBytes(t *testing.T) {
	a, b, _ := pair(t)
	rng := rand.New(rand.NewPCG(1, 2))
	var sent bytes.Buffer
	sizes := []int{0, 1, recordBytes, recordBytes + 1, 64 << 10, DefaultBufferBytes, corkBytes, 3 * corkBytes}
	for range 50 {
		sizes = append(sizes, rng.IntN(4*recordBytes))
	}
	go func() {
		for i, n := range sizes {
			p := bytes.Repeat([]byte{byte(i)}, n)
			sent.Write(p)
			if _, err := a.Write(p); err != nil {
				break
			}
		}
		_ = a.(*tlsConn).CloseWrite()
	}()
	got, err := io.ReadAll(b)
	require.NoError(t, err)
	require.True(t, bytes.Equal(sent.Bytes(), got))
}

func TestTLSConnWritesInLargePieces(t *testing.T) {
	a, b, writes := pair(t)
	writes.Store(0)
	go func() { _, _ = a.Write(make([]byte, 64<<10)) }()
	_, err := io.ReadFull(b, make([]byte, 64<<10))
	require.NoError(t, err)
	require.Equal(t, int64(1), writes.Load())
}

// A peer that reads nothing must not hold Close up, and the writer must fail.
func TestTLSConnCloseWhileStuck(t *testing.T) {
	a, _, _ := pair(t)
	failed := make(chan error, 1)
	go func() {
		p := make([]byte, corkBytes/2)
		for {
			if _, err := a.Write(p); err != nil {
				failed <- err
				return
			}
		}
	}()
	require.NoError(t, a.SetWriteDeadline(time.Now().Add(time.Hour)))
	_ = a.Close()
	require.Error(t, <-failed)
	_, err := a.Write(make([]byte, corkBytes/2))
	require.Error(t, err)
}

func TestFlushErrorSticks(t *testing.T) {
	x, y := net.Pipe()
	require.NoError(t, y.Close())
	defer x.Close()
	w := &wireConn{Conn: x}
	w.cork()
	n, err := w.Write([]byte("held"))
	require.Equal(t, 4, n)
	require.NoError(t, err)
	require.ErrorIs(t, w.uncork(), io.ErrClosedPipe)
	_, err = w.Write([]byte("more"))
	require.ErrorIs(t, err, io.ErrClosedPipe)
}

func TestSilentTLSClientIsCutOff(t *testing.T) {
	url := serve(t, TLS(TCP(), testIdentity(t, "a", 1)), Config{ReadHeaderTimeout: 10 * time.Millisecond}, nil)
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	require.NoError(t, err)
	defer c.Close()
	_, _ = io.Copy(io.Discard, c) // Ends, since the server gives up.
}

func TestSessionsResume(t *testing.T) {
	id := testIdentity(t, "a", 1)
	url := serve(t, TLS(TCP(), id), Config{}, map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, r *http.Request) {
		if r.TLS.DidResume {
			_, _ = io.WriteString(w, "resumed")
		}
	}})
	peer := TLS(TCP(), testIdentity(t, "a", 2))
	for _, want := range []string{"", "resumed"} {
		got, err := get(t.Context(), client(t, peer, ClientConfig{}), url)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { return len(p), nil }

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Both ends' CPU of bulk bytes: what the data path pays for the network.
func BenchmarkPut(b *testing.B) {
	const size = 8 << 20
	for name, over := range map[string]Transport{"tcp": TCP(), "tls": TLS(TCP(), testIdentity(b, "a", 1))} {
		b.Run(name, func(b *testing.B) {
			url := serve(b, over, Config{}, map[string]http.HandlerFunc{"/": func(_ http.ResponseWriter, r *http.Request) {
				buf := make([]byte, 64<<10)
				for {
					if _, err := io.ReadFull(r.Body, buf); err != nil {
						return
					}
				}
			}})
			c := client(b, over, ClientConfig{})
			b.SetBytes(size)
			began := cpuTime()
			for b.Loop() {
				req, err := http.NewRequest(http.MethodPost, url, io.LimitReader(zeroReader{}, size))
				require.NoError(b, err)
				req.ContentLength = size
				resp, err := c.Do(req)
				require.NoError(b, err)
				require.NoError(b, resp.Body.Close())
			}
			b.ReportMetric(float64(size)*float64(b.N)/1e6/(cpuTime()-began).Seconds(), "MB/cpu-s")
		})
	}
}
