package object

import (
	"cmp"
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/bucket"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// CreateBucket makes a bucket that belongs to who. Errors: BucketAlreadyOwnedByYou,
// BucketAlreadyExists, InvalidBucketName, TooManyBuckets.
func (s *Service) CreateBucket(ctx context.Context, who Caller, name, region string, config []*metapb.ConfigPart) (*metapb.Bucket, error) {
	return s.createBucket(ctx, who, &metapb.Bucket{Name: name, Region: region}, config)
}

// CreateLockedBucket makes a bucket with versions and object lock, else as CreateBucket does.
func (s *Service) CreateLockedBucket(ctx context.Context, who Caller, name, region string, config []*metapb.ConfigPart) (*metapb.Bucket, error) {
	return s.createBucket(ctx, who, &metapb.Bucket{Name: name, Region: region, ObjectLock: true,
		Versioning: metapb.Versioning_VERSIONING_ENABLED}, config)
}

// LockBucket turns on the object lock of a bucket and replaces its default retention; nil: none. It
// returns InvalidBucketState if the bucket has no versions enabled.
func (s *Service) LockBucket(ctx context.Context, of Request, bucket string, d *metapb.DefaultRetention) error {
	_, err := s.commit(ctx, of, &metapb.Command{Op: &metapb.Command_SetBucketConfig{SetBucketConfig: &metapb.SetBucketConfig{
		Bucket: bucket, Lock: &metapb.BucketLock{DefaultRetention: d}}}})
	if isRefusal(err, metapb.Refusal_REFUSAL_BUCKET_LOCKED) {
		return s3err.InvalidBucketState.Say("Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration")
	}
	return err
}

func (s *Service) createBucket(ctx context.Context, who Caller, b *metapb.Bucket, config []*metapb.ConfigPart) (*metapb.Bucket, error) {
	if !bucket.ValidName(b.Name) {
		return nil, s3err.InvalidBucketName.Say("", s3err.Field{Name: "BucketName", Value: b.Name})
	}
	b.CreatedMs, b.Owner = nowMS(), who.Account
	r, err := s.commit(ctx, who.Request, &metapb.Command{Op: &metapb.Command_CreateBucket{CreateBucket: &metapb.CreateBucket{
		Bucket: b, Config: config, OwnedMax: cmp.Or(who.BucketsMax, uint32(s.knobs().BucketsMax))}}})
	if isRefusal(err, metapb.Refusal_REFUSAL_BUCKET_EXISTS) && r.GetBucket().GetOwner() == who.Account {
		return nil, s3err.BucketAlreadyOwnedByYou.Because(err)
	}
	if err != nil {
		return nil, err
	}
	return r.Bucket, nil
}

// HeadBucket returns a bucket.
func (s *Service) HeadBucket(ctx context.Context, who Caller, name string) (*metapb.Bucket, error) {
	a, err := s.query(ctx, who.Request, &metapb.Query{Op: &metapb.Query_Bucket{Bucket: &metapb.GetBucket{Name: name}}})
	if err != nil {
		return nil, err
	}
	return a.Bucket, nil
}

// DeleteBucket deletes an empty bucket. If the knob DeleteWithUploads is set, open uploads are
// aborted first. An upload that begins meanwhile keeps the bucket all the same.
func (s *Service) DeleteBucket(ctx context.Context, who Caller, name string) error {
	remove := &metapb.Command{Op: &metapb.Command_DeleteBucket{DeleteBucket: &metapb.DeleteBucket{Name: name}}}
	_, err := s.commit(ctx, who.Request, remove)
	if !isRefusal(err, metapb.Refusal_REFUSAL_BUCKET_NOT_EMPTY) || !s.knobs().DeleteWithUploads {
		return err
	}
	a, e := s.ListVersions(ctx, who, &metapb.ListVersions{Bucket: name, MaxKeys: 1})
	if e != nil {
		return e
	}
	if len(a.Entries) > 0 {
		return err
	}
	if e := s.abortAll(ctx, who, name); e != nil {
		return e
	}
	_, err = s.commit(ctx, who.Request, proto.CloneOf(remove))
	return err
}

// maxAbortedAtOnce is how many uploads of a bucket are looked up at a time before they are aborted.
const maxAbortedAtOnce = 1000

// abortAll aborts the uploads that are open in a bucket.
func (s *Service) abortAll(ctx context.Context, who Caller, bucket string) error {
	for {
		q := &metapb.ListUploads{Bucket: bucket, MaxUploads: maxAbortedAtOnce}
		page, err := s.ListUploads(ctx, who, q)
		if err != nil || len(page.Entries) == 0 {
			return err
		}
		for _, e := range page.Entries {
			_, err := s.commit(ctx, who.Request, &metapb.Command{Op: &metapb.Command_AbortUpload{AbortUpload: &metapb.AbortUpload{
				UploadId: e.Upload.GetId(), Bucket: bucket, Key: e.Upload.GetKey()}}})
			if err != nil && !isRefusal(err, metapb.Refusal_REFUSAL_NO_SUCH_UPLOAD) {
				return err
			}
		}
	}
}

// ListBuckets returns the buckets that the caller owns, in the order of their names.
func (s *Service) ListBuckets(ctx context.Context, who Caller) ([]*metapb.Bucket, error) {
	a, err := s.query(ctx, who.Request, &metapb.Query{Op: &metapb.Query_ListBuckets{ListBuckets: &metapb.ListBuckets{Owner: who.Account}}})
	if err != nil {
		return nil, err
	}
	return a.Buckets, nil
}

// ListObjects lists the latest versions of a bucket's keys.
func (s *Service) ListObjects(ctx context.Context, who Caller, q *metapb.ListObjects) (*metapb.ListAnswer, error) {
	a, err := s.query(ctx, who.Request, &metapb.Query{Op: &metapb.Query_ListObjects{ListObjects: q}})
	if err != nil {
		return nil, err
	}
	return a.List, nil
}

// Delete deletes objects, each by itself, and returns one result for each name in the same order. A
// key that does not exist counts as deleted.
func (s *Service) Delete(ctx context.Context, who Caller, bucket string, names []*metapb.ObjectName) ([]*metapb.DeleteResult, error) {
	if len(names) == 0 {
		return nil, s3err.MalformedXML.Err()
	}
	markers := make([]string, len(names))
	for i := range markers {
		markers[i] = newVersionID()
	}
	r, err := s.commit(ctx, who.Request, &metapb.Command{Op: &metapb.Command_DeleteObjects{DeleteObjects: &metapb.DeleteObjects{
		Bucket: bucket, Objects: names, Owner: who.Account, NewVersionIds: markers}}})
	if err != nil {
		return nil, err
	}
	return r.Deleted, nil
}
