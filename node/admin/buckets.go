package admin

import (
	"context"
	"strings"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/s3api/profile"
)

// How many buckets one answer has: by default, and at most.
const (
	defaultBuckets = 1000
	maxBuckets     = 10000
)

// storageClassPart is the part of a bucket's configuration that names the storage class of objects
// for which the client names none.
const storageClassPart = "storageClass"

// ListBuckets implements AdminService.
func (s *service) ListBuckets(ctx context.Context, r *adminpb.ListBucketsRequest) (*adminpb.Buckets, error) {
	owner, err := s.ownerOfBuckets(ctx, r.Account)
	if err != nil {
		return nil, err
	}
	most := int(min(r.Max, maxBuckets))
	if most == 0 {
		most = defaultBuckets
	}
	a, err := s.c.Metadata.Read(ctx, &metapb.Query{Op: &metapb.Query_ListBuckets{ListBuckets: &metapb.ListBuckets{Owner: owner, WithUsage: true}}})
	if err != nil {
		return nil, err
	}
	out := &adminpb.Buckets{}
	for i, b := range a.Buckets {
		if b.Name <= r.After || !strings.HasPrefix(b.Name, r.Prefix) {
			continue
		}
		if out.Truncated = len(out.Buckets) == most; out.Truncated {
			break
		}
		var usage *metapb.BucketUsage // It stays nil if the leader is of an earlier release.
		if i < len(a.BucketUsages) {
			usage = a.BucketUsages[i]
		}
		out.Buckets = append(out.Buckets, bucketOf(b, usage))
	}
	return out, nil
}

// ownerOfBuckets returns the id of the account whose buckets are listed. It is empty for those of
// all accounts, which only whoever administers the cluster may list. Errors: those of account.
func (s *service) ownerOfBuckets(ctx context.Context, account string) (string, error) {
	if account == "" && caller(ctx).Admin {
		return "", nil
	}
	return s.account(ctx, account)
}

// ShowBucket implements AdminService.
func (s *service) ShowBucket(ctx context.Context, r *adminpb.BucketRef) (*adminpb.Bucket, error) {
	a, err := s.c.Metadata.Read(ctx, &metapb.Query{Op: &metapb.Query_Bucket{Bucket: &metapb.GetBucket{Name: r.Name, WithConfig: true, WithUsage: true}}})
	if err != nil {
		return nil, err
	}
	if a.Refusal != metapb.Refusal_REFUSAL_NONE || !owns(ctx, a.GetBucket().GetOwner()) {
		return nil, noBucket(r.Name)
	}
	out := bucketOf(a.Bucket, a.BucketUsage)
	out.StorageClass = profile.ClassStandard
	for _, p := range a.GetBucketConfig().GetParts() {
		out.Configured = append(out.Configured, p.Name)
		if p.Name == storageClassPart {
			out.StorageClass = string(p.Value)
		}
	}
	return out, nil
}

func noBucket(name string) error {
	return errs.Newf("admin.bucket", errs.NotFound, "there is no bucket %q", name)
}

func bucketOf(b *metapb.Bucket, u *metapb.BucketUsage) *adminpb.Bucket {
	return &adminpb.Bucket{Name: b.Name, Owner: b.Owner, Created: stamp(b.CreatedMs), Region: b.Region, Versioning: versioning(b.Versioning),
		ObjectLock: b.ObjectLock, Objects: u.GetVersions(), Bytes: u.GetBytes(), QuotaBytes: b.QuotaBytes}
}
