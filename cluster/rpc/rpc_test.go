package rpc

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/identity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func testIdentity(t testing.TB, digit string, node cluster.NodeID) *identity.Identity {
	t.Helper()
	key, err := identity.ParseKey(strings.Repeat(digit, 64))
	require.NoError(t, err)
	id, err := identity.New(key, node)
	require.NoError(t, err)
	return id
}

// serve runs a server with the given handlers over t and returns its URL.
func serve(t testing.TB, over Transport, cfg Config, handlers map[string]http.HandlerFunc) string {
	t.Helper()
	s := NewServer(cfg)
	for pattern, h := range handlers {
		s.Handle(pattern, h)
	}
	l, err := over.Listen("127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		require.NoError(t, s.Shutdown(ctx))
		require.NoError(t, <-done)
	})
	return "http://" + l.Addr().String()
}

func client(t testing.TB, over Transport, cfg ClientConfig) *http.Client {
	t.Helper()
	c := NewHTTPClient(over, cfg)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// get returns the body and the error as a caller in another room would see it.
func get(ctx context.Context, c *http.Client, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	SetDeadline(req)
	resp, err := c.Do(req)
	if err != nil {
		return "", CallError(ctx, "test.get", err)
	}
	defer resp.Body.Close()
	if err := ReadError(resp); err != nil {
		return "", err
	}
	body, err := io.ReadAll(resp.Body)
	return string(body), CallError(ctx, "test.get", err)
}

func whoAmI(w http.ResponseWriter, r *http.Request) {
	node, err := identity.PeerNode(r.TLS)
	if err != nil {
		WriteError(w, err)
		return
	}
	fmt.Fprint(w, node, " ", r.Proto)
}

func TestMutualTLS(t *testing.T) {
	var refused lines
	server := TLS(TCP(), testIdentity(t, "a", 1))
	url := serve(t, server, Config{Events: Events{HandshakeFailed: refused.add}}, map[string]http.HandlerFunc{"GET /who": whoAmI})

	body, err := get(t.Context(), client(t, TLS(TCP(), testIdentity(t, "a", 2)), ClientConfig{}), url+"/who")
	require.NoError(t, err)
	require.Equal(t, "0000000000000002 HTTP/1.1", body)

	_, err = get(t.Context(), client(t, TLS(TCP(), testIdentity(t, "b", 2)), ClientConfig{}), url+"/who")
	require.True(t, errs.Is(err, errs.Unavailable), "%v", err)
	require.True(t, NotSent(err))
	require.ErrorContains(t, err, "another cluster key")

	// A stranger who believes us, with no certificate or one of his own cluster.
	for _, cfg := range []*tls.Config{{InsecureSkipVerify: true}, believing(testIdentity(t, "b", 3))} {
		_, err = get(t.Context(), client(t, dialer(func(ctx context.Context, addr string) (net.Conn, error) {
			return (&tls.Dialer{Config: cfg}).DialContext(ctx, "tcp", addr)
		}), ClientConfig{}), url+"/who")
		require.True(t, errs.Is(err, errs.Unavailable), "%v", err)
	}
	_, err = get(t.Context(), client(t, TCP(), ClientConfig{}), url+"/who") // Not even TLS.
	require.Error(t, err)
	require.Eventually(t, func() bool { return strings.Contains(refused.all(), "another cluster key") }, 5*time.Minute, time.Millisecond,
		"the server tells why it refused a peer, maybe after the peer has seen it")
}

func believing(id *identity.Identity) *tls.Config {
	cfg := id.ClientTLS().Clone()
	cfg.VerifyConnection = nil
	return cfg
}

// dialer is a Transport that only dials.
type dialer func(ctx context.Context, addr string) (net.Conn, error)

func (d dialer) Dial(ctx context.Context, addr string) (net.Conn, error) { return d(ctx, addr) }
func (d dialer) Listen(string) (net.Listener, error)                     { return nil, errors.ErrUnsupported }

type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) add(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintln(&l.text, s)
}

