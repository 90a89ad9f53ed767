package s3api

import (
	"context"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/bucket"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// maxOwnershipBytes bounds the document of ownership controls: one rule of one word.
const maxOwnershipBytes = 4 << 10

func (s *server) putBucketOwnershipControls(ctx context.Context, rq *request) (*response, error) {
	// Policies may ask what the document says, so it is read before they are. It is small.
	body, err := rq.readDocument(maxOwnershipBytes)
	if err != nil {
		return nil, err
	}
	doc, malformed := wirexml.ParseOwnershipControls(body)
	if malformed == nil {
		rq.ownership = doc.Ownership
	}
	b, err := s.admitBucket(ctx, rq, "s3:PutBucketOwnershipControls")
	if err != nil {
		return nil, err
	}
	if malformed != nil {
		return nil, malformed
	}
	if doc.Ownership == wirexml.OwnershipEnforced && bucket.GivesOthers(b.ACL, b.GetOwner()) {
		return nil, s3err.InvalidBucketACLWithObjectOwnership.Err()
	}
	return s.configure(ctx, rq, ownershipPart(doc.Ownership))
}

func ownershipPart(ownership string) *metapb.ConfigPart {
	return &metapb.ConfigPart{Name: bucket.PartOwnership, Value: []byte(ownership)}
}

func (s *server) getBucketOwnershipControls(ctx context.Context, rq *request) (*response, error) {
	b, err := s.admitBucket(ctx, rq, "s3:GetBucketOwnershipControls")
	if err != nil {
		return nil, err
	}
	if b.Ownership == "" {
		return nil, s3err.OwnershipControlsNotFound.Say("", s3err.Field{Name: "BucketName", Value: rq.bucket})
	}
	return &response{document: &wirexml.OwnershipControls{Ownership: b.Ownership}}, nil
}

func (s *server) deleteBucketOwnershipControls(ctx context.Context, rq *request) (*response, error) {
	if _, err := s.admit(ctx, rq, "s3:PutBucketOwnershipControls"); err != nil {
		return nil, err
	}
	return s.unconfigure(ctx, rq, bucket.PartOwnership)
}

// headerOwnership says, when a bucket is made, who owns what others write to it.
const headerOwnership = "X-Amz-Object-Ownership"

// checkOwnership is the rule of the x-amz-object-ownership header.
func checkOwnership(value string) error {
	switch value {
	case wirexml.OwnershipEnforced, wirexml.OwnershipPreferred, wirexml.OwnershipWriter:
		return nil
	}
	return s3err.BadArgument("x-amz-object-ownership", printable(value), "There is no object ownership of this name.")
}

// newBucketRules returns who will own what is written to a bucket that is made with an
// ACL, and what it refuses to make public: as the request says, else as the cluster is
// set. A bucket with an ACL cannot be one where none counts.
func newBucketRules(rq *request, acl *metapb.Acl) ([]*metapb.ConfigPart, error) {
	var parts []*metapb.ConfigPart
	ownership := rq.r.Header.Get(headerOwnership)
	if ownership == "" {
		ownership = rq.profile.NewBucketOwnership
	}
	if ownership == wirexml.OwnershipEnforced && bucket.GivesOthers(acl, rq.caller.Account) {
		return nil, s3err.InvalidBucketACLWithObjectOwnership.Err()
	}
	if ownership != wirexml.OwnershipWriter || rq.r.Header.Get(headerOwnership) != "" {
		parts = append(parts, ownershipPart(ownership))
	}
	if rq.profile.NewBucketBlockPublic {
		if bucket.PublicACL(acl) {
			return nil, s3err.AccessDenied.Say("New buckets block public ACLs: make the bucket first, then change its public access block.")
		}
		parts = append(parts, publicAccessPart(&wirexml.PublicAccessBlock{
			BlockPublicACLs: true, IgnorePublicACLs: true, BlockPublicPolicy: true, RestrictPublicBuckets: true}))
	}
	return parts, nil
}

// cannedFullControl names the canned ACL that gives the bucket's owner all rights.
const cannedFullControl = "bucket-owner-full-control"

// ownerOf returns who will own what the account writer writes with a request.
func ownerOf(rq *request, b *bucket.Bucket, writer string) string {
	preferred := b.Ownership == wirexml.OwnershipPreferred && rq.r.Header.Get("X-Amz-Acl") == cannedFullControl
	if b.Enforced() || preferred {
		return b.GetOwner()
	}
	return writer
}

// checkACL returns the error of an ACL that a bucket does not take: any where its owner
// is enforced, but one that says so; a public one where those are blocked. An acl of nil
// is private, which says so too where the bucket's own account sends it.
func checkACL(rq *request, b *bucket.Bucket, acl *metapb.Acl) error {
	says := rq.r.Header.Get("X-Amz-Acl") == cannedFullControl || rq.caller.Account == b.GetOwner() || !namesACL(rq)
	switch {
	case b.Enforced() && (!says || bucket.GivesOthers(acl, b.GetOwner())):
		return s3err.AccessControlListNotSupported.Err()
	case b.Block.BlockPublicACLs && bucket.PublicACL(acl):
		return s3err.AccessDenied.Say("The bucket blocks public ACLs: its public access block has BlockPublicAcls.")
	}
	return nil
}
