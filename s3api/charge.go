package s3api

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/cairnstore/cairn/s3api/limit"
	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/shard/buf"
)

// postName is the operation whose caller is known only after the fields of its form were read.
const postName = "PostObject"

// charge counts a request for the limits that it is under, or refuses it. It comes before the body,
// so a client that waits for 100 Continue is refused before it sends one. What it waits for is waited
// for before memory is taken.
//
// A request counts for its caller's account, user and access key, and for its bucket. An unknown
// caller's counts for the account that owns the bucket. A request whose signature is wrong counts for
// nobody: strangers could use up what is another's.
func (ex *exchange) charge(ctx context.Context, rq *request) (*response, error) {
	l := ex.s.cfg.Limiter
	if l == nil || !l.On() {
		return nil, nil
	}
	who := limit.Subject{Bucket: rq.bucket}
	switch {
	case rq.identity != nil:
		who.Account, who.User, who.AccessKey = rq.identity.Account, rq.identity.User, rq.identity.LongLivedKey()
	case rq.auth.Anonymous && rq.bucket != "":
		if b, err := ex.s.bucket(ctx, rq); err == nil { // Otherwise the operation tells what is wrong.
			who.Account = b.GetOwner()
		}
	}
	if resp, err := ex.begin(l, who, rq.op.class()); err != nil {
		return resp, err
	}
	if !ex.body.ended && ex.charged.Limits(limit.BytesIn) {
		ex.body.pace, ex.body.ctx = ex.charged, ctx
		if err := ex.charged.Await(ctx, limit.BytesIn, rq.auth.Size); err != nil {
			return nil, err
		}
	}
	if ex.charged.Limits(limit.BytesOut) {
		ex.out.pace, ex.out.ctx = ex.charged, ctx
	}
	return nil, nil
}

// chargeVisit is charge for a request to the website of a bucket.
func (ex *exchange) chargeVisit(ctx context.Context, owner string) (*response, error) {
	l := ex.s.cfg.Limiter
	if l == nil || !l.On() {
		return nil, nil
	}
	resp, err := ex.begin(l, limit.Subject{Account: owner, Bucket: ex.website}, limit.Read)
	if err == nil && ex.charged.Limits(limit.BytesOut) {
		ex.out.pace, ex.out.ctx = ex.charged, ctx
	}
	return resp, err
}

// begin counts a request, or returns the refusal and its headers.
func (ex *exchange) begin(l *limit.Limiter, who limit.Subject, class limit.Class) (*response, error) {
	charged, refused := l.Begin(who, class)
	if refused == nil {
		ex.charged = charged
		return nil, nil
	}
	ex.done.Limit = refused
	resp := &response{}
	resp.set("Retry-After", itoa(int64(refused.Retry/time.Second)))
	code := s3err.SlowDown
	if ex.dialect == profile.DialectOBS {
		code = s3err.TooManyRequests
	}
	used := refused.Measure.String() + " of " + refused.Subject.Kind()
	return resp, code.Say("", s3err.Field{Name: "Limit", Value: used})
}

// strangers is the name of all unknown callers together, as a tenant of the node.
const strangers = "?"

// queue waits until a request of an account may be worked on. It comes before memory is taken, and
// before a body is asked for.
func (ex *exchange) queue(ctx context.Context, account string) (err error) {
	ex.slot, err = ex.s.gate.Enter(ctx, cmp.Or(account, strangers))
	return err
}

// tenant returns a context in which requests for memory are those of the caller's account.
func (ex *exchange) tenant(ctx context.Context) context.Context {
	return buf.ForTenant(ctx, cmp.Or(ex.done.Account, strangers))
}

// class returns the class in which limits count an operation.
func (op *operation) class() limit.Class {
	switch {
	case strings.HasPrefix(op.name, "List"):
		return limit.List
	case strings.HasPrefix(op.name, "Delete"), strings.HasPrefix(op.name, "Abort"):
		return limit.Delete
	case op.method == http.MethodGet, op.method == http.MethodHead:
		return limit.Read
	}
	return limit.Write
}
