package s3api

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// grantees returns the names of those who can be granted something.
func (s *server) grantees() wirexml.Grantees {
	return s.cfg.Access.Authorizer.Grantees()
}

// aclDocument returns the document of an ACL: the list that a client gave, or, where none was given
// as a list, the owner's rights and the grants.
func (s *server) aclDocument(owner string, acl *metapb.Acl) *wirexml.AccessControlPolicy {
	names := s.grantees()
	name, _ := names.Account(owner)
	doc := &wirexml.AccessControlPolicy{Owner: wirexml.Owner{ID: owner, DisplayName: name}, Grants: acl.GetGrants(), Names: names}
	if acl.GetListed() {
		return doc
	}
	own := &metapb.Grant{Account: owner, Permission: metapb.Permission_PERMISSION_FULL_CONTROL}
	doc.Grants = []*metapb.Grant{own}
	for _, g := range acl.GetGrants() {
		if !proto.Equal(g, own) {
			doc.Grants = append(doc.Grants, g)
		}
	}
	return doc
}

// givenACL reads the ACL with which a request replaces one. It is in headers or in the body.
func (s *server) givenACL(rq *request, owner, bucketOwner string) (*metapb.Acl, error) {
	if namesACL(rq) {
		acl, err := s.requestACL(rq, owner, bucketOwner)
		if acl == nil {
			acl = &metapb.Acl{}
		}
		return acl, err
	}
	body, err := rq.readDocument(wirexml.MaxConfigurationBytes)
	if err != nil {
		return nil, err
	}
	named, grants, err := wirexml.ParseAccessControlPolicy(body, s.grantees())
	if err != nil {
		return nil, err
	}
	if named != "" && named != owner {
		return nil, s3err.AccessDenied.Say("The owner of an ACL cannot be changed.")
	}
	return &metapb.Acl{Grants: grants, Listed: true}, nil
}

func (s *server) getBucketACL(ctx context.Context, rq *request) (*response, error) {
	b, err := s.admitBucket(ctx, rq, "s3:GetBucketAcl")
	if err != nil {
		return nil, err
	}
	return &response{document: s.aclDocument(b.GetOwner(), b.ACL)}, nil
}

func (s *server) putBucketACL(ctx context.Context, rq *request) (*response, error) {
	b, err := s.admitBucket(ctx, rq, "s3:PutBucketAcl")
	if err != nil {
		return nil, err
	}
	acl, err := s.givenACL(rq, b.GetOwner(), b.GetOwner())
	if err != nil {
		return nil, err
	}
	if err := checkACL(rq, b, acl); err != nil {
		return nil, err
	}
	part, err := aclPart(acl)
	if err != nil {
		return nil, err
	}
	return s.configure(ctx, rq, part)
}

// describe looks up the version whose ACL, tags or lock are to be read or replaced.
func (s *server) describe(ctx context.Context, rq *request, action string) (*object.Got, error) {
	who, err := s.admitAs(ctx, rq, action)
	if err != nil {
		return nil, err
	}
	return s.cfg.Objects.Get(ctx, &object.GetInput{Caller: who, Bucket: rq.bucket, Key: rq.key, Head: true,
		VersionID: rq.query.get("versionId"), Range: object.Range{Kind: metapb.RangeKind_RANGE_NONE}, AttributesOnly: true})
}

func (s *server) getObjectACL(ctx context.Context, rq *request) (*response, error) {
	got, err := s.describe(ctx, rq, versioned("s3:GetObjectAcl", rq.query.has("versionId")))
	if err != nil {
		return nil, err
	}
	resp := &response{document: s.aclDocument(got.Version.GetOwner(), got.Version.GetAcl())}
	resp.setVersion("x-amz-version-id", object.ShownVersionID(got.Bucket, got.Version))
	return resp, nil
}

func (s *server) putObjectACL(ctx context.Context, rq *request) (*response, error) {
	got, err := s.describe(ctx, rq, versioned("s3:PutObjectAcl", rq.query.has("versionId")))
	if err != nil {
		return nil, err
	}
	v := got.Version
	b, err := s.bucket(ctx, rq)
	if err != nil {
		return nil, err
	}
	acl, err := s.givenACL(rq, v.GetOwner(), got.Bucket.GetOwner())
	if err != nil {
		return nil, err
	}
	if err := checkACL(rq, b, acl); err != nil {
		return nil, err
	}
	resp := &response{}
	resp.setVersion("x-amz-version-id", object.ShownVersionID(got.Bucket, v))
	return resp, s.cfg.Objects.Update(ctx, rq.asks(), &metapb.UpdateVersion{Bucket: rq.bucket, Key: rq.key,
		VersionId: rq.query.get("versionId"), ContentId: v.GetContentId(), Acl: acl})
}
