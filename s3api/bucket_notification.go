package s3api

import (
	"context"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/bucket"
	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/notify"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

func (s *server) putBucketNotification(ctx context.Context, rq *request) (*response, error) {
	if _, err := s.admit(ctx, rq, "s3:PutBucketNotification"); err != nil {
		return nil, err
	}
	body, err := rq.readDocument(wirexml.MaxConfigurationBytes)
	if err != nil {
		return nil, err
	}
	doc, err := wirexml.ParseNotification(body)
	if err != nil {
		return nil, err
	}
	b, err := s.bucket(ctx, rq)
	if err != nil {
		return nil, err
	}
	rules, err := notify.Rules(doc, func(arn string) bool { return s.cfg.KnownTarget(ctx, arn, b.GetOwner()) })
	if err != nil {
		return nil, err
	}
	part := &metapb.ConfigPart{Name: bucket.PartNotification}
	if len(doc.Rules) > 0 {
		part.Value = wirexml.Marshal(doc, "")
	}
	return &response{}, s.cfg.Objects.SetNotifications(ctx, rq.asks(), rq.bucket, part, rules)
}

func (s *server) getBucketNotification(ctx context.Context, rq *request) (*response, error) {
	b, err := s.admitBucket(ctx, rq, "s3:GetBucketNotification")
	if err != nil {
		return nil, err
	}
	doc := &wirexml.Notification{}
	if value := b.Config[bucket.PartNotification]; len(value) > 0 {
		if doc, err = wirexml.ParseNotification(value); err != nil {
			return nil, s3err.InternalError.Because(err)
		}
	}
	return &response{document: doc}, nil
}

// principalOf returns who did something, as events name it.
func principalOf(who object.Caller, id *iam.Identity) string {
	switch {
	case id == nil:
		return "anonymous"
	case id.Role != "":
		return who.Account + ":" + id.Role + "/" + id.SessionName
	case id.User != "":
		return who.Account + ":" + id.User
	case id.Provider != "":
		return id.UniqueID()
	}
	return who.Account
}
