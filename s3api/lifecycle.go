package s3api

import (
	"context"
	"crypto/rand"
	"net/url"
	"strings"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/lifecycle"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

func (s *server) putBucketLifecycle(ctx context.Context, rq *request) (*response, error) {
	if _, err := s.admit(ctx, rq, "s3:PutLifecycleConfiguration"); err != nil {
		return nil, err
	}
	body, err := rq.readSummedDocument(wirexml.MaxConfigurationBytes)
	if err != nil {
		return nil, err
	}
	doc, err := wirexml.ParseLifecycle(body)
	if err != nil {
		return nil, err
	}
	if err := lifecycle.Check(doc); err != nil {
		return nil, err
	}
	for i := range doc.Rules {
		if r := &doc.Rules[i]; r.ID == "" {
			r.ID = rand.Text()
		}
	}
	value := wirexml.Marshal(doc, "")
	if len(value) > wirexml.MaxConfigurationBytes { // With IDs and escapes.
		return nil, s3err.MaxMessageLengthExceeded.Err()
	}
	return s.configure(ctx, rq, &metapb.ConfigPart{Name: lifecycle.Part, Value: value})
}

func (s *server) getBucketLifecycle(ctx context.Context, rq *request) (*response, error) {
	b, err := s.admitBucket(ctx, rq, "s3:GetLifecycleConfiguration")
	if err != nil {
		return nil, err
	}
	value := b.Config[lifecycle.Part]
	if len(value) == 0 {
		return nil, s3err.NoSuchLifecycleConfiguration.Say("", s3err.Field{Name: "BucketName", Value: rq.bucket})
	}
	doc, err := wirexml.ParseLifecycle(value)
	if err != nil {
		return nil, s3err.InternalError.Because(err)
	}
	return &response{document: doc}, nil
}

func (s *server) deleteBucketLifecycle(ctx context.Context, rq *request) (*response, error) {
	if _, err := s.admit(ctx, rq, "s3:PutLifecycleConfiguration"); err != nil {
		return nil, err
	}
	return s.unconfigure(ctx, rq, lifecycle.Part)
}

// headerText returns text as a header can hold it: percent-encoded where it is not
// all printable ASCII.
func headerText(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return url.PathEscape(s)
	}
	return s
}
