package s3api

import (
	"context"
	"strings"

	"github.com/cairnstore/cairn/s3api/wirexml"
)

// headerBucketLock turns the object lock of a new bucket on.
const headerBucketLock = "X-Amz-Bucket-Object-Lock-Enabled"

func (s *server) createBucket(ctx context.Context, rq *request) (*response, error) {
	if rq.bucket == "livez" || rq.bucket == "readyz" {
		return nil, wirexml.InvalidBucketName.Say("This name is reserved: choose another one.")
	}
	body, err := rq.readDocument(wirexml.MaxConfigurationBytes)
	if err != nil {
		return nil, err
	}
	location, err := wirexml.ParseCreateBucket(body)
	if err != nil {
		return nil, err
	}
	if location != "" && location != s.cfg.Region && location != wirexml.DefaultRegion {
		return nil, wirexml.IllegalLocationConstraint.Say("The "+printable(location)+" location constraint is incompatible for the region specific endpoint this request was sent to.",
			wirexml.Field{Name: "Region", Value: s.cfg.Region})
	}
	rq.location = location
	who, config, err := s.admitNewBucket(rq)
	if err != nil {
		return nil, err
	}
	create := s.cfg.Objects.CreateBucket
	if strings.EqualFold(rq.r.Header.Get(headerBucketLock), "true") {
		if err := s.allowNew(rq, "s3:PutBucketObjectLockConfiguration", rq.bucket); err != nil {
			return nil, err
		}
		create = s.cfg.Objects.CreateLockedBucket
	}
	b, err := create(ctx, who, rq.bucket, s.cfg.Region, config)
	if err != nil {
		return nil, err
	}
	resp := &response{}
	resp.set("Location", "/"+b.GetName())
	return resp, nil
}