func (l *lines) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestErrorsCrossTheWire(t *testing.T) {
	var out error
	url := serve(t, TCP(), Config{}, map[string]http.HandlerFunc{
		"/fail": func(w http.ResponseWriter, _ *http.Request) { WriteError(w, out) },
		"/bare": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusBadGateway) },
		"/new": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(headerKind, "200")
			w.WriteHeader(http.StatusNotFound)
		},
	})
	c := client(t, TCP(), ClientConfig{})
	for kind := errs.Internal; kind <= errs.Expired; kind++ {
		out = errs.Newf("drive.Open", kind, "shard %d\nis odd", 7)
		_, err := get(t.Context(), c, url+"/fail")
		require.Equal(t, out.Error(), err.Error())
		require.Equal(t, kind, errs.KindOf(err))
	}
	out = fmt.Errorf("outer: %w", errs.New("op\r\nX-Evil: 1", errs.Corrupt, nil))
	_, err := get(t.Context(), c, url+"/fail")
	require.Equal(t, errs.Corrupt, errs.KindOf(err))
	out = errs.New("op", errs.Invalid, errors.New(strings.Repeat("é", 5000)))
	_, err = get(t.Context(), c, url+"/fail")
	require.Less(t, len(err.Error()), 2*errorTextMaxBytes)
	out = context.DeadlineExceeded
	_, err = get(t.Context(), c, url+"/fail")
	require.Equal(t, errs.Canceled, errs.KindOf(err))

	_, err = get(t.Context(), c, url+"/nowhere") // No such route: must not pass for a missing shard.
	require.Equal(t, errs.Internal, errs.KindOf(err), "%v", err)
	_, err = get(t.Context(), c, url+"/bare")
	require.Equal(t, errs.Unavailable, errs.KindOf(err), "%v", err)
	_, err = get(t.Context(), c, url+"/new") // A kind of a later version.
	require.Equal(t, errs.Internal, errs.KindOf(err), "%v", err)
}

