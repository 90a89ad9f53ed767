package s3api

import (
	"cmp"
	"context"

	"github.com/cairnstore/cairn/s3api/profile"
)

// obsVersion is what OBS tells of its buckets.
const obsVersion = "3.0"

func (s *server) headBucket(ctx context.Context, rq *request) (*response, error) {
	b, err := s.admitBucket(ctx, rq, "s3:ListBucket")
	if err != nil {
		return nil, err
	}
	resp := &response{}
	region, class := s.region(b.Bucket), cmp.Or(b.StorageClass(), profile.ClassStandard)
	resp.set("x-amz-bucket-region", region)
	resp.set("x-amz-access-point-alias", "false")
	if dialectOf(rq.r) == profile.DialectOBS {
		resp.set(headerStorageClass, class)
		resp.set("x-obs-bucket-location", region)
		resp.set("x-obs-version", obsVersion)
	} else {
		resp.set("x-default-storage-class", class) // As in OBS's book of the S3 API.
	}
	resp.set("Content-Type", "application/xml")
	return resp, nil
}
