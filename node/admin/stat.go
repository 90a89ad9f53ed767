package admin

import (
	"bytes"
	"context"
	"encoding/hex"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/s3api/profile"
)

// How much StatObject shows: by default, and at most if the request asks for more.
const (
	defaultStat     = 100
	maxStatVersions = 1000
	maxStatParts    = 10000 // Of a version.
	maxStatExtents  = 1000
	maxStatPieces   = 100000
	maxStatOwners   = 20 // Of an extent.
)

const nullVersion = "null"

// StatObject implements AdminService. It reads the metadata by several queries. Errors: NotFound;
// Precondition if the object is changed between two queries, so that the answers do not fit
// together.
func (s *service) StatObject(ctx context.Context, r *adminpb.StatObjectRequest) (*adminpb.ObjectStat, error) {
	bound := func(asked uint32, most int) int {
		if asked == 0 {
			return defaultStat
		}
		return int(min(asked, uint32(most)))
	}
	b, err := s.bucket(ctx, r.Bucket)
	if err != nil {
		return nil, err
	}
	l := &look{service: s, bucket: r.Bucket, key: r.Key, maxParts: bound(r.MaxParts, maxStatParts),
		maxExtents: bound(r.MaxExtents, maxStatExtents), seen: map[extentKey]bool{},
		out: &adminpb.ObjectStat{Bucket: r.Bucket, Key: r.Key, BucketOwner: b.Owner, Versioning: versioning(b.Versioning)}}
	versions, err := l.versions(ctx, r.VersionId, bound(r.MaxVersions, maxStatVersions))
	if err != nil {
		return nil, err
	}
	for _, v := range versions {
		if err := l.version(ctx, v); err != nil {
			return nil, err
		}
	}
	if err := l.lookAtExtents(ctx); err != nil {
		return nil, err
	}
	return l.out, nil
}

// look is one run of StatObject.
type look struct {
	*service
	bucket, key          string
	maxParts, maxExtents int

	out     *adminpb.ObjectStat
	pieces  int                 // How many were added; maxStatPieces bounds them.
	extents []*metapb.ExtentRef // The extents, in the order in which parts refer to them.
	seen    map[extentKey]bool
}

type extentKey struct {
	volume uint32
	seq    uint64
}

// ask asks the metadata. If they refuse because something does not exist, the error is NotFound.
func (l *look) ask(ctx context.Context, q *metapb.Query) (*metapb.Answer, error) {
	const op = "admin.StatObject"
	a, err := l.c.Metadata.Read(ctx, q)
	if err != nil {
		return nil, err
	}
	switch a.Refusal {
	case metapb.Refusal_REFUSAL_NONE:
		return a, nil
	case metapb.Refusal_REFUSAL_NO_SUCH_BUCKET:
		return a, errs.Newf(op, errs.NotFound, "there is no bucket %q", l.bucket)
	case metapb.Refusal_REFUSAL_NO_SUCH_KEY:
		return a, errs.Newf(op, errs.NotFound, "there is no object s3://%s/%s", l.bucket, l.key)
	case metapb.Refusal_REFUSAL_NO_SUCH_VERSION:
		return a, errs.Newf(op, errs.NotFound, "there is no such version of s3://%s/%s", l.bucket, l.key)
	}
	return a, errs.Newf(op, errs.Internal, "%v", a.Refusal)
}

// changed is the error for an object that was changed since the first query.
func (l *look) changed() error {
	return errs.Newf("admin.StatObject", errs.Precondition, "s3://%s/%s was changed while it was looked at: look again", l.bucket, l.key)
}

// versions returns the versions to show, newest first. Errors: NotFound if there are none.
func (l *look) versions(ctx context.Context, id string, most int) ([]*metapb.VersionEntry, error) {
	if id != "" {
		return l.oneVersion(ctx, id)
	}
	// The key itself comes before all other keys that begin with it, so its versions are first.
	q := &metapb.ListVersions{Bucket: l.bucket, Prefix: l.key, MaxKeys: uint32(most) + 1}
	var out []*metapb.VersionEntry
	for {
		a, err := l.ask(ctx, &metapb.Query{Op: &metapb.Query_ListVersions{ListVersions: q}})
		if err != nil {
			return nil, err
		}
		page := a.GetVersions().GetEntries()
		for _, e := range page {
			if e.Key != l.key {
				return out, l.orNone(out)
			}
			if len(out) == most {
				l.out.Truncated = true
				return out, nil
			}
			out = append(out, e)
		}
		if !a.GetVersions().GetTruncated() || len(page) == 0 {
			return out, l.orNone(out)
		}
		q.KeyMarker, q.VersionMarker = l.key, versionID(page[len(page)-1].Version)
	}
}

// orNone returns NotFound if no version was found.
func (l *look) orNone(found []*metapb.VersionEntry) error {
	if len(found) == 0 {
		return errs.Newf("admin.StatObject", errs.NotFound, "there is no object s3://%s/%s", l.bucket, l.key)
	}
	return nil
}

