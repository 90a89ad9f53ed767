package s3api

import (
	"context"
	"encoding/base64"
	"time"
	"unicode/utf8"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// listObjects is version 1: it goes on at a key.
func (s *server) listObjects(ctx context.Context, rq *request) (*response, error) {
	marker := rq.query.get("marker")
	from := position{name: marker}
	var listing wirexml.Listing
	for {
		page, next, err := s.list(ctx, rq, from)
		if err != nil {
			return nil, err
		}
		listing, from = page, next
		// A marker is a key of the list: where there is none yet, go on.
		if len(listing.Entries) > 0 || !listing.Truncated || ctx.Err() != nil {
			break
		}
	}
	doc := &wirexml.ListObjects{Listing: listing, Marker: marker}
	if listing.Truncated && listing.Delimiter != "" {
		doc.NextMarker = lastKey(listing.Entries)
	}
	return &response{document: doc}, nil
}

// position is where a list goes on: behind a name or, unless exact, behind all that its
// common prefix stands for.
type position struct {
	name  string
	exact bool
}

// list reads what both versions have in common, and the page of entries behind a
// position. It returns where the next page begins.
func (s *server) list(ctx context.Context, rq *request, from position) (_ wirexml.Listing, next position, _ error) {
	encoding, err := encodingType(rq.query)
	if err != nil {
		return wirexml.Listing{}, next, err
	}
	maxKeys, err := rq.query.number("max-keys", MaxListKeys)
	if err != nil {
		return wirexml.Listing{}, next, err
	}
	listing := wirexml.Listing{
		Bucket: rq.bucket, Prefix: rq.query.get("prefix"), Delimiter: rq.query.get("delimiter"),
		MaxKeys: min(maxKeys, MaxListKeys), EncodingType: encoding, Owner: owner(rq.caller),
	}
	who, err := s.admit(ctx, rq, "s3:ListBucket")
	if err != nil {
		return listing, next, err
	}
	answer, err := s.cfg.Objects.ListObjects(ctx, who, &metapb.ListObjects{
		Bucket: rq.bucket, Prefix: listing.Prefix, Delimiter: listing.Delimiter,
		After: from.name, Exact: from.exact, MaxKeys: uint32(max(1, listing.MaxKeys)),
	})
	if err != nil {
		return listing, next, err
	}
	if listing.MaxKeys == 0 {
		return listing, next, nil // That the bucket is there is all that is asked.
	}
	listing.Entries, listing.Truncated = answer.GetEntries(), answer.GetTruncated()
	asked, now := rq.asksRestores(), time.Now()
	for _, e := range listing.Entries {
		e.Restore = toShow(asked, e.GetRestore(), now)
	}
	return listing, position{answer.GetNext(), answer.GetExact()}, nil
}

func lastKey(entries []*metapb.ListEntry) string {
	if len(entries) == 0 {
		return ""
	}
	return entries[len(entries)-1].GetKey()
}

func encodingType(q query) (string, error) {
	switch v := q.get("encoding-type"); v {
	case "", wirexml.EncodingURL:
		return v, nil
	default:
		return "", s3err.BadArgument("encoding-type", printable(v), "Invalid Encoding Method specified in Request")
	}
}

// Every continuation token begins with its form, so that it can change.
const (
	tokenAfter = "1" // Behind a name and what it stands for.
	tokenExact = "2" // Right behind a name.
)

// encodeToken returns the continuation token of a page that ended at a position. What it
// holds is the server's to know.
func encodeToken(p position) string {
	form := tokenAfter
	if p.exact {
		form = tokenExact
	}
	return base64.RawURLEncoding.EncodeToString([]byte(form + p.name))
}

// decodeToken returns the position that a continuation token was made of; the beginning
// for no token.
func decodeToken(token string) (position, error) {
	if token == "" {
		return position{}, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) < 2 || string(raw[:1]) != tokenAfter && string(raw[:1]) != tokenExact || !utf8.Valid(raw) {
		return position{}, s3err.BadArgument("continuation-token", "", "The continuation token provided is incorrect")
	}
	return position{string(raw[1:]), string(raw[:1]) == tokenExact}, nil
}
