package s3api

import (
	"context"

	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// Configurations that Cairn does not keep are answered, where they are read, as ones that
// are not there: so tools that look at all of a bucket get on. To put one is refused.

func (s *server) getBucketReplication(ctx context.Context, rq *request) (*response, error) {
	return s.none(ctx, rq, "s3:GetReplicationConfiguration", s3err.ReplicationConfigurationNotFound, nil)
}

func (s *server) getBucketAccelerate(ctx context.Context, rq *request) (*response, error) {
	return s.none(ctx, rq, "s3:GetAccelerateConfiguration", "", &wirexml.None{Root: "AccelerateConfiguration"})
}

func (s *server) getBucketAnalytics(ctx context.Context, rq *request) (*response, error) {
	return s.noneOf(ctx, rq, "s3:GetAnalyticsConfiguration", "ListBucketAnalyticsConfigurationResult")
}

func (s *server) getBucketInventory(ctx context.Context, rq *request) (*response, error) {
	return s.noneOf(ctx, rq, "s3:GetInventoryConfiguration", "ListInventoryConfigurationsResult")
}

func (s *server) getBucketMetrics(ctx context.Context, rq *request) (*response, error) {
	return s.noneOf(ctx, rq, "s3:GetMetricsConfiguration", "ListMetricsConfigurationsResult")
}

func (s *server) getBucketIntelligentTiering(ctx context.Context, rq *request) (*response, error) {
	return s.noneOf(ctx, rq, "s3:GetIntelligentTieringConfiguration", "ListBucketIntelligentTieringConfigurationsOutput")
}

// noneOf answers the reading of one of several configurations, by its id, or of all.
func (s *server) noneOf(ctx context.Context, rq *request, action, root string) (*response, error) {
	if rq.query.has("id") {
		return s.none(ctx, rq, action, s3err.NoSuchConfiguration, nil)
	}
	return s.none(ctx, rq, action, "", &wirexml.None{Root: root, List: true})
}

// none answers with an error's code or, where it is empty, with a document.
func (s *server) none(ctx context.Context, rq *request, action string, code s3err.Code, document *wirexml.None) (*response, error) {
	if _, err := s.admit(ctx, rq, action); err != nil {
		return nil, err
	}
	if code != "" {
		return nil, code.Say("", s3err.Field{Name: "BucketName", Value: rq.bucket})
	}
	return &response{document: document}, nil
}
