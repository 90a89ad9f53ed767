package node

import (
	"net/http"
	"time"

	"github.com/cairnstore/cairn/node/admin"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/node/audit"
	"github.com/cairnstore/cairn/node/trace"
	"github.com/cairnstore/cairn/s3api"
	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/policy"
	"github.com/cairnstore/cairn/s3api/sigauth"
)

// requestDone counts a request to S3, and tells the audit log and whoever watches of it.
func (n *Node) requestDone(d *s3api.RequestDone) {
	n.countTaken(d)
	if n.audit != nil {
		n.audit.Write(n.s3Record(d))
	}
	if n.trace.Wants(false) {
		n.trace.Publish(n.s3Event(d))
	}
}

func (n *Node) s3Record(d *s3api.RequestDone) *audit.Record {
	r := &audit.Record{Time: time.Now().UTC(), Node: n.home.ID().String(), Kind: audit.KindS3, RequestID: d.ID, Who: whoOf(d.Who), Remote: d.Source,
		Operation: d.Operation, Bucket: d.Bucket, Key: d.Key, VersionID: d.VersionID, CopySource: d.CopySource,
		Status: d.Status, Code: string(d.Code), Aborted: d.Aborted, BytesIn: d.BytesIn, BytesOut: d.BytesOut, DurationMS: millis(d.Duration)}
	if d.Who == nil {
		r.Who.AccessKey = d.Claimed
	}
	for _, o := range d.Objects {
		r.Objects = append(r.Objects, audit.Object{Key: o.Key, VersionID: o.VersionID, Code: string(o.Code)})
	}
	return r
}

func (n *Node) s3Event(d *s3api.RequestDone) *adminpb.TraceEvent {
	e := n.event(trace.KindS3, d.Who, d.Operation, d.Duration)
	e.RequestId, e.Remote, e.Status, e.Code = d.ID, d.Source, uint32(d.Status), string(d.Code)
	e.Bucket, e.Key, e.VersionId, e.Aborted = d.Bucket, d.Key, d.VersionID, d.Aborted
	e.BytesIn, e.BytesOut = uint64(d.BytesIn), uint64(d.BytesOut)
	if e.Operation == "" {
		e.Operation = d.Method
	}
	if d.Who == nil {
		e.AccessKey = d.Claimed
	}
	if d.Cause != nil {
		e.Cause = d.Cause.Error()
	}
	return e
}

// stsDone is requestDone for STS. facts are those of the request.
func (n *Node) stsDone(d *iam.STSDone, facts func(string) ([]string, bool)) {
	remote := sourceOf(facts)
	if n.audit != nil {
		r := &audit.Record{Time: time.Now().UTC(), Node: n.home.ID().String(), Kind: audit.KindSTS, RequestID: d.RequestID, Who: whoOf(d.Identity),
			Remote: remote, Operation: d.Action, Status: d.Status, DurationMS: millis(d.Duration)}
		if d.Identity == nil && d.Request != nil {
			r.Who.AccessKey = sigauth.Claimed(d.Request)
		}
		if d.Role != "" {
			r.Subject = map[string]string{"role": d.Role}
		}
		if f := d.Federated; f != nil {
			r.Who.Provider, r.Who.Subject = f.Provider, f.Subject
			r.Subject = map[string]string{"session": f.ARN, "access_key": f.AccessKey}
			if d.Role != "" {
				r.Subject["role"] = d.Role
			}
		}
		n.audit.Write(r)
	}
	if n.trace.Wants(false) {
		e := n.event(trace.KindSTS, d.Identity, d.Action, d.Duration)
		e.RequestId, e.Remote, e.Status = d.RequestID, remote, uint32(d.Status)
		if d.Err != nil {
			e.Cause = d.Err.Error()
		}
		n.trace.Publish(e)
	}
}

// adminDone is requestDone for the admin API. Calls that only look are not kept, unless they were
// refused.
func (n *Node) adminDone(c *admin.Call) {
	if n.audit != nil && (c.Changes || c.Status == http.StatusForbidden) {
		r := &audit.Record{Time: time.Now().UTC(), Node: n.home.ID().String(), Kind: audit.KindAdmin, RequestID: c.ID, Who: whoOf(c.Who),
			Remote: c.Remote, Operation: c.Method, Subject: c.Subject, Status: c.Status, Code: c.Code, DurationMS: millis(c.Duration)}
		if c.Who == nil {
			r.Who.AccessKey = c.Claimed
		}
		n.audit.Write(r)
	}
	if n.trace.Wants(false) {
		e := n.event(trace.KindAdmin, c.Who, c.Method, c.Duration)
		e.RequestId, e.Remote, e.Status, e.Code = c.ID, c.Remote, uint32(c.Status), c.Code
		n.trace.Publish(e)
	}
}

// event returns an event with the fields that all kinds have.
func (n *Node) event(kind string, who *iam.Identity, operation string, took time.Duration) *adminpb.TraceEvent {
	e := &adminpb.TraceEvent{Time: time.Now().UTC().Format(time.RFC3339Nano), Node: n.home.ID().String(), Kind: kind, Operation: operation,
		DurationUs: uint64(took.Microseconds())}
	if who != nil {
		e.Account, e.User, e.AccessKey = who.Account, who.User, who.AccessKey
	}
	return e
}

func whoOf(id *iam.Identity) audit.Who {
	if id == nil {
		return audit.Who{}
	}
	return audit.Who{Account: id.Account, AccountName: id.AccountName, User: id.User, Role: id.Role,
		Session: id.SessionName, AccessKey: id.AccessKey,
		Provider: id.Provider, Subject: id.Subject}
}

// sourceOf returns the client's address among the facts of a request.
func sourceOf(facts func(string) ([]string, bool)) string {
	if v, ok := facts(policy.KeySourceIP); ok {
		return v[0]
	}
	return ""
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// traced shows requests between nodes to whoever watches them.
func (n *Node) traced(pattern string, h http.Handler) (string, http.Handler) {
	return pattern, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !n.trace.Wants(true) {
			h.ServeHTTP(w, r)
			return
		}
		start, counted := time.Now(), &countedWriter{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			e := n.event(trace.KindInternal, nil, r.Method+" "+r.URL.Path, time.Since(start))
			e.Remote, e.Status, e.BytesOut = r.RemoteAddr, uint32(counted.status), counted.bytes
			e.BytesIn = uint64(max(r.ContentLength, 0))
			n.trace.Publish(e)
		}()
		h.ServeHTTP(counted, r)
	})
}

// countedWriter notes the status and the length of an answer.
type countedWriter struct {
	http.ResponseWriter
	status int
	bytes  uint64
}

// Unwrap serves http.ResponseController.
func (w *countedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush implements http.Flusher.
func (w *countedWriter) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

func (w *countedWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *countedWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.bytes += uint64(n)
	return n, err
}