func TestNetworkFailures(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	gone := "http://" + l.Addr().String()
	require.NoError(t, l.Close())
	_, err = get(t.Context(), client(t, TCP(), ClientConfig{}), gone)
	require.True(t, errs.Is(err, errs.Unavailable), "%v", err)
	require.True(t, NotSent(err))

	// A dial that hangs ends by its own timeout, and then the peer is at fault.
	hang := dialer(func(ctx context.Context, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	_, err = get(t.Context(), client(t, hang, ClientConfig{DialTimeout: time.Millisecond}), gone)
	require.True(t, errs.Is(err, errs.Unavailable), "%v", err)
	require.True(t, NotSent(err))

	// Or by the caller's context, and then nobody is.
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err = get(ctx, client(t, hang, ClientConfig{}), gone)
	require.True(t, errs.Is(err, errs.Canceled), "%v", err)

	// A peer that cuts the connection may have seen the request.
	url := serve(t, TCP(), Config{}, map[string]http.HandlerFunc{
		"/cut": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	})
	_, err = get(t.Context(), client(t, TCP(), ClientConfig{}), url+"/cut")
	require.True(t, errs.Is(err, errs.Unavailable), "%v", err)
	require.False(t, NotSent(err))
	require.NoError(t, CallError(t.Context(), "x", nil))
}

func TestListenTaken(t *testing.T) {
	l, err := TCP().Listen("127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, err = TCP().Listen(l.Addr().String())
	require.True(t, errs.Is(err, errs.Unavailable))
	require.ErrorContains(t, err, l.Addr().String())
}

func TestPanics(t *testing.T) {
	var events lines
	url := serve(t, TCP(), Config{Events: Events{HandlerPanicked: func(method, path string, v any, stack []byte) {
		events.add(fmt.Sprint(method, " ", path, " ", v, " ", bytes.Contains(stack, []byte("rpc_test.go"))))
	}}}, map[string]http.HandlerFunc{
		"/before": func(http.ResponseWriter, *http.Request) { panic("early") },
		"/after": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("x", 10_000))
			_ = http.NewResponseController(w).Flush()
			panic("late")
		},
	})
	c := client(t, TCP(), ClientConfig{})
	_, err := get(t.Context(), c, url+"/before")
	require.Equal(t, errs.Internal, errs.KindOf(err))
	require.ErrorContains(t, err, "panicked")
	require.NotContains(t, err.Error(), "early")
	_, err = get(t.Context(), c, url+"/after")
	require.True(t, errs.Is(err, errs.Unavailable), "half an answer must not look whole: %v", err)
	require.Equal(t, "GET /before early true\nGET /after late true\n", events.all())
}

func TestDeadlineTravels(t *testing.T) {
	var left time.Duration
	var has bool
	url := serve(t, TCP(), Config{}, map[string]http.HandlerFunc{"/": func(_ http.ResponseWriter, r *http.Request) {
		ctx, cancel := WithDeadline(r)
		defer cancel()
		var at time.Time
		at, has = ctx.Deadline()
		left = time.Until(at)
	}})
	c := client(t, TCP(), ClientConfig{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	_, err := get(ctx, c, url)
	require.NoError(t, err)
	require.True(t, has)
	require.LessOrEqual(t, left, time.Hour)
	require.Greater(t, left, 50*time.Minute)
	_, err = get(t.Context(), c, url)
	require.NoError(t, err)
	require.False(t, has)

	for _, text := range []string{"x", "-1", "0", "99999999999999999999"} {
		r := &http.Request{Header: http.Header{headerTimeout: {text}}}
		ctx, cancel := WithDeadline(r)
		_, has := ctx.Deadline()
		require.False(t, has, text)
		cancel()
	}
}

func TestSlowHeaderIsCutOff(t *testing.T) {
	url := serve(t, TCP(), Config{ReadHeaderTimeout: 10 * time.Millisecond}, nil)
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	require.NoError(t, err)
	defer c.Close()
	_, err = io.WriteString(c, "GET / HT")
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, c) // Ends, since the server gives up.
	require.NoError(t, err)
}

func TestHugeHeaderIsRefused(t *testing.T) {
	url := serve(t, TCP(), Config{}, map[string]http.HandlerFunc{"/": func(http.ResponseWriter, *http.Request) {}})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	req.Header.Set("X", strings.Repeat("x", 2*DefaultMaxHeaderBytes))
	resp, err := client(t, TCP(), ClientConfig{}).Do(req)
	if err == nil { // Else the connection was cut while the header was being sent.
		require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, resp.StatusCode)
		require.NoError(t, resp.Body.Close())
	}
}

// What a big body goes through arrives whole, both ways, over both transports.
func TestBodies(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	echo := map[string]http.HandlerFunc{"POST /": func(w http.ResponseWriter, r *http.Request) {
		got, err := io.ReadAll(r.Body)
		if err != nil {
			WriteError(w, err)
			return
		}
		_, _ = w.Write(got)
	}}
	for name, over := range map[string]Transport{"tcp": TCP(), "tls": TLS(TCP(), testIdentity(t, "a", 1))} {
		t.Run(name, func(t *testing.T) {
			url := serve(t, over, Config{}, echo)
			resp, err := client(t, over, ClientConfig{}).Post(url, "", bytes.NewReader(body))
			require.NoError(t, err)
			got, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.True(t, bytes.Equal(body, got))
		})
	}
}

func TestShutdownCutsOffAtDeadline(t *testing.T) {
	s := NewServer(Config{})
	entered, done := make(chan struct{}), make(chan error, 1)
	s.Handle("/", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	}))
	l, err := TCP().Listen("127.0.0.1:0")
	require.NoError(t, err)
	go func() { done <- s.Serve(l) }()
	c := client(t, TCP(), ClientConfig{})
	failed := make(chan error, 1)
	go func() {
		_, err := get(context.Background(), c, "http://"+l.Addr().String())
		failed <- err
	}()
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.True(t, errs.Is(s.Shutdown(ctx), errs.Canceled))
	require.NoError(t, <-done)
	require.True(t, errs.Is(<-failed, errs.Unavailable))
}

// A peer that has connected and asks for nothing does not hold up the end of a server:
// net/http alone would wait five seconds for it.
func TestShutdownWaitsForNoUnusedConnection(t *testing.T) {
	for name, over := range map[string]Transport{"in clear": TCP(), "TLS": TLS(TCP(), testIdentity(t, "a", 1))} {
		t.Run(name, func(t *testing.T) {
			s := NewServer(Config{})
			s.Handle("/", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			l, err := over.Listen("127.0.0.1:0")
			require.NoError(t, err)
			done := make(chan error, 1)
			go func() { done <- s.Serve(l) }()
			unused, err := over.Dial(t.Context(), l.Addr().String())
			require.NoError(t, err)
			defer unused.Close()
			used := client(t, over, ClientConfig{})
			_, err = get(t.Context(), used, "http://"+l.Addr().String()) // Accepted after the unused one.
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second) // Less than net/http waits.
			defer cancel()
			require.NoError(t, s.Shutdown(ctx))
			require.NoError(t, <-done)
		})
	}
}
