package s3api

import (
	"context"

	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// listObjectsV2 goes on at an opaque token.
func (s *server) listObjectsV2(ctx context.Context, rq *request) (*response, error) {
	if v := rq.query.get("list-type"); v != "2" {
		return nil, s3err.BadArgument("list-type", printable(v), "Invalid List Type specified in Request")
	}
	token, given := rq.query.lookup("continuation-token")
	if given && token == "" {
		return nil, s3err.BadArgument("continuation-token", "", "The continuation token provided is incorrect")
	}
	from, err := decodeToken(token)
	if err != nil {
		return nil, err
	}
	startAfter := rq.query.get("start-after")
	if token == "" {
		from.name = startAfter
	}
	listing, next, err := s.list(ctx, rq, from)
	if err != nil {
		return nil, err
	}
	doc := &wirexml.ListObjectsV2{
		Listing: listing, StartAfter: startAfter, ContinuationToken: token,
		FetchOwner: rq.query.get("fetch-owner") == "true",
	}
	if listing.Truncated {
		doc.NextContinuationToken = encodeToken(next)
	}
	return &response{document: doc}, nil
}