// oneVersion returns the version with this id.
func (l *look) oneVersion(ctx context.Context, id string) ([]*metapb.VersionEntry, error) {
	get := func(id string) (*metapb.Version, error) {
		a, err := l.ask(ctx, &metapb.Query{Op: &metapb.Query_Object{Object: &metapb.GetObject{
			Bucket: l.bucket, Key: l.key, VersionId: id, Range: metapb.RangeKind_RANGE_NONE}}})
		return a.GetObject().GetVersion(), err
	}
	v, err := get(id)
	if err != nil {
		return nil, err
	}
	latest, err := get("") // A delete marker comes together with a refusal.
	if err != nil && !errs.Is(err, errs.NotFound) {
		return nil, err
	}
	return []*metapb.VersionEntry{{Key: l.key, Version: v, Latest: latest.GetOrder() == v.Order}}, nil
}

// version adds a version, with its parts, to the answer.
func (l *look) version(ctx context.Context, e *metapb.VersionEntry) error {
	v := e.Version
	st := &adminpb.VersionStat{VersionId: versionID(v), Latest: e.Latest, DeleteMarker: v.DeleteMarker, Size: v.Size,
		Etag: v.Etag, Modified: stamp(v.ModifiedMs), Owner: v.Owner, PartCount: v.Parts}
	l.out.Versions = append(l.out.Versions, st)
	if v.DeleteMarker {
		return nil
	}
	st.StorageClass = storageClass(v.Attributes)
	st.Encryption, st.KmsKeyId = encryption(v.Encryption), v.GetEncryption().GetKmsKeyId()
	st.ContentId = hex.EncodeToString(v.ContentId)
	want := max(int(v.Parts), 1)
	// Numbers of parts may have gaps, so every number is tried until all parts are found.
	for number := uint32(1); len(st.Parts) < want; number++ {
		if len(st.Parts) == l.maxParts {
			l.out.Truncated = true
			return nil
		}
		if number > maxStatParts {
			return l.changed()
		}
		p, err := l.part(ctx, v, number)
		if err != nil {
			return err
		}
		if p != nil {
			st.Parts = append(st.Parts, p)
		}
	}
	return nil
}

// part returns a part of a version with its pieces; nil if there is no part with this number.
func (l *look) part(ctx context.Context, v *metapb.Version, number uint32) (*adminpb.PartStat, error) {
	a, err := l.ask(ctx, &metapb.Query{Op: &metapb.Query_Object{Object: &metapb.GetObject{Bucket: l.bucket, Key: l.key,
		VersionId: versionID(v), Range: metapb.RangeKind_RANGE_PART, Part: number, MaxRefs: pageMax}}})
	o := a.GetObject()
	switch {
	case errs.Is(err, errs.NotFound):
		return nil, l.changed()
	case err != nil:
		return nil, err
	case !bytes.Equal(o.Version.ContentId, v.ContentId):
		return nil, l.changed()
	case o.Unsatisfiable:
		return nil, nil
	}
	p := &adminpb.PartStat{Number: number, Offset: o.First, Size: o.Length, Etag: o.PartEtag}
	for got := uint64(0); ; {
		c := a.GetContent()
		if o != nil {
			c, o = o.Content, nil
		}
		l.addPieces(p, c.GetPieces())
		got += c.GetLength()
		if got >= p.Size || l.out.Truncated {
			return p, nil
		}
		if c.GetLength() == 0 {
			return nil, l.changed()
		}
		a, err = l.ask(ctx, &metapb.Query{Op: &metapb.Query_Content{Content: &metapb.GetContent{ContentId: v.ContentId,
			Multipart: v.Parts > 0, Offset: p.Offset + got, Length: p.Size - got, MaxRefs: pageMax}}})
		if errs.Is(err, errs.NotFound) {
			err = l.changed()
		}
		if err != nil {
			return nil, err
		}
	}
}

// addPieces adds pieces to a part, and notes the extents that they are in.
func (l *look) addPieces(p *adminpb.PartStat, pieces []*metapb.Piece) {
	for _, piece := range pieces {
		if l.pieces == maxStatPieces {
			l.out.Truncated = true
			return
		}
		l.pieces++
		r := piece.Ref
		if piece.Extent == nil {
			p.Pieces = append(p.Pieces, &adminpb.PieceStat{Size: r.Length, Inline: true})
			continue
		}
		p.Pieces = append(p.Pieces, &adminpb.PieceStat{Size: r.Length, Extent: extentName(r.Volume, r.Seq), ExtentOffset: r.Offset})
		if at := (extentKey{r.Volume, r.Seq}); !l.seen[at] {
			l.seen[at] = true
			l.extents = append(l.extents, &metapb.ExtentRef{Volume: r.Volume, Seq: r.Seq})
		}
	}
}

func versionID(v *metapb.Version) string {
	if v.GetVersionId() == "" {
		return nullVersion
	}
	return v.VersionId
}

func versioning(v metapb.Versioning) string {
	switch v {
	case metapb.Versioning_VERSIONING_ENABLED:
		return "enabled"
	case metapb.Versioning_VERSIONING_SUSPENDED:
		return "suspended"
	}
	return "off"
}

func storageClass(a *metapb.Attributes) string {
	if a.GetStorageClass() == "" {
		return profile.ClassStandard
	}
	return a.StorageClass
}

func encryption(e *metapb.Encryption) string {
	switch e.GetKind() {
	case metapb.EncryptionKind_ENCRYPTION_SSE_C:
		return "SSE-C"
	case metapb.EncryptionKind_ENCRYPTION_SSE_S3:
		return "SSE-S3"
	case metapb.EncryptionKind_ENCRYPTION_SSE_KMS:
		return "SSE-KMS"
	}
	return "none"
}
