package s3api

import (
	"context"
	"strings"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/bucket"
	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// Access decides who may do what.
type Access struct {
	Buckets    *bucket.Cache
	Authorizer *iam.Authorizer
}

// anonymousUser is the initiator of the uploads of callers whom nobody knows.
const anonymousUser = "anonymous"

// admit decides whether the caller may do an action on the bucket or key that the request names,
// and returns the caller as the object service knows it. It is the only way in which a handler gets
// a caller. A handler calls it after it has parsed the request, because S3 tells of malformed
// requests before it tells of rights.
func (s *server) admit(ctx context.Context, rq *request, action string) (object.Caller, error) {
	if err := s.allow(ctx, rq, action, subject{bucket: rq.bucket, key: rq.key, versionID: rq.query.get("versionId")}); err != nil {
		return object.Caller{}, err
	}
	return s.callerOf(ctx, rq)
}

// admitObject is admit for actions on an object that exists. Such an object has an owner and an ACL
// of its own, so the object service asks (object.Access) when it has found it.
func (s *server) admitObject(ctx context.Context, rq *request, action string) (object.Caller, error) {
	return s.admitAs(ctx, rq, versioned(action, rq.query.has("versionId")))
}

// admitAs is admitObject for an action that has the same name whether or not the request names a
// version.
func (s *server) admitAs(ctx context.Context, rq *request, action string) (object.Caller, error) {
	access, err := s.objectAccess(ctx, rq, action, rq.bucket, rq.query.get("versionId"))
	if err != nil {
		return object.Caller{}, err
	}
	who, err := s.callerOf(ctx, rq)
	who.Access = access
	return who, err
}

// versioned returns the action on a version that is named.
func versioned(action string, named bool) string {
	if !named {
		return action
	}
	for _, of := range []string{"Acl", "Tagging", "Attributes"} {
		if base, ok := strings.CutSuffix(action, of); ok {
			return base + "Version" + of
		}
	}
	return action + "Version"
}

// callerOf returns who makes a request. What an unknown caller writes belongs to the bucket's
// owner.
func (s *server) callerOf(ctx context.Context, rq *request) (object.Caller, error) {
	if !rq.auth.Anonymous {
		who := rq.caller
		who.Request = rq.asks()
		return who, nil
	}
	b, err := s.bucket(ctx, rq)
	if err != nil {
		return object.Caller{}, err
	}
	return object.Caller{Account: b.GetOwner(), User: anonymousUser, Anonymous: true, Request: rq.asks()}, nil
}

// subject is what an action is done on: a bucket, a key in it, or a version of that.
type subject struct{ bucket, key, versionID string }

// allow returns the error of a caller who may not do an action on something in a bucket. The bucket
// exists.
func (s *server) allow(ctx context.Context, rq *request, action string, on subject) error {
	b, err := s.otherBucket(ctx, rq, on.bucket)
	if err != nil {
		return err
	}
	if err := rq.pays(b); err != nil {
		return err
	}
	rq.decidedOn(b)
	return s.decide(&iam.Access{Identity: rq.identity, Action: action, Bucket: b, Key: on.key, Conditions: rq.facts(on.versionID), Memo: rq.memo, ByACL: rq.byACL})
}

// allowNew is allow for an action on a bucket that does not exist yet, or on the service if bucket
// is empty.
func (s *server) allowNew(rq *request, action, bucket string) error {
	return s.decide(&iam.Access{Identity: rq.identity, Action: action, Name: bucket, Conditions: rq.facts("")})
}

func (s *server) decide(a *iam.Access) error {
	if !s.cfg.Access.Authorizer.Allows(a) {
		return s3err.AccessDenied.Err()
	}
	return nil
}

// pays returns the error of a caller who does not say that it pays, where the bucket has requesters
// pay.
func (rq *request) pays(b *bucket.Bucket) error {
	if !b.RequesterPays() || rq.identity != nil && rq.identity.Account == b.Owner {
		return nil
	}
	if rq.identity == nil {
		return s3err.AccessDenied.Err() // There is no account that could pay.
	}
	if !strings.EqualFold(rq.r.Header.Get("X-Amz-Request-Payer"), "requester") && !strings.EqualFold(rq.query.get("x-amz-request-payer"), "requester") {
		return s3err.RequestPayerDenied.Err()
	}
	rq.charged = true
	return nil
}

// objectAccess is the rights of a request to an object in a bucket, before it is known what there
// is. It implements object.Access.
type objectAccess struct {
	authorizer *iam.Authorizer
	access     iam.Access
}

func (s *server) objectAccess(ctx context.Context, rq *request, action, bucket, versionID string) (object.Access, error) {
	b, err := s.otherBucket(ctx, rq, bucket)
	if err != nil {
		return nil, err
	}
	if err := rq.pays(b); err != nil {
		return nil, err
	}
	rq.decidedOn(b)
	return &objectAccess{s.cfg.Access.Authorizer, iam.Access{Identity: rq.identity, Action: action, Bucket: b, Conditions: rq.facts(versionID), ByACL: rq.byACL}}, nil
}

// Object implements object.Access.
func (o *objectAccess) Object(key string, v *metapb.Version) bool {
	access := o.access
	access.Key = key
	if o.mayOpen(v) {
		return o.authorizer.AllowsObject(&access, v)
	}
	access.Why.Refuse(iam.MasterKey,
		"the object is encrypted under a master key of its owner's account, which no policy opens to others")
	return false
}

// mayOpen reports whether the caller may use the key that a version is encrypted under. A master
// key belongs to an account, which is the version's owner. Neither a bucket's policy nor an ACL
// gives it to others.
func (o *objectAccess) mayOpen(v *metapb.Version) bool {
	if v.GetEncryption().GetKind() != metapb.EncryptionKind_ENCRYPTION_SSE_KMS || !readsContent[o.access.Action] {
		return true
	}
	id := o.access.Identity
	return id != nil && (id.Admin || id.Account == v.GetOwner())
}

// readsContent has the actions that need the key of an object.
var readsContent = newSet("s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAttributes", "s3:GetObjectVersionAttributes")

// Missing implements object.Access. Whoever may list a bucket may know what is not in it.
func (o *objectAccess) Missing() bool {
	list := o.access
	list.ByACL = nil // This asks what may be told. It is not what lets the request do something.
	list.Action = "s3:ListBucket"
	return o.authorizer.Allows(&list)
}
