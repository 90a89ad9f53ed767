package s3api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/cairnstore/cairn/s3api/limit"
	"github.com/cairnstore/cairn/s3api/s3err"
)

const (
	// minProgressBytes is what a client must send, or accept, per idle time.
	minProgressBytes = 1 << 10
	// maxDrainBytes and drainTimeout bound how much of a body is read that nobody wants. It is read
	// so that a client that sends before it reads sees the answer.
	maxDrainBytes = 1 << 20
	drainTimeout  = 2 * time.Second
	// netHTTPDrainBytes is what net/http drains by itself before it answers.
	netHTTPDrainBytes = 256 << 10
)

// requestBody is the body of a request as it comes from the connection. It gives up on a client
// that sends too slowly. Time in which the handler does not read does not count.
type requestBody struct {
	src  io.ReadCloser
	rc   *http.ResponseController
	idle time.Duration
	size int64 // -1: not known.

	read    int64
	touched bool // Read was called, so 100 Continue was sent.
	ended   bool
	endedAt time.Time // Zero: there was no body, or it was not read to its end.
	failed  bool      // The connection brings no more.

	until time.Time // When all of it must have come; zero: it need only go on coming.

	http2    bool          // Deadlines of HTTP/2 are timers: they break the body even if nobody reads.
	deadline time.Time     // The one that is set; zero: none is.
	waited   time.Duration // How long Read has waited since progress was made.
	progress int64         // The value of read at that progress.

	pace *limit.Charge   // Nil: nothing holds the bytes back.
	ctx  context.Context // Of the request; set with pace.
}

// Read implements io.Reader. Its errors are io.EOF or *s3err.Error.
func (b *requestBody) Read(p []byte) (int, error) {
	if b.pace != nil {
		if b.until.IsZero() { // A document is small and has a time of its own.
			if err := b.pace.Wait(b.ctx, limit.BytesIn); err != nil {
				return 0, s3err.IncompleteBody.Because(err)
			}
		}
		p = p[:min(len(p), b.pace.Chunk(limit.BytesIn))]
	}
	start := time.Now()
	if b.read-b.progress >= minProgressBytes {
		b.progress, b.waited = b.read, 0
	}
	want := start.Add(b.idle - b.waited)
	if !b.until.IsZero() && want.After(b.until) {
		want = b.until
	}
	if want.Sub(b.deadline) > b.idle/4 || want.Before(b.deadline) {
		b.arm(want)
	}
	b.touched = true
	n, err := b.src.Read(p)
	b.read += int64(n)
	b.waited += time.Since(start)
	if b.pace != nil {
		b.pace.Spend(limit.BytesIn, n)
	}
	if b.http2 {
		b.arm(time.Time{})
	}
	if err == io.EOF || b.size >= 0 && b.read >= b.size {
		b.end()
	}
	return n, b.translate(err)
}

// Close implements io.Closer. It does nothing: the server closes the body itself.
func (b *requestBody) Close() error { return nil }

// end takes the deadline off. The server goes on reading the connection to find out whether the
// client leaves, and must not take a timeout for that.
func (b *requestBody) end() {
	if !b.ended {
		b.ended, b.endedAt = true, time.Now()
		b.arm(time.Time{})
	}
}

func (b *requestBody) arm(t time.Time) {
	b.deadline = t
	_ = b.rc.SetReadDeadline(t) // Only recorders of tests have none.
}

func (b *requestBody) translate(err error) error {
	switch {
	case err == nil, err == io.EOF:
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.failed = true
		return s3err.RequestTimeout.Because(err)
	}
	b.failed = true
	return s3err.IncompleteBody.Because(err)
}

// atEnd reports whether nothing is left of a chunked body but its end, which was not read yet.
func (b *requestBody) atEnd() bool {
	b.arm(time.Now().Add(drainTimeout))
	var p [1]byte
	n, err := b.src.Read(p[:])
	if n > 0 || err != io.EOF {
		return false
	}
	b.end()
	return true
}

// settleBody decides, before headers are sent, what becomes of a body that was not read to its end.
// It returns whether to drain the rest after the answer.
func (ex *exchange) settleBody(h http.Header) (drain bool) {
	b := ex.body
	if b.ended || ex.r.ProtoMajor != 1 {
		return false // HTTP/2 resets the stream.
	}
	switch {
	case b.failed:
		b.arm(time.Now())
		h["Connection"] = []string{"close"}
	case b.size < 0 && b.touched && b.atEnd():
	case !b.touched && ex.r.Header.Get("Expect") != "":
		b.arm(time.Now()) // Nobody has asked for the body, so the server closes the connection.
	case ex.r.Header.Get("X-Amz-Copy-Source") != "":
		// Some clients announce a body with a copy and send none: answer first.
		b.arm(time.Now().Add(drainTimeout))
		h["Connection"] = []string{"close"}
	case b.size >= 0 && b.size-b.read < netHTTPDrainBytes:
		b.arm(time.Now().Add(drainTimeout))
	default:
		b.arm(time.Now().Add(drainTimeout))
		h["Connection"] = []string{"close"}
		return true
	}
	return false
}

// drainBody flushes the answer, then reads and drops a bounded piece of the body.
func (ex *exchange) drainBody() {
	if ex.rc.Flush() == nil {
		_, _ = io.CopyN(io.Discard, ex.body.src, maxDrainBytes)
	}
}

// readDocument reads the document in the body of a request, of at most limit bytes, and compares it
// with the checksums that came with it.
func (rq *request) readDocument(limit int64) ([]byte, error) {
	return rq.readVerified(limit, false)
}

// readSummedDocument is readDocument for documents that must come with a checksum, because what
// they ask for cannot be undone.
func (rq *request) readSummedDocument(limit int64) ([]byte, error) {
	return rq.readVerified(limit, true)
}

// readPartList is readDocument for a Complete. Its checksum headers are those of the object that it
// makes. Only a Content-MD5 and a checksum in the trailer are of the list itself.
func (rq *request) readPartList(limit int64) ([]byte, error) {
	sum, err := contentMD5(rq.r.Header)
	if err != nil {
		return nil, err
	}
	digest, err := trailerDigest(rq.auth)
	if err != nil {
		return nil, err
	}
	return rq.readMatching(limit, sum, digest)
}

func (rq *request) readVerified(limit int64, summed bool) ([]byte, error) {
	sum, err := contentMD5(rq.r.Header)
	if err != nil {
		return nil, err
	}
	digest, err := requestDigest(rq.r.Header, rq.auth)
	if err != nil {
		return nil, err
	}
	if summed && sum == nil && digest.Algorithm == "" {
		return nil, s3err.InvalidRequest.Say("Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
	}
	return rq.readMatching(limit, sum, digest)
}
