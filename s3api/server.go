package s3api

import (
	"context"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/limit"
)

type server struct {
	cfg       Config
	documents *documents
	gate      *limit.Gate
}

// New returns the handler of S3 requests. It also serves /livez, /readyz and the
// admin API.
func New(cfg Config) http.Handler {
	if cfg.Access == nil {
		panic("s3api: a handler needs Access: nobody else decides who may do what")
	}
	return &server{cfg: cfg.withDefaults(), documents: newDocuments(cfg.Budget, cfg.BudgetWait), gate: limit.NewGate(0)}
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := s.local(r); h != nil {
		s.serveLocal(h, w, r)
		return
	}
	start := time.Now()
	continueEmpty(w, r)
	ex := s.newExchange(w, r)
	// This is deferred because an answer that is cut short panics.
	defer func() {
		ex.done.Duration = time.Since(start)
		ex.done.BytesIn, ex.done.BytesOut = ex.body.read, ex.out.written
		ex.letGo()
		ex.slot.Leave()
		ex.charged.End(ex.body.read, ex.out.written)
		ex.done.Paced = ex.charged.Paced()
		s.cfg.Events.RequestDone(r.Context(), ex.done)
		ex.logAccess(r.Context(), start)
	}()
	ctx, stop := patient(r, s.cfg.Limits.HalfClosedTimeout)
	defer stop()
	resp, err := ex.handle(ctx)
	ex.answer(ex.tenant(ctx), resp, err)
}

// patient returns the context of a request's work. If the request's own context ends because the
// client has closed its side of the connection, the work goes on for grace: a client may have said
// all and be waiting for the answer. Only a write tells whether it is gone. In HTTP/2 a client that
// leaves says so.
func patient(r *http.Request, grace time.Duration) (ctx context.Context, stop func()) {
	if r.ProtoMajor != 1 {
		return r.Context(), func() {}
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(r.Context()))
	unwatch := context.AfterFunc(r.Context(), func() {
		t := time.NewTimer(grace)
		defer t.Stop()
		select {
		case <-t.C:
			cancel(context.Cause(r.Context()))
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		unwatch()
		cancel(nil)
	}
}

// handle carries out what a request asks for.
func (ex *exchange) handle(ctx context.Context) (*response, error) {
	if ex.r.Method == http.MethodOptions {
		ex.done.Operation = preflightName
		return ex.preflight(ctx)
	}
	if ex.website != "" {
		if err := ex.queue(ctx, strangers); err != nil {
			return nil, err
		}
		return ex.visit(ex.tenant(ctx))
	}
	rq, op, err := ex.s.prepare(ctx, ex)
	if err != nil {
		return nil, err
	}
	rq.style, rq.profile, rq.byACL = ex.style, ex.profile, &ex.byACL
	if op.name != postName {
		if resp, err := ex.charge(ctx, rq); err != nil {
			return resp, err
		}
	}
	if err := ex.queue(ctx, rq.caller.Account); err != nil {
		return nil, err
	}
	ctx = ex.tenant(ctx)
	resp, err := op.handle(ex.s, ctx, rq)
	ex.done.CopySource = rq.copied
	if err == nil {
		resp.tellCharged(rq)
		ex.done.Objects = objectResults(resp)
	}
	return resp, err
}

// continueEmpty sends 100 Continue to a client that waits for it although its body is empty.
// net/http does not, which is right. But boto3, if it gets a final answer instead, misreads the
// next answer on the connection and hangs.
func continueEmpty(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength == 0 && r.ProtoMajor == 1 && r.ProtoAtLeast(1, 1) && strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		w.WriteHeader(http.StatusContinue)
	}
}

// local returns the handler of a path that is no S3 resource; nil: it is one. Virtual hosts have
// only S3 resources.
func (s *server) local(r *http.Request) http.Handler {
	path := r.URL.Path
	if s.hostBucket(r.Host) != "" || s.websiteBucket(r.Host) != "" {
		return nil
	}
	if s.cfg.STS != nil && iam.IsSTS(r) {
		return s.cfg.STS
	}
	if len(path) < 2 {
		return nil
	}
	switch {
	case s.cfg.Admin != nil && strings.HasPrefix(path, AdminPrefix):
		return s.cfg.Admin
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return nil
	case path == "/livez":
		return health(s.cfg.Livez)
	case path == "/readyz":
		return health(s.cfg.Readyz)
	}
	return nil
}

// serveLocal serves what is no S3 resource. What the handler reads of a body has to come as fast as
// a document. What it does not read has to come at once, because net/http would wait for it for
// ever before it answers.
func (s *server) serveLocal(h http.Handler, w http.ResponseWriter, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody {
		h.ServeHTTP(w, r)
		return
	}
	limits := &s.cfg.Limits
	body := &requestBody{src: r.Body, rc: http.NewResponseController(w), idle: limits.IdleReadTimeout, size: r.ContentLength, http2: r.ProtoMajor == 2}
	body.until = time.Now().Add(limits.DocumentTimeout)
	unread := min(limits.IdleReadTimeout, drainTimeout)
	body.arm(time.Now().Add(unread))
	copied := *r // The server's own request keeps its body.
	copied.Body = body
	h.ServeHTTP(w, &copied)
	if !body.ended {
		body.arm(time.Now().Add(unread))
	}
}

// health serves a check: 200, or 503 with the reason as text.
type health func() error

// ServeHTTP implements http.Handler.
func (check health) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if check != nil {
		if err := check(); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(err.Error() + "\n"))
			return
		}
	}
	_, _ = w.Write([]byte("ok\n"))
}

// newRequestID returns 128 random bits as 32 hex digits.
func newRequestID() string {
	var raw [16]byte
	a, b := rand.Uint64(), rand.Uint64()
	for i := range 8 {
		raw[i], raw[8+i] = byte(a>>(8*i)), byte(b>>(8*i))
	}
	var text [32]byte
	hex.Encode(text[:], raw[:])
	return string(text[:])
}

func itoa[T int | int64 | uint64 | uint32](n T) string { return strconv.FormatUint(uint64(n), 10) }
