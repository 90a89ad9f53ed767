package s3api

import (
	"context"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/policy"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

const (
	headerTagging = "X-Amz-Tagging"

	msgTagging = "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates."
)

// parseTags reads an x-amz-tagging header, a query of keys and values.
func parseTags(header string) ([]*metapb.Pair, error) {
	if header == "" {
		return nil, nil
	}
	bad := s3err.BadArgument("x-amz-tagging", printable(header), msgTagging)
	var tags []*metapb.Pair
	for field := range strings.SplitSeq(header, "&") {
		name, value, _ := strings.Cut(field, "=")
		key, err := url.QueryUnescape(name)
		if err != nil {
			return nil, bad
		}
		if value, err = url.QueryUnescape(value); err != nil || !utf8.ValidString(key+value) || strings.ContainsRune(key+value, 0) {
			return nil, bad
		}
		tags = append(tags, &metapb.Pair{Name: key, Value: value})
	}
	if err := wirexml.CheckTags(tags, wirexml.MaxObjectTags); err != nil {
		return nil, err
	}
	return tags, nil
}

// tagFacts are the facts of the tags that a request brings.
func (rq *request) tagFacts(key string) ([]string, bool) {
	if name, ok := strings.CutPrefix(key, policy.RequestTagPrefix); ok {
		for _, t := range rq.tags {
			if t.GetName() == name {
				return []string{t.GetValue()}, true
			}
		}
		return nil, false
	}
	if key != policy.KeyRequestTagKeys || len(rq.tags) == 0 {
		return nil, false
	}
	keys := make([]string, len(rq.tags))
	for i, t := range rq.tags {
		keys[i] = t.GetName()
	}
	return keys, true
}

// tag fills in the tags of something new. To give tags takes a right of its own.
func (s *server) tag(ctx context.Context, rq *request, in *object.Description) error {
	if in.Tags = rq.tags; len(in.Tags) == 0 {
		return nil
	}
	return s.allow(ctx, rq, "s3:PutObjectTagging", subject{bucket: rq.bucket, key: rq.key})
}

// copiesTags sets who decides whether a copy may take over the tags of its source. Reading them
// takes a right, and giving them takes another.
func (s *server) copiesTags(ctx context.Context, rq *request, in *object.CopyInput) error {
	switch directive := rq.r.Header.Get("X-Amz-Tagging-Directive"); directive {
	case "", "COPY":
	case "REPLACE":
		in.ReplaceTags = true
		return nil
	default:
		return s3err.BadArgument("x-amz-tagging-directive", printable(directive), "Unknown tagging directive.")
	}
	rq.tags = nil // Tags in the request count only with REPLACE.
	src := &in.Source
	var err error
	src.TagAccess, err = s.objectAccess(ctx, rq, versioned("s3:GetObjectTagging", src.VersionID != ""), src.Bucket, src.VersionID)
	if err != nil {
		return err
	}
	in.TagsDenied = s.allow(ctx, rq, "s3:PutObjectTagging", subject{bucket: rq.bucket, key: rq.key})
	return nil
}
