package s3api

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/cairnstore/cairn/s3api/accesslog"
	"github.com/cairnstore/cairn/s3api/limit"
	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// exchange is one request and its answer. Nothing else writes to the socket.
type exchange struct {
	s    *server
	w    http.ResponseWriter
	rc   *http.ResponseController
	r    *http.Request // The server's request with its body wrapped.
	body *requestBody
	out  output
	done RequestDone

	buckets  lookedUp
	held     int64         // Of the budget of documents.
	charged  *limit.Charge // Nil: the request is under no limit.
	slot     *limit.Slot   // Nil: it was not let in.
	byACL    atomic.Bool   // The request was allowed by an ACL, and by nothing else.
	answered time.Time     // When the first byte of the answer was sent.

	website string           // The bucket whose website is asked; empty: the request is one of S3.
	profile *profile.Profile // As it was when the request came.
	style   wirexml.Style
	dialect profile.Dialect
}

// output writes the body of an answer. Status and headers go out with the first byte, so work that
// fails before it can answer with a status of its own.
type output struct {
	w       http.ResponseWriter
	rc      *http.ResponseController
	idle    time.Duration
	begin   func() // Sends the headers; nil once they are sent.
	http2   bool   // Deadlines of HTTP/2 are timers: they break the stream even if nobody writes.
	armed   time.Time
	written int64
	pace    *limit.Charge   // Nil: nothing holds the bytes back.
	ctx     context.Context // Of the request; set with pace.
}

// maxWriteBytes is how much a client must accept within the idle time, at most.
const maxWriteBytes = 64 << 10

// Write implements io.Writer.
func (o *output) Write(p []byte) (n int, err error) {
	o.start()
	for n < len(p) && err == nil {
		most := maxWriteBytes
		if o.pace != nil {
			if err = o.wait(); err != nil {
				break
			}
			most = o.pace.Chunk(limit.BytesOut)
		}
		o.arm()
		var m int
		m, err = o.w.Write(p[n:min(len(p), n+most)])
		n += m
		if o.pace != nil {
			o.pace.Spend(limit.BytesOut, m)
		}
	}
	if o.http2 {
		o.disarm()
	}
	o.written += int64(n)
	return n, err
}

// wait waits until the limits of the request let more through. Time in which it waits is not the
// client's.
func (o *output) wait() error {
	if o.http2 {
		o.disarm()
	}
	return o.pace.Wait(o.ctx, limit.BytesOut)
}

// start sends the headers if they are not sent yet.
func (o *output) start() {
	if begin := o.begin; begin != nil {
		o.begin = nil
		begin()
	}
}

// arm gives the client time to accept the next bytes.
func (o *output) arm() {
	if now := time.Now(); now.Sub(o.armed) > o.idle/4 {
		o.armed = now
		_ = o.rc.SetWriteDeadline(now.Add(o.idle)) // Only recorders of tests have none.
	}
}

func (o *output) disarm() {
	o.armed = time.Time{}
	_ = o.rc.SetWriteDeadline(time.Time{})
}

func (s *server) newExchange(w http.ResponseWriter, r *http.Request) *exchange {
	ex := &exchange{s: s, w: w, rc: http.NewResponseController(w)}
	ex.profile, ex.website = s.cfg.Profile(), s.websiteBucket(r.Host)
	ex.dialect = dialectOf(r)
	ex.style = ex.profile.Style(ex.dialect, s.endpoint(r.Host))
	ex.done = RequestDone{ID: newRequestID(), Method: r.Method, Remote: r.RemoteAddr, ObjectSize: accesslog.Unknown}
	ex.out = output{w: w, rc: ex.rc, idle: s.cfg.Limits.IdleWriteTimeout, http2: r.ProtoMajor == 2}
	ex.body = &requestBody{src: r.Body, rc: ex.rc, idle: s.cfg.Limits.IdleReadTimeout, size: r.ContentLength, http2: r.ProtoMajor == 2}
	// The server's own request keeps its body: net/http looks at its type.
	copied := *r
	ex.r = &copied
	if r.Body == nil || r.Body == http.NoBody {
		ex.body.src, ex.body.ended = http.NoBody, true
	} else {
		ex.r.Body = ex.body
	}
	return ex
}

// answer sends what a handler returned.
func (ex *exchange) answer(ctx context.Context, resp *response, err error) {
	chunked := false
	if err == nil && resp.later != nil {
		var sent bool
		if resp, sent, err = ex.work(ctx, resp); sent {
			return
		}
		chunked = ex.profile.ChunkedAnswers
	}
	switch {
	case err != nil && ex.website != "":
		ex.failPage(err)
	case err != nil:
		ex.fail(resp, err)
	case resp.content != nil:
		ex.stream(ctx, resp)
	case resp.raw != nil:
		ex.sendRaw(resp)
	case resp.document != nil:
		ex.send(resp, ex.style.Marshal(resp.document), chunked)
	default:
		ex.send(resp, nil, false)
	}
}

