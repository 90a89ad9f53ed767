package s3api

import (
	"context"
	"time"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/accesslog"
	"github.com/cairnstore/cairn/s3api/bucket"
	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

func (s *server) putBucketLogging(ctx context.Context, rq *request) (*response, error) {
	b, err := s.admitBucket(ctx, rq, "s3:PutBucketLogging")
	if err != nil {
		return nil, err
	}
	body, err := rq.readDocument(wirexml.MaxConfigurationBytes)
	if err != nil {
		return nil, err
	}
	doc, err := wirexml.ParseLogging(body, s.grantees())
	if err != nil {
		return nil, err
	}
	part := &metapb.ConfigPart{Name: bucket.PartLogging}
	if doc.TargetBucket != "" {
		if err := s.checkLogging(ctx, rq, b, doc); err != nil {
			return nil, err
		}
		part.Value = wirexml.Marshal(doc, "")
	}
	return s.configure(ctx, rq, part)
}

func (s *server) getBucketLogging(ctx context.Context, rq *request) (*response, error) {
	b, err := s.admitBucket(ctx, rq, "s3:GetBucketLogging")
	if err != nil {
		return nil, err
	}
	if b.Logging == nil {
		return &response{document: &wirexml.Logging{}}, nil
	}
	doc := *b.Logging
	doc.Names = s.grantees()
	return &response{document: &doc}, nil
}

// checkLogging returns the error of a logging configuration whose target cannot take the logs of
// the bucket.
func (s *server) checkLogging(ctx context.Context, rq *request, source *bucket.Bucket, doc *wirexml.Logging) error {
	target, err := s.otherBucket(ctx, rq, doc.TargetBucket)
	if err != nil && s3err.FromError(err).Code == s3err.NoSuchBucket {
		return badLogTarget(doc, "The target bucket for logging does not exist")
	}
	if err != nil {
		return err
	}
	rq.decidedOn(target)
	sample := accesslog.NewStream(source.Name, source.Owner, doc, nil, time.Now())
	return s.cfg.checkDelivery(&iam.Logs{Source: source.Name, Owner: source.Owner, Target: target, Agency: doc.Agency,
		Key: sample.Key(doc, s.cfg.Region, time.Now(), uniqueLog()), ReadACP: rq.profile.Compat == profile.OBS}, doc)
}

// checkDelivery returns the error of logs that may not be delivered to their target.
func (c *Config) checkDelivery(l *iam.Logs, doc *wirexml.Logging) error {
	switch {
	case l.Target.Owner != l.Owner:
		return badLogTarget(doc, "The owner for the bucket to be logged and the target bucket must be the same.")
	case l.Target.GetDefaultRetention() != nil:
		return badLogTarget(doc, "The target bucket for logging must have no default retention.")
	case l.Target.RequesterPays():
		return badLogTarget(doc, "Requesters must not pay for the target bucket for logging.")
	case l.Target.Enforced() && len(doc.Grants) > 0:
		return s3err.AccessControlListNotSupported.Say("The owner of the target bucket is enforced: leave TargetGrants out, and let its policy grant instead.")
	case l.Target.Block.BlockPublicACLs && bucket.PublicACL(&metapb.Acl{Grants: doc.Grants}):
		return s3err.AccessDenied.Say("The target bucket blocks public ACLs: its public access block has BlockPublicAcls.")
	case !c.Access.Authorizer.DeliversLogs(l):
		return badLogTarget(doc, "You must give the log-delivery group WRITE and READ_ACP permissions to the target bucket, or let its policy allow s3:PutObject to the service "+iam.LogDelivery+".")
	}
	return nil
}

func badLogTarget(doc *wirexml.Logging, why string) error {
	return s3err.InvalidTargetBucketForLogging.Say(why, s3err.Field{Name: "TargetBucket", Value: printable(doc.TargetBucket)})
}
