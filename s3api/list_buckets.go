package s3api

import (
	"context"
	"slices"
	"strings"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// maxListBuckets is the largest page of ListBuckets.
const maxListBuckets = 10000

func (s *server) listBuckets(ctx context.Context, rq *request) (*response, error) {
	limit, err := rq.query.number("max-buckets", maxListBuckets)
	if err != nil {
		return nil, err
	}
	if limit < 1 || limit > maxListBuckets {
		return nil, s3err.InvalidArgument.Say("max-buckets must be between 1 and 10000.")
	}
	after, err := decodeToken(rq.query.get("continuation-token"))
	if err != nil {
		return nil, err
	}
	who, err := s.admitAccount(rq, "s3:ListAllMyBuckets")
	if err != nil {
		return nil, err
	}
	buckets, err := s.cfg.Objects.ListBuckets(ctx, who)
	if err != nil {
		return nil, err
	}
	doc := &wirexml.ListBuckets{Owner: owner(who), Prefix: rq.query.get("prefix")}
	region := rq.query.get("bucket-region")
	slices.SortFunc(buckets, func(a, b *metapb.Bucket) int { return strings.Compare(a.GetName(), b.GetName()) })
	for _, b := range buckets {
		if b.GetName() <= after.name || !strings.HasPrefix(b.GetName(), doc.Prefix) || region != "" && region != s.region(b) {
			continue
		}
		if len(doc.Buckets) == limit {
			doc.ContinuationToken = encodeToken(position{name: doc.Buckets[limit-1].GetName()})
			break
		}
		doc.Buckets = append(doc.Buckets, b)
	}
	return &response{document: doc}, nil
}

// region returns the region of a bucket.
func (s *server) region(b *metapb.Bucket) string {
	if b.GetRegion() != "" {
		return b.GetRegion()
	}
	return s.cfg.Region
}

// owner names a caller's account in documents.
func owner(c object.Caller) wirexml.Owner {
	return wirexml.Owner{ID: c.Account, DisplayName: c.DisplayName}
}
