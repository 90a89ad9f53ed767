package s3api

import (
	"context"
	"encoding/base64"
	"net/http"
	"sync/atomic"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/policy"
	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sigauth"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// request is an authenticated request, ready for its handler.
type request struct {
	address
	ex       *exchange
	r        *http.Request // Only for its headers, in S3's names. The body is auth.Body.
	query    query
	auth     *sigauth.Request
	style    wirexml.Style
	profile  *profile.Profile
	caller   object.Caller // As authenticated. Handlers must get it from admit.
	identity *iam.Identity // Nil: anonymous.
	op       *operation
	done     *RequestDone
	virtual  bool         // It is addressed by a host name of the bucket.
	byACL    *atomic.Bool // Set if only an ACL allows what is asked. It may be nil.

	forwarded bool   // It came through a proxy that is trusted.
	charged   bool   // The caller pays for the request.
	copied    string // The source of a copy as policies know it: /bucket/key.
	location  string // The region that the request names for a new bucket.
	ownership string // The ownership that the request gives a bucket; empty: none.

	tags []*metapb.Pair // The tags that the request gives.
	lock lockRequest    // The lock that the request asks for.
	memo *policy.Memo   // Of a request about many keys; nil: it is about one.
}

// prepare finds the operation of a request and authenticates it. It does not touch the body, so a
// client that waits for 100 Continue is refused before it sends one.
func (s *server) prepare(ctx context.Context, ex *exchange) (*request, *operation, error) {
	signed, done := ex.r, &ex.done
	r, err := normalize(signed)
	if err != nil {
		return nil, nil, err
	}
	t, err := s.parseAddress(r)
	if err != nil {
		return nil, nil, err
	}
	done.Bucket, done.Key = t.bucket, t.key
	q, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, nil, err
	}
	done.VersionID = q.get("versionId")
	_, copySource := r.Header["X-Amz-Copy-Source"]
	op, err := findOperation(r.Method, t.scope(), q, copySource)
	if op != nil {
		done.Operation = op.name
	}
	if err != nil {
		return nil, op, err
	}
	rq := &request{ex: ex, address: t, r: r, query: q, op: op, done: done, virtual: s.hostBucket(r.Host) != "", forwarded: s.cfg.Forwarded(signed)}
	done.Source = rq.sourceIP()
	if rq.auth, err = s.cfg.Verifier.Verify(signed); err != nil {
		done.Claimed = sigauth.Claimed(signed)
		return nil, op, err
	}
	done.signature, done.presigned = rq.auth.Version, rq.auth.Presigned
	if !rq.auth.Anonymous {
		rq.caller, rq.identity = s.cfg.Caller(rq.auth.Credential)
		done.Account, done.Who = rq.caller.Account, rq.identity
	}
	if err := checkHeaders(op, r.Header); err != nil {
		return nil, op, err
	}
	if err := checkOverrides(q); err != nil {
		return nil, op, err
	}
	if id, named := q.lookup("versionId"); named && id == "" {
		return nil, op, s3err.BadArgument("versionId", "", "Version id cannot be the empty string")
	}
	if err := s.checkVersionID(q.get("versionId")); err != nil {
		return nil, op, err
	}
	if t.bucket != "" && op.name != "CreateBucket" {
		err = s.expectOwner(ctx, rq, t.bucket, "X-Amz-Expected-Bucket-Owner")
	}
	return rq, op, err
}

// checkVersionID refuses an id that no version can have, if errors are told as AWS tells them.
// Otherwise it is the id of a version that does not exist.
func (s *server) checkVersionID(id string) error {
	if id == "" || object.MayBeVersionID(id) || s.cfg.Profile().ErrorProfile != profile.AWS {
		return nil
	}
	return s3err.BadArgument("versionId", printable(id), "Invalid version id specified")
}

// expectOwner refuses a request whose client believes that the bucket belongs to somebody else.
func (s *server) expectOwner(ctx context.Context, rq *request, bucket, header string) error {
	want := rq.r.Header.Get(header)
	if want == "" {
		return nil
	}
	b, err := s.otherBucket(ctx, rq, bucket)
	if err != nil {
		return err
	}
	if b.GetOwner() != want {
		return s3err.AccessDenied.Err()
	}
	return nil
}

// contentMD5 reads a Content-MD5 header; nil: there is none.
func contentMD5(h http.Header) ([]byte, error) {
	values, ok := h["Content-Md5"]
	if !ok {
		return nil, nil
	}
	sum, err := base64.StdEncoding.DecodeString(values[0])
	if err != nil || len(sum) != md5Bytes {
		return nil, s3err.InvalidDigest.Say("", s3err.Field{Name: "Content-MD5", Value: printable(values[0])})
	}
	return sum, nil
}

const md5Bytes = 16

// body returns the plaintext of an upload. Its length is within limit.
func (rq *request) body(limit int64) (object.Body, error) {
	b := object.Body{Reader: rq.auth.Body, Size: rq.auth.Size}
	switch {
	case b.Size < 0:
		return b, s3err.MissingContentLength.Err()
	case b.Size > limit:
		return b, s3err.EntityTooLarge.Say("",
			s3err.Field{Name: "ProposedSize", Value: itoa(b.Size)}, s3err.Field{Name: "MaxSizeAllowed", Value: itoa(limit)})
	}
	var err error
	if b.ContentMD5, err = contentMD5(rq.r.Header); err != nil {
		return b, err
	}
	b.Digest, err = requestDigest(rq.r.Header, rq.auth)
	return b, err
}
