package s3api

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/bucket"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// admitAccount is admit for actions on no bucket, such as listing them. Only accounts may do these.
func (s *server) admitAccount(rq *request, action string) (object.Caller, error) {
	if rq.auth.Anonymous {
		return object.Caller{}, s3err.AccessDenied.Err()
	}
	return rq.caller, s.allowNew(rq, action, "")
}

// admitNewBucket admits the maker of a bucket and reads the bucket's first configuration. If that
// gives others rights, the maker needs the right to do so, as later.
func (s *server) admitNewBucket(rq *request) (object.Caller, []*metapb.ConfigPart, error) {
	if rq.auth.Anonymous {
		return object.Caller{}, nil, s3err.AccessDenied.Err()
	}
	acl, err := s.requestACL(rq, rq.caller.Account, rq.caller.Account)
	if err != nil {
		return object.Caller{}, nil, err
	}
	if err := s.allowNew(rq, "s3:CreateBucket", rq.bucket); err != nil {
		return object.Caller{}, nil, err
	}
	var config []*metapb.ConfigPart
	if acl != nil {
		if err := s.allowNew(rq, "s3:PutBucketAcl", rq.bucket); err != nil {
			return object.Caller{}, nil, err
		}
		part, err := aclPart(acl)
		if err != nil {
			return object.Caller{}, nil, err
		}
		config = append(config, part)
	}
	class, err := newBucketClass(rq.r.Header)
	if err != nil {
		return object.Caller{}, nil, err
	}
	if class != nil {
		config = append(config, class)
	}
	rules, err := newBucketRules(rq, acl)
	who := rq.caller
	who.BucketsMax = s.cfg.Access.Authorizer.BucketsMax(who.Account)
	return who, append(config, rules...), err
}

// admitWrite admits the writer of an object and completes its description: ACL, storage class and
// encryption.
func (s *server) admitWrite(ctx context.Context, rq *request, in *object.Description) (object.Caller, error) {
	who, err := s.admit(ctx, rq, "s3:PutObject")
	if err != nil {
		return who, err
	}
	if err := s.tag(ctx, rq, in); err != nil {
		return who, err
	}
	if err := s.lockNew(ctx, rq, in); err != nil {
		return who, err
	}
	b, err := s.bucket(ctx, rq)
	if err != nil {
		return who, err
	}
	who.Account = ownerOf(rq, b, who.Account)
	if in.ACL, err = s.writeACL(ctx, rq, who); err != nil {
		return who, err
	}
	if err := s.classify(ctx, rq, in); err != nil {
		return who, err
	}
	return who, s.encrypt(ctx, rq, in)
}

// describeNew reads what the headers of a request say of something new, except its bytes, its ACL
// and its key. Policies may ask for all of it.
func (rq *request) describeNew(in *object.Description) (err error) {
	h := rq.r.Header
	if in.Attributes, err = parseAttributes(h); err != nil {
		return err
	}
	if rq.tags, err = parseTags(h.Get(headerTagging)); err != nil {
		return err
	}
	rq.lock, err = parseLock(h, time.Now())
	return err
}

// writeACL reads the ACL of a new object. If it gives others rights, the writer needs the right to
// do so.
func (s *server) writeACL(ctx context.Context, rq *request, who object.Caller) (*metapb.Acl, error) {
	if !namesACL(rq) {
		return nil, nil
	}
	b, err := s.bucket(ctx, rq)
	if err != nil {
		return nil, err
	}
	acl, err := s.requestACL(rq, who.Account, b.GetOwner())
	if err == nil {
		err = checkACL(rq, b, acl)
	}
	if err != nil || acl == nil {
		return nil, err
	}
	if rq.identity == nil || rq.identity.Account == b.GetOwner() {
		return acl, s.allow(ctx, rq, "s3:PutObjectAcl", subject{bucket: rq.bucket, key: rq.key})
	}
	// The writer is of another account than the bucket. The object will be the writer's own.
	access, err := s.objectAccess(ctx, rq, "s3:PutObjectAcl", rq.bucket, "")
	if err == nil && !access.Object(rq.key, &metapb.Version{Owner: who.Account}) {
		err = s3err.AccessDenied.Err()
	}
	return acl, err
}

