package s3api

import (
	"context"
	"time"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

func (s *server) putBucketVersioning(ctx context.Context, rq *request) (*response, error) {
	if _, err := s.admit(ctx, rq, "s3:PutBucketVersioning"); err != nil {
		return nil, err
	}
	body, err := rq.readDocument(wirexml.MaxConfigurationBytes)
	if err != nil {
		return nil, err
	}
	state, err := wirexml.ParseVersioning(body)
	if err != nil {
		return nil, err
	}
	return &response{}, s.cfg.Objects.Configure(ctx, rq.asks(), rq.bucket, nil, state)
}

func (s *server) getBucketVersioning(ctx context.Context, rq *request) (*response, error) {
	b, err := s.admitBucket(ctx, rq, "s3:GetBucketVersioning")
	if err != nil {
		return nil, err
	}
	return &response{document: &wirexml.Versioning{State: b.GetVersioning()}}, nil
}

// tellWritten names the version that a write made. If the bucket's versioning is suspended that is
// the null version, which AWS does not name.
func (s *server) tellWritten(ctx context.Context, resp *response, rq *request, v *metapb.Version) {
	if v.GetVersionId() == "" && rq.profile.AnswerProfile == profile.AWS {
		return
	}
	s.tellVersion(ctx, resp, rq, v.GetVersionId())
}

// tellVersion names the version that a request made or removed. The null version is named only if
// the bucket has or had other versions.
func (s *server) tellVersion(ctx context.Context, resp *response, rq *request, id string) {
	if id == "" {
		// The request has succeeded, even if the bucket cannot be looked up now.
		b, err := s.bucket(ctx, rq)
		if err != nil || b.GetVersioning() == metapb.Versioning_VERSIONING_OFF {
			return
		}
		id = wirexml.NullVersion
	}
	resp.set("x-amz-version-id", id)
}

func (s *server) listObjectVersions(ctx context.Context, rq *request) (*response, error) {
	q := rq.query
	encoding, err := encodingType(q)
	if err != nil {
		return nil, err
	}
	maxKeys, err := q.number("max-keys", MaxListKeys)
	if err != nil {
		return nil, err
	}
	keyMarker, versionMarker := q.get("key-marker"), q.get("version-id-marker")
	if versionMarker != "" && keyMarker == "" {
		return nil, s3err.BadArgument("version-id-marker", "",
			"A version-id marker cannot be specified without a key marker.")
	}
	who, err := s.admit(ctx, rq, "s3:ListBucketVersions")
	if err != nil {
		return nil, err
	}
	doc := &wirexml.ListVersions{Bucket: rq.bucket, Prefix: q.get("prefix"), Delimiter: q.get("delimiter"),
		KeyMarker: keyMarker, VersionIDMarker: versionMarker, MaxKeys: min(maxKeys, MaxListKeys), EncodingType: encoding, Owner: owner(who)}
	answer, err := s.cfg.Objects.ListVersions(ctx, who, &metapb.ListVersions{Bucket: rq.bucket, Prefix: doc.Prefix,
		Delimiter: doc.Delimiter, KeyMarker: keyMarker, VersionMarker: versionMarker, MaxKeys: uint32(max(1, doc.MaxKeys))})
	if err != nil {
		return nil, err
	}
	if doc.MaxKeys == 0 {
		return &response{document: doc}, nil
	}
	doc.Entries, doc.Truncated = answer.GetEntries(), answer.GetTruncated()
	asked, now := rq.asksRestores(), time.Now()
	for _, e := range doc.Entries {
		if v := e.GetVersion(); v != nil {
			v.Restore = toShow(asked, v.GetRestore(), now)
		}
	}
	if n := len(doc.Entries); doc.Truncated && n > 0 {
		last := doc.Entries[n-1]
		doc.NextKeyMarker = last.GetKey()
		if !last.GetPrefix() {
			doc.NextVersionID = last.GetVersion().GetVersionId()
			if doc.NextVersionID == "" {
				doc.NextVersionID = wirexml.NullVersion
			}
		}
	}
	return &response{document: doc}, nil
}
