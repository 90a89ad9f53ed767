package s3api

import (
	"context"
	"strings"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/bucket"
	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// headerBucketLock turns the object lock of a new bucket on.
const headerBucketLock = "X-Amz-Bucket-Object-Lock-Enabled"

func (s *server) createBucket(ctx context.Context, rq *request) (*response, error) {
	if rq.bucket == "livez" || rq.bucket == "readyz" {
		return nil, s3err.InvalidBucketName.Say("This name is reserved: choose another one.")
	}
	body, err := rq.readDocument(wirexml.MaxConfigurationBytes)
	if err != nil {
		return nil, err
	}
	asked, err := wirexml.ParseCreateBucket(body)
	if err != nil {
		return nil, err
	}
	location := asked.Location
	if location != "" && location != s.cfg.Region && location != wirexml.DefaultRegion {
		return nil, s3err.IllegalLocationConstraint.Say("The "+printable(location)+" location constraint is incompatible for the region specific endpoint this request was sent to.",
			s3err.Field{Name: "Region", Value: s.cfg.Region})
	}
	rq.location, rq.ownership = location, rq.r.Header.Get(headerOwnership)
	who, config, err := s.admitNewBucket(rq)
	if err != nil {
		return nil, err
	}
	if len(asked.Tags) > 0 {
		if err := s.allowNew(rq, "s3:PutBucketTagging", rq.bucket); err != nil {
			return nil, err
		}
		config = append(config, &metapb.ConfigPart{Name: bucket.PartTagging, Value: wirexml.Marshal(&wirexml.Tagging{Tags: asked.Tags}, "")})
	}
	create := s.cfg.Objects.CreateBucket
	if strings.EqualFold(rq.r.Header.Get(headerBucketLock), "true") {
		if err := s.allowNew(rq, "s3:PutBucketObjectLockConfiguration", rq.bucket); err != nil {
			return nil, err
		}
		create = s.cfg.Objects.CreateLockedBucket
	}
	_, err = create(ctx, who, rq.bucket, s.cfg.Region, config)
	if err != nil && !s.hasAlready(rq, err) {
		return nil, err
	}
	resp := &response{}
	resp.set("Location", "/"+rq.bucket)
	return resp, nil
}

// hasAlready reports whether a bucket could not be made only because its maker has it already, and
// that is no error. AWS answers so in its first region alone.
func (s *server) hasAlready(rq *request, err error) bool {
	return s3err.FromError(err).Code == s3err.BucketAlreadyOwnedByYou &&
		rq.profile.AnswerProfile == profile.AWS && s.cfg.Region == wirexml.DefaultRegion
}
