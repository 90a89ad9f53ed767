package object

import (
	"context"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// Configure changes parts of a bucket's configuration; an empty value removes a part.
// VERSIONING_OFF leaves the versioning as it is. A bucket with object lock keeps its versioning:
// InvalidBucketState.
func (s *Service) Configure(ctx context.Context, of Request, bucket string, parts []*metapb.ConfigPart, v metapb.Versioning) error {
	_, err := s.commit(ctx, of, &metapb.Command{Op: &metapb.Command_SetBucketConfig{
		SetBucketConfig: &metapb.SetBucketConfig{Bucket: bucket, Parts: parts, Versioning: v}}})
	if isRefusal(err, metapb.Refusal_REFUSAL_BUCKET_LOCKED) {
		return s3err.InvalidBucketState.Say("An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.")
	}
	return err
}

// Update changes what can change of a version: its ACL, tags, lock and restore. It returns
// AccessDenied if object lock forbids the change.
func (s *Service) Update(ctx context.Context, of Request, u *metapb.UpdateVersion) error {
	_, err := s.commit(ctx, of, &metapb.Command{Op: &metapb.Command_UpdateVersion{UpdateVersion: u}})
	if isRefusal(err, metapb.Refusal_REFUSAL_LOCKED) {
		return s3err.AccessDenied.Say(MsgLocked)
	}
	return err
}

// ListVersions lists the versions and delete markers of a bucket.
func (s *Service) ListVersions(ctx context.Context, who Caller, q *metapb.ListVersions) (*metapb.VersionsAnswer, error) {
	a, err := s.query(ctx, who.Request, &metapb.Query{Op: &metapb.Query_ListVersions{ListVersions: q}})
	if err != nil {
		return nil, err
	}
	return a.Versions, nil
}

// SetNotifications replaces the rules that say which of a bucket's events go to which target, and
// part, the document that has the same rules as the client wrote them.
func (s *Service) SetNotifications(
	ctx context.Context, of Request, bucket string, part *metapb.ConfigPart, rules *metapb.EventRules,
) error {
	_, err := s.commit(ctx, of, &metapb.Command{Op: &metapb.Command_SetBucketConfig{SetBucketConfig: &metapb.SetBucketConfig{
		Bucket: bucket, Parts: []*metapb.ConfigPart{part}, EventRules: rules}}})
	return err
}

// SetQuota bounds how many bytes a bucket may hold, parts of open uploads among them; 0: there is
// no bound.
func (s *Service) SetQuota(ctx context.Context, of Request, bucket string, bytes uint64) error {
	_, err := s.commit(ctx, of, &metapb.Command{Op: &metapb.Command_SetBucketQuota{
		SetBucketQuota: &metapb.SetBucketQuota{Bucket: bucket, Bytes: bytes}}})
	return err
}

// Usage returns how much a bucket holds: all versions except delete markers, and the parts of open
// uploads.
func (s *Service) Usage(ctx context.Context, of Request, bucket string) (*metapb.BucketUsage, error) {
	a, err := s.query(ctx, of, &metapb.Query{Op: &metapb.Query_Bucket{Bucket: &metapb.GetBucket{Name: bucket, WithUsage: true}}})
	if err != nil {
		return nil, err
	}
	return a.BucketUsage, nil
}
