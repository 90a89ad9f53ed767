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

// listObjects is version 1, in which the client says after which key to go on.
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
		// The next marker is a key of the page, so a page must have one unless the list ends.
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

// position is where a list goes on: behind a name, or, unless it is exact, behind all that the
// common prefix of that name stands for.
type position struct {
	name  string
	exact bool
}

// list reads what both versions have in common, and the page of entries behind a position. It
// returns the position where the next page begins.
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
		return listing, next, nil // A list of no keys only asks whether the bucket exists.
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
	tokenAfter = "1" // Behind a name and all that it stands for as a common prefix.
	tokenExact = "2" // Right behind a name.
)

// encodeToken returns the continuation token of a page that ended at a position. Clients must not
// look into it.
func encodeToken(p position) string {
	form := tokenAfter
	if p.exact {
		form = tokenExact
	}
	return base64.RawURLEncoding.EncodeToString([]byte(form + p.name))
}

// decodeToken returns the position that a continuation token was made of. An empty token is the
// beginning of the list.
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
