package s3api

import (
	"context"
	"time"

	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/limit"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sigauth"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// Events is told what the handler does, for metrics and logs. A field may be nil. Functions are
// called from many goroutines and must not block.
type Events struct {
	RequestDone func(context.Context, RequestDone) // The context is the request's.
	ServerError func(message string)               // A line of net/http's error log.
}

// RequestDone tells of one finished request. The fields under "Names" are for operators who asked
// to see requests, and are never logged.
type RequestDone struct {
	ID        string // x-amz-request-id.
	Method    string
	Operation string // S3's name; empty: the request is of no operation.
	Account   string // The caller's; empty: the request was not authenticated.
	Remote    string // The address of the peer.
	Status    int    // 0: the connection was cut before a status was sent.
	Code      s3err.Code
	Cause     error // Of a failure, for the log. It may be nil.
	Aborted   bool  // The answer was cut short: the connection was closed.
	BytesIn   int64 // Of the request's body.
	BytesOut  int64 // Of the answer's body.
	Duration  time.Duration
	Limit     *limit.Refusal // The limit that refused the request; nil: none did.
	Paced     time.Duration  // How long bytes waited for what limits allow.

	// Names.
	Who        *iam.Identity // Nil: anonymous, or not authenticated.
	Claimed    string        // The access key that the request names, if its signature is wrong.
	Source     string        // The IP address of the client, also behind a trusted proxy; empty: not known.
	Bucket     string
	Key        string
	VersionID  string         // As the request names it, else as the answer does.
	CopySource string         // /bucket/key; empty if nothing is copied or it was not looked at.
	Objects    []ObjectResult // Of a DeleteObjects.
	ObjectSize int64          // Of the whole object; -1: there is none, or it is not known.

	signature sigauth.Version // Of the request; empty: none.
	presigned bool
}

// ObjectResult is what a request that names several objects did to one.
type ObjectResult struct {
	Key, VersionID string
	Code           s3err.Code // Why nothing was done; empty if it was.
}

// objectResults are those of an answer; nil for most operations.
func objectResults(resp *response) []ObjectResult {
	doc, ok := resp.document.(*wirexml.DeleteObjects)
	if !ok {
		return nil
	}
	out := make([]ObjectResult, 0, len(doc.Deleted)+len(doc.Errors))
	for _, d := range doc.Deleted {
		out = append(out, ObjectResult{Key: d.Key, VersionID: d.VersionID})
	}
	for _, e := range doc.Errors {
		out = append(out, ObjectResult{Key: e.Key, VersionID: e.VersionID, Code: e.Err.Code})
	}
	return out
}
