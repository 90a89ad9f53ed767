package rpc

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
)

// Headers of internode answers and requests.
const (
	headerKind    = "Cairn-Error-Kind" // errs.Kind as a decimal number.
	headerOp      = "Cairn-Error-Op"
	headerTimeout = "Cairn-Timeout" // Milliseconds that the caller still waits.
)

const (
	errorTextMaxBytes = 1 << 10
	errorOpMaxBytes   = 128
)

// statusOf returns a kind's status, for those who read the wire; Cairn itself reads
// the header.
func statusOf(kind errs.Kind) int {
	switch kind {
	case errs.Invalid:
		return http.StatusBadRequest
	case errs.Denied:
		return http.StatusForbidden
	case errs.NotFound:
		return http.StatusNotFound
	case errs.Exists:
		return http.StatusConflict
	case errs.Precondition:
		return http.StatusPreconditionFailed
	case errs.Corrupt:
		return http.StatusUnprocessableEntity
	case errs.Unavailable:
		return http.StatusServiceUnavailable
	case errs.Overloaded:
		return http.StatusTooManyRequests
	case errs.NoSpace:
		return http.StatusInsufficientStorage
	case errs.Canceled:
		return http.StatusRequestTimeout
	default:
		return http.StatusInternalServerError
	}
}

// WriteError answers with an error. Nothing may have been written before.
func WriteError(w http.ResponseWriter, err error) {
	op, kind, text := parts(err)
	h := w.Header()
	h.Del("Content-Length")
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set(headerKind, strconv.Itoa(int(kind)))
	h.Set(headerOp, op)
	w.WriteHeader(statusOf(kind))
	_, _ = io.WriteString(w, text)
}

// ReadError returns the error that an answer carries; nil where its status is below
// 400. It reads the body, which the caller still has to close.
func ReadError(resp *http.Response) error {
	if resp.StatusCode < http.StatusBadRequest {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, errorTextMaxBytes))
	text := strings.ToValidUTF8(string(body), "?")
	if err != nil && text == "" {
		text = "and no text: " + err.Error()
	}
	kind, ok := parseKind(resp.Header)
	if !ok {
		kind = errs.Internal
		if resp.StatusCode >= http.StatusInternalServerError {
			kind = errs.Unavailable
		}
		return errs.Newf("rpc.ReadError", kind, "status %d without an error kind: %s", resp.StatusCode, strings.TrimSpace(text))
	}
	return errs.New(wireOp(resp.Header), kind, errors.New(text))
}

// CallError returns err, which an HTTP client's Do or a body's Read returned, under
// op: Canceled where ctx ended, its own kind where it has one, else Unavailable.
// nil for nil.
func CallError(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	var e *errs.Error
	switch {
	case ctx.Err() != nil:
		return errs.New(op, errs.Canceled, err)
	case errors.As(err, &e):
		return errs.New(op, e.Kind, err)
	default:
		return errs.New(op, errs.Unavailable, err)
	}
}

// parts splits an error into what crosses the wire.
func parts(err error) (op string, kind errs.Kind, text string) {
	var e *errs.Error
	kind = errs.KindOf(err)
	op, text = "rpc", err.Error()
	if errors.As(err, &e) {
		op, text = e.Op, ""
		if e.Cause != nil {
			text = e.Cause.Error()
		}
	}
	return headerSafe(op, errorOpMaxBytes), kind, cut(text, errorTextMaxBytes)
}

func parseKind(h http.Header) (errs.Kind, bool) {
	text := h.Get(headerKind)
	if text == "" {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 8)
	if err != nil || errs.Kind(n) > errs.Expired {
		return errs.Internal, true // A kind that a newer version made.
	}
	return errs.Kind(n), true
}

func wireOp(h http.Header) string {
	if op := h.Get(headerOp); op != "" {
		return cut(op, errorOpMaxBytes)
	}
	return "rpc"
}

func cut(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "")
	}
	return s
}

// headerSafe keeps what a header value may hold.
func headerSafe(s string, n int) string {
	return cut(strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s), n)
}

// SetDeadline tells the peer the deadline of the request's context, where it has one.
func SetDeadline(req *http.Request) {
	if at, ok := req.Context().Deadline(); ok {
		ms := max(1, time.Until(at).Milliseconds())
		req.Header.Set(headerTimeout, strconv.FormatInt(ms, 10))
	}
}

// WithDeadline returns the request's context with the deadline that SetDeadline
// told. The caller must call cancel.
func WithDeadline(r *http.Request) (context.Context, context.CancelFunc) {
	if text := r.Header.Get(headerTimeout); text != "" {
		ms, err := strconv.ParseUint(text, 10, 31)
		if err == nil && ms > 0 {
			return context.WithTimeout(r.Context(), time.Duration(ms)*time.Millisecond)
		}
	}
	return context.WithCancel(r.Context())
}
