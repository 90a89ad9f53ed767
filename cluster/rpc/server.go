package rpc

import (
	"context"
	"errors"
	"log"
	"maps"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
)

// Defaults of Config.
const (
	DefaultReadHeaderTimeout = 10 * time.Second
	DefaultIdleTimeout       = 3 * time.Minute // Longer than the client's, so that the client closes first.
	DefaultMaxHeaderBytes    = 64 << 10
)

// Config is how a Server listens. The zero value means the defaults.
type Config struct {
	ReadHeaderTimeout time.Duration // For the TLS handshake and a request's header.
	IdleTimeout       time.Duration // Between requests.
	MaxHeaderBytes    int
	Wrap              func(http.Handler) http.Handler // Around all handlers; nil: nothing.
	Events            Events
}

// Events are told what happens; any may be nil. They must not block.
type Events struct {
	// HandlerPanicked is called when a handler panicked; the peer got a 500 or,
	// when the answer had begun, a cut connection.
	HandlerPanicked func(method, path string, value any, stack []byte)
	// HandshakeFailed is called when a peer is refused by TLS.
	HandshakeFailed func(text string)
	// Log is called with what else the HTTP server has to say.
	Log func(text string)
}

// Server is the internode listener of a node.
type Server struct {
	mux    *http.ServeMux
	http   http.Server
	unused unused
}

// NewServer returns a server without handlers.
func NewServer(cfg Config) *Server {
	s := &Server{mux: http.NewServeMux()}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	var handler http.Handler = s.mux
	if cfg.Wrap != nil {
		handler = cfg.Wrap(handler)
	}
	s.http = http.Server{
		Handler:           &recoverer{next: handler, panicked: cfg.Events.HandlerPanicked},
		ReadHeaderTimeout: orDefault(cfg.ReadHeaderTimeout, DefaultReadHeaderTimeout),
		IdleTimeout:       orDefault(cfg.IdleTimeout, DefaultIdleTimeout),
		MaxHeaderBytes:    orDefault(cfg.MaxHeaderBytes, DefaultMaxHeaderBytes),
		Protocols:         protocols,
		ConnContext:       connContext(cfg.Events.HandshakeFailed),
		ErrorLog:          log.New(logWriter{cfg.Events.Log}, "", 0),
		ConnState:         s.unused.note,
	}
	return s
}

func orDefault[T int | time.Duration](v, d T) T {
	if v == 0 {
		return d
	}
	return v
}

// Handle registers a handler under a pattern of http.ServeMux. It must be called
// before Serve.
func (s *Server) Handle(pattern string, h http.Handler) { s.mux.Handle(pattern, h) }

// Serve answers on l until Shutdown, and returns nil then. l is closed on return.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return errs.New("rpc.Serve", errs.Unavailable, err)
	}
	return nil
}

// Shutdown stops listening and waits for requests to end; when ctx ends first it
// cuts the rest off. Serve may return before it does.
func (s *Server) Shutdown(ctx context.Context) error {
	s.unused.close()
	err := s.http.Shutdown(ctx)
	if err != nil {
		_ = s.http.Close()
		return errs.New("rpc.Shutdown", errs.Canceled, err)
	}
	return nil
}

// unused is the connections that have not brought a request yet. Peers open some that
// they do not need after all, when another gets free first. net/http waits five seconds
// for each of them before it stops, in which the node would be neither here nor gone.
type unused struct {
	mu     sync.Mutex
	closed bool
	conns  map[net.Conn]struct{}
}

// note implements http.Server.ConnState.
func (u *unused) note(c net.Conn, state http.ConnState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(u.conns, c)
	case u.closed:
		_ = c.Close()
	default:
		if u.conns == nil {
			u.conns = make(map[net.Conn]struct{})
		}
		u.conns[c] = struct{}{}
	}
}

// close closes them, and those that come yet.
func (u *unused) close() {
	u.mu.Lock()
	u.closed = true
	conns := slices.Collect(maps.Keys(u.conns))
	u.mu.Unlock()
	for _, c := range conns {
		_ = c.Close() // Nothing was promised on it.
	}
}

// connKey is the key of a request's *tlsConn in its context.
type connKey struct{}

// connContext returns the hook that makes a connection known to its requests.
func connContext(refused func(text string)) func(context.Context, net.Conn) context.Context {
	return func(ctx context.Context, c net.Conn) context.Context {
		t, ok := c.(*tlsConn)
		if !ok {
			return ctx
		}
		if refused != nil {
			t.refused = func(err error) {
				refused("TLS handshake with " + t.RemoteAddr().String() + " failed: " + err.Error())
			}
		}
		return context.WithValue(ctx, connKey{}, t)
	}
}

// recoverer turns panics of handlers into answers, and sets the request's TLS as
// net/http does for connections that it knows to be of TLS.
type recoverer struct {
	next     http.Handler
	panicked func(method, path string, value any, stack []byte)
}

func (h *recoverer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if t, ok := r.Context().Value(connKey{}).(*tlsConn); ok {
		r.TLS = t.peer()
	}
	tracked := &trackedWriter{ResponseWriter: w}
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if v == http.ErrAbortHandler { //nolint:errorlint // The very value, as net/http compares it.
			panic(v)
		}
		if h.panicked != nil {
			h.panicked(r.Method, r.URL.Path, v, debug.Stack())
		}
		if tracked.began {
			panic(http.ErrAbortHandler) // The peer must not take half an answer for a whole one.
		}
		WriteError(w, errs.Newf("rpc.Server", errs.Internal, "the handler panicked; see the node's log"))
	}()
	h.next.ServeHTTP(tracked, r)
}

// trackedWriter knows whether the answer has begun.
type trackedWriter struct {
	http.ResponseWriter
	began bool
}

// Unwrap serves http.ResponseController.
func (w *trackedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *trackedWriter) WriteHeader(status int) {
	w.began = w.began || status >= http.StatusOK
	w.ResponseWriter.WriteHeader(status)
}

func (w *trackedWriter) Write(p []byte) (int, error) {
	w.began = true
	return w.ResponseWriter.Write(p)
}

// Flush implements http.Flusher.
func (w *trackedWriter) Flush() {
	w.began = true
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

// logWriter hands each line of the HTTP server's log to an event.
type logWriter struct{ log func(text string) }

func (l logWriter) Write(p []byte) (int, error) {
	if l.log != nil {
		l.log(strings.TrimSpace(string(p)))
	}
	return len(p), nil
}
