package object

import (
	"context"
	"io"

	"github.com/cairnstore/cairn/meta/alloc"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/etag"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sse"
)

// earlyCheckBytes is the size from which a put looks whether its bucket exists before it reads the
// body, unless the caller has looked. A smaller body is not worth the query: its commit tells.
const earlyCheckBytes = 1 << 20

// Put stores an object and returns its version.
func (s *Service) Put(ctx context.Context, in *PutInput) (*metapb.Version, error) {
	if err := s.checkNew(in.Key, in.Body.Size); err != nil {
		return nil, err
	}
	if in.Body.Size >= earlyCheckBytes && !in.Caller.Request.knows(in.Bucket) {
		if _, err := s.HeadBucket(ctx, in.Caller, in.Bucket); err != nil {
			return nil, err
		}
	}
	st, etag, sums, err := s.storeBody(ctx, &in.Body, in.wrapping(), placementOf(in.Attributes))
	if err != nil {
		return nil, err
	}
	v := &metapb.Version{ContentId: newID(), Size: st.part.Size, Etag: etag, ModifiedMs: nowMS(),
		Attributes: in.Attributes, Encryption: in.Encryption(), Checksums: sums, Owner: in.Caller.Account, Acl: in.ACL, Tags: in.Tags,
		Retention: in.Retention, LegalHold: in.LegalHold, VersionId: newVersionID()}
	v, err = s.commitObject(ctx, in.Caller.Request, v, st, &metapb.PutObject{Bucket: in.Bucket, Key: in.Key, Conditions: in.Conditions, Event: in.Event})
	if err == nil {
		s.events.Stored(int64(v.Size))
	}
	return v, err
}

// checkNew refuses a key or a size that no object or part may have.
func (s *Service) checkNew(key string, size int64) error {
	switch {
	case len(key) > MaxKeyBytes:
		return s3err.KeyTooLong.Err()
	case size > s.cfg.MaxPartBytes:
		return s3err.EntityTooLarge.Err()
	case size < 0:
		return s3err.MissingContentLength.Err()
	}
	return nil
}

// storeBody stores a request's body and returns it with its ETag and checksums. It refuses a body
// that is not what the client claims of it.
func (s *Service) storeBody(ctx context.Context, b *Body, wrap sse.WrappingKey, at alloc.Placement) (*stored, string, []*metapb.Checksum, error) {
	if wrap != nil && s.knobs().IgnoreMD5UnderSSE {
		unchecked := *b
		unchecked.ContentMD5 = nil
		b = &unchecked
	}
	if late, ok := b.Reader.(LateBody); ok {
		n, last, err := late.Next()
		if err != nil {
			return nil, "", nil, err
		}
		if last {
			known := *b
			known.Size = n
			b = &known
		}
	}
	d, err := newDigests(hasMD5(wrap) || b.ContentMD5 != nil, b.Digest.Algorithm)
	if err != nil {
		return nil, "", nil, err
	}
	release, err := s.admitClient(ctx, s.writes, s.writeBound(b.Size))
	if err != nil {
		return nil, "", nil, err
	}
	defer release()
	st, err := s.store(ctx, at, b.Reader, b.Size, wrap, d.write())
	if err != nil {
		return nil, "", nil, err
	}
	sums := d.checksums(st)
	if err = bodyEnd(b.Reader); err == nil {
		err = d.verify(b, sums)
	}
	if err != nil {
		st.abandon(ctx)
		return nil, "", nil, err
	}
	return st, d.etag(wrap), sums, nil
}

// hasMD5 reports whether the ETag of what wrap encrypts is the MD5 of its plaintext; wrap is nil
// where nothing is encrypted. Under a customer's key or a master key it is opaque, so it tells
// nothing of the plaintext, and no MD5 has to be computed, which would cost more than all the rest
// together.
func hasMD5(wrap sse.WrappingKey) bool {
	_, ofCluster := wrap.(*sse.S3Key)
	return wrap == nil || ofCluster
}

// etag returns the ETag of what was digested and encrypted by wrap.
func (d *digests) etag(wrap sse.WrappingKey) string {
	if !hasMD5(wrap) {
		return etag.Opaque(newID())
	}
	return etag.OfMD5(d.md5.Sum(nil))
}

// bodyEnd reads the end of a body, where trailers and the last signature are. A body whose end is
// not good is refused as a whole.
func bodyEnd(r io.Reader) error {
	var b [1]byte
	for {
		n, err := r.Read(b[:])
		switch {
		case n > 0:
			return s3err.InvalidRequest.Say("The body is longer than its declared length.")
		case err == io.EOF:
			return nil
		case err != nil:
			return shortBody(err)
		}
	}
}

// commitObject commits st as version v, under the bucket and key of cmd.
func (s *Service) commitObject(
	ctx context.Context, of Request, v *metapb.Version, st *stored, cmd *metapb.PutObject,
) (*metapb.Version, error) {
	p := st.part
	p.Number, p.Etag, p.ModifiedMs, p.Checksums = 1, v.Etag, v.ModifiedMs, v.Checksums
	cmd.Version, cmd.Part, cmd.Extents = v, p, st.extents
	r, err := s.commitStored(ctx, of, st, &metapb.Command{Op: &metapb.Command_PutObject{PutObject: cmd}})
	if err != nil {
		return nil, err
	}
	return r.Version, nil
}
