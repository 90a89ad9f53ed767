package s3api

import (
	"context"
	"net/http"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/bucket"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

func (s *server) putBucketWebsite(ctx context.Context, rq *request) (*response, error) {
	if _, err := s.admit(ctx, rq, "s3:PutBucketWebsite"); err != nil {
		return nil, err
	}
	body, err := rq.readDocument(wirexml.MaxConfigurationBytes)
	if err != nil {
		return nil, err
	}
	doc, err := wirexml.ParseWebsite(body)
	if err != nil {
		return nil, err
	}
	return s.configure(ctx, rq, &metapb.ConfigPart{Name: bucket.PartWebsite, Value: wirexml.Marshal(doc, "")})
}

func (s *server) getBucketWebsite(ctx context.Context, rq *request) (*response, error) {
	b, err := s.admitBucket(ctx, rq, "s3:GetBucketWebsite")
	if err != nil {
		return nil, err
	}
	if b.Website == nil {
		return nil, s3err.NoSuchWebsiteConfiguration.Say("", s3err.Field{Name: "BucketName", Value: rq.bucket})
	}
	return &response{document: b.Website}, nil
}

func (s *server) deleteBucketWebsite(ctx context.Context, rq *request) (*response, error) {
	if _, err := s.admit(ctx, rq, "s3:DeleteBucketWebsite"); err != nil {
		return nil, err
	}
	return s.unconfigure(ctx, rq, bucket.PartWebsite)
}

// headerRedirect is the header of an object that sends a website's visitors elsewhere.
var headerRedirect = http.CanonicalHeaderKey(object.RedirectHeader)

// maxRedirectBytes bounds its value.
const maxRedirectBytes = 2 << 10

// checkRedirect is the rule of the x-amz-website-redirect-location header.
func checkRedirect(value string) error {
	absolute := hasPrefixFold(value, "http://") || hasPrefixFold(value, "https://")
	if len(value) > maxRedirectBytes || value != "" && value[0] != '/' && !absolute {
		return s3err.InvalidRedirectLocation.Err()
	}
	return nil
}
