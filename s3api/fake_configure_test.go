package s3api

import (
	"context"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// What fakeObjects does not have: its buckets have no configuration and its
// objects no versions. The handlers of those are tested over the real service.

func (f *fakeObjects) Configure(context.Context, string, []*metapb.ConfigPart, metapb.Versioning) error {
	return s3err.NotImplemented.Err()
}

func (f *fakeObjects) CreateLockedBucket(context.Context, object.Caller, string, string, []*metapb.ConfigPart) (*metapb.Bucket, error) {
	return nil, s3err.NotImplemented.Err()
}

func (f *fakeObjects) Parts(context.Context, *metapb.Version, uint32, uint32) (*metapb.ObjectPartsAnswer, error) {
	return nil, s3err.NotImplemented.Err()
}

func (f *fakeObjects) LockBucket(context.Context, string, *metapb.DefaultRetention) error {
	return s3err.NotImplemented.Err()
}

func (f *fakeObjects) Update(context.Context, *metapb.UpdateVersion) error {
	return s3err.NotImplemented.Err()
}

func (f *fakeObjects) SetQuota(context.Context, string, uint64) error {
	return s3err.NotImplemented.Err()
}

func (f *fakeObjects) Usage(context.Context, string) (*metapb.BucketUsage, error) {
	return nil, s3err.NotImplemented.Err()
}

func (f *fakeObjects) ListVersions(context.Context, object.Caller, *metapb.ListVersions) (*metapb.VersionsAnswer, error) {
	return nil, s3err.NotImplemented.Err()
}

func (f *fakeObjects) Restore(_ context.Context, in *object.RestoreInput) (extended bool, err error) {
	return f.hooked().onRestore(in)
}

func (f *fakeObjects) SetNotifications(context.Context, string, *metapb.ConfigPart, *metapb.EventRules) error {
	return s3err.NotImplemented.Err()
}