// admitCopy admits the destination of a copy, and sets in src who decides whether the source may be
// read. A bucket that is missing, on either side, is told before any right that is missing.
func (s *server) admitCopy(ctx context.Context, rq *request, src *object.CopySource) (object.Caller, error) {
	if _, err := s.bucket(ctx, rq); err != nil {
		return object.Caller{}, err
	}
	var err error
	src.Access, err = s.objectAccess(ctx, rq, versioned("s3:GetObject", src.VersionID != ""), src.Bucket, src.VersionID)
	if err != nil {
		return object.Caller{}, err
	}
	if err := s.expectOwner(ctx, rq, src.Bucket, "X-Amz-Source-Expected-Bucket-Owner"); err != nil {
		return object.Caller{}, err
	}
	// Which of the two keys exists is not known yet, so both must be allowed.
	if src.AlternateKey != "" {
		rq.copied = src.Bucket + "/" + src.AlternateKey
		if _, err := s.admit(ctx, rq, "s3:PutObject"); err != nil {
			return object.Caller{}, err
		}
	}
	rq.copied = src.Bucket + "/" + src.Key
	return s.admit(ctx, rq, "s3:PutObject")
}

// namesACL reports whether a request says who else may have rights.
func namesACL(rq *request) bool {
	if rq.r.Header.Get("X-Amz-Acl") != "" {
		return true
	}
	for _, h := range bucket.GrantHeaders {
		if rq.r.Header.Get(h.Name) != "" {
			return true
		}
	}
	return false
}

// requestACL reads the ACL that the headers of a request give. Nil: none, which is private.
func (s *server) requestACL(rq *request, owner, bucketOwner string) (*metapb.Acl, error) {
	h := rq.r.Header
	canned := h.Get("X-Amz-Acl")
	var grants []*metapb.Grant
	for _, g := range bucket.GrantHeaders {
		value := h.Get(g.Name)
		if value == "" {
			continue
		}
		more, err := bucket.ParseGrantees(value, g.Permission)
		if err != nil {
			return nil, s3err.BadArgument(g.Name, printable(value),
				"A grant must list id=\"ACCOUNT\" or uri=\"GROUP\", separated by commas.")
		}
		for _, grant := range more {
			if grant.Account == "" {
				continue
			}
			if err := wirexml.KnownGrantee(s.grantees(), grant.Account); err != nil {
				return nil, err
			}
		}
		grants = append(grants, more...)
	}
	switch {
	case len(grants) > 0 && canned != "":
		return nil, s3err.InvalidRequest.Say("Specifying both Canned ACLs and Header Grants is not allowed")
	case len(grants) > bucket.MaxGrants:
		return nil, s3err.InvalidArgument.Say("An ACL has at most 100 grants.")
	case len(grants) > 0:
		return &metapb.Acl{Grants: grants, Listed: true}, nil
	}
	acl, err := bucket.CannedACL(canned, owner, bucketOwner)
	if err != nil {
		return nil, s3err.BadArgument("x-amz-acl", printable(canned), "There is no canned ACL of this name.")
	}
	return acl, nil
}

// aclPart returns an ACL as a bucket's configuration holds it.
func aclPart(acl *metapb.Acl) (*metapb.ConfigPart, error) {
	raw, err := proto.Marshal(acl)
	if err != nil {
		return nil, err
	}
	return &metapb.ConfigPart{Name: bucket.PartACL, Value: raw}, nil
}

// tellCharged tells the caller that it pays, if it does.
func (resp *response) tellCharged(rq *request) {
	if rq.charged {
		resp.set("x-amz-request-charged", "requester")
	}
}

// tellPart tells how a part is encrypted under a key of the key service.
func (s *server) tellPart(resp *response, p *metapb.Part) {
	if len(p.GetEnvelopes()) == 0 || p.Envelopes[0].Kind == metapb.EncryptionKind_ENCRYPTION_SSE_C {
		return
	}
	e := p.Envelopes[0] // All parts of an upload are encrypted the same way.
	s.tellEncryption(resp, &metapb.Encryption{Kind: e.Kind, KmsKeyId: e.KmsKeyId}, nil)
}
