package s3api

import (
	"context"
	"time"

	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sigauth"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// Events tells what the handler does, for metrics and logs. Any field may be nil.
// Functions are called from many goroutines and must not block.
type Events struct {
	RequestDone func(context.Context, RequestDone) // The context is the request's.
	ServerError func(message string)               // A line of net/http's error log.
}

// RequestDone tells of one finished request. What is under "names" is for whoever
// asked to see requests, and is never logged.
type RequestDone struct {
	ID        string // x-amz-request-id.
	Method    string
	Operation string // S3's name; empty if the request is none.
	Account   string // Of the caller; empty if not authenticated.
	Remote    string // Address of the peer.
	Status    int    // 0: the connection was cut without one.
	Code      s3err.Code
	Cause     error // Of a failure, for the log; may be nil.
	Aborted   bool  // The answer was cut short: the connection was closed.
	BytesIn   int64 // Of the request's body.
	BytesOut  int64 // Of the answer's body.
	Duration  time.Duration

	// Names.
	Who        *iam.Identity // Nil: anonymous, or not authenticated.
	Claimed    string        // Access key that a request names whose signature does not hold.
	Source     string        // IP address of the client, also behind a trusted proxy; empty if not known.
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

func (e Events) requestDone(ctx context.Context, d RequestDone) {
	if e.RequestDone != nil {
		e.RequestDone(ctx, d)
	}
}