// stream sends an object. A failure before its first byte is answered as an error. A later one cuts
// the connection, so no client takes the part that it got for the whole.
func (ex *exchange) stream(ctx context.Context, resp *response) {
	drain := false
	if err := ex.out.pace.Await(ctx, limit.BytesOut, resp.content.length); err != nil {
		ex.fail(nil, err)
		return
	}
	ex.out.begin = func() { drain = ex.sendHeader(resp, resp.content.length) }
	n, err := resp.content.writeTo(ctx, &ex.out)
	switch {
	case err != nil && ex.out.begin != nil:
		ex.out.begin = nil
		ex.fail(nil, err)
		return
	case err != nil || n != resp.content.length:
		ex.done.Aborted, ex.done.Cause = true, err
		panic(http.ErrAbortHandler)
	}
	ex.out.start() // An empty object has written nothing.
	if drain {
		ex.drainBody()
	}
}

// sendRaw sends an answer whose body the handler has made.
func (ex *exchange) sendRaw(resp *response) {
	drain := ex.sendHeader(resp, int64(len(resp.raw)))
	if ex.r.Method != http.MethodHead {
		_, _ = ex.out.Write(resp.raw)
	}
	if drain {
		ex.drainBody()
	}
}

// send sends a whole answer. chunked says that it goes without Content-Length to a client that
// knows chunks.
func (ex *exchange) send(resp *response, document []byte, chunked bool) {
	if document != nil {
		resp.set("Content-Type", "application/xml")
	}
	length := int64(len(document))
	if document == nil && (ex.r.Method == http.MethodHead || resp.status == http.StatusNoContent || resp.status == http.StatusNotModified) {
		length = -1 // A HEAD's handler has set it, and other statuses have no body.
	}
	if chunked && ex.r.ProtoMajor == 1 && ex.r.ProtoAtLeast(1, 1) {
		resp.set("Transfer-Encoding", "chunked")
		length = -1
	}
	drain := ex.sendHeader(resp, length)
	if len(document) > 0 && ex.r.Method != http.MethodHead {
		_, _ = ex.out.Write(document) // A client that left needs no answer.
	}
	if drain {
		ex.drainBody()
	}
}

// fail sends an error, with the headers of resp, which may be nil.
func (ex *exchange) fail(resp *response, err error) {
	e := s3err.FromError(err)
	ex.done.Code, ex.done.Cause = e.Code, err
	status, document := ex.style.Render(e, ex.resource(), ex.done.ID, ex.s.cfg.HostID)
	failed := &response{status: status}
	if resp != nil {
		failed.headers = resp.headers
	}
	if e.Code == s3err.MethodNotAllowed && !failed.has(headerAllow) {
		t, _ := ex.s.parseAddress(ex.r)
		failed.set(headerAllow, allowedMethods(t.scope()))
	}
	if ex.r.Method == http.MethodHead {
		document = nil
		failed.set("Content-Type", "application/xml")
	}
	ex.send(failed, document, false)
}

const (
	headerVersionID = "x-amz-version-id"
	headerAllow     = "Allow"
)

// sendHeader sends status and headers. If length is negative there is no Content-Length. It returns
// whether to drain the request's body after the answer.
func (ex *exchange) sendHeader(resp *response, length int64) (drain bool) {
	h := ex.w.Header()
	ex.tellCORS(resp)
	resp.headers = withoutUnsendable(resp.headers)
	values := make([]string, 0, len(resp.headers)+5)
	set := func(name, value string) {
		values = append(values, value)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
	set("Server", ex.profile.ServerHeader)
	if ex.profile.ReservedHeader {
		set(profile.ReservedHeaderName, profile.ReservedHeaderValue)
	}
	set(responseHeader(ex.dialect, "x-amz-request-id", ex.done.ID))
	set(responseHeader(ex.dialect, "x-amz-id-2", ex.s.cfg.HostID))
	if length >= 0 {
		set("Content-Length", itoa(length))
	}
	for _, f := range resp.headers {
		if f.name == headerVersionID && ex.done.VersionID == "" {
			ex.done.VersionID = f.value
		}
		set(responseHeader(ex.dialect, f.name, f.value))
	}
	drain = ex.settleBody(h)
	ex.done.Status = max(resp.status, http.StatusOK)
	ex.answered = time.Now()
	if !ex.out.http2 {
		ex.out.arm()
	}
	ex.w.WriteHeader(ex.done.Status)
	return drain
}

// resource is what an error is about, as the client named it.
func (ex *exchange) resource() string {
	path := ex.r.URL.Path
	if bucket := ex.s.hostBucket(ex.r.Host); bucket != "" {
		return "/" + bucket + path
	}
	return path
}
