package object

import (
	"context"
	"strconv"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/checksum"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sse"
)

const msgSelfCopy = "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes."

// objectCopy is a CopyObject.
type objectCopy struct {
	copier
	in   *CopyInput
	kept *metapb.Checksum // The source's checksum, which the copy takes over; nil: it is computed.
}

// Copy checks a CopyObject and readies it. The copy has one part, however many its source has. The
// caller calls Close.
func (s *Service) Copy(ctx context.Context, in *CopyInput) (Copy, error) {
	if err := s.checkNew(in.Key, 0); err != nil {
		return nil, err
	}
	var (
		both           sync.WaitGroup
		src            *source
		dstErr, srcErr error
	)
	if !in.Caller.Request.knows(in.Bucket) {
		both.Go(func() { _, dstErr = s.HeadBucket(ctx, in.Caller, in.Bucket) })
	}
	both.Go(func() { src, srcErr = s.lookUp(ctx, in.Caller.Request, &in.Source) })
	both.Wait()
	if err := firstOf(dstErr, srcErr); err != nil {
		return nil, err
	}
	if err := s.unlockSource(src); err != nil {
		return nil, err
	}
	if err := in.checkTags(src); err != nil {
		return nil, err
	}
	if in.changesNothing(src) {
		return nil, s3err.InvalidRequest.Say(msgSelfCopy)
	}
	if src.length() > uint64(s.cfg.MaxPartBytes) {
		return nil, s3err.InvalidRequest.Say("The specified copy source is larger than the maximum allowable size for a copy source: " +
			strconv.FormatInt(s.cfg.MaxPartBytes, 10))
	}
	if err := s.checkRange(src); err != nil {
		return nil, err
	}
	c := &objectCopy{in: in, copier: copier{s: s, of: in.Caller.Request, src: src, wrap: in.wrapping(), at: placementOf(in.Attributes), wantMD5: s.wantsMD5()}}
	c.kept, c.algorithm = src.checksum(in.Digest.Algorithm)
	if err := c.hold(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// checksum returns the checksum that a copy takes over from its source: that of the named
// algorithm, or, where none is named, that of the source's own. A source may have no such checksum
// of its whole: a composite one is made of its parts' checksums. Then checksum returns the
// algorithm of the checksum that has to be computed.
func (r *source) checksum(named string) (kept *metapb.Checksum, algorithm string) {
	sums := r.version().Checksums
	algorithm = named
	for _, c := range sums {
		if algorithm == "" || named == "" && algorithm == checksum.CRC64NVME {
			algorithm = c.Algorithm // A client asked for it if it is not CRC64NVME, the default.
		}
	}
	if value := valueOf(sums, algorithm); value != nil {
		return &metapb.Checksum{Algorithm: algorithm, Value: value}, ""
	}
	return nil, algorithm
}

// checkTags refuses a copy that would take over tags that the caller may not read at the source, or
// may not give to the copy.
func (in *CopyInput) checkTags(src *source) error {
	if in.ReplaceTags || len(src.version().Tags) == 0 {
		return nil
	}
	if err := permit(in.Source.TagAccess, src.key, src.version()); err != nil {
		return err
	}
	return in.TagsDenied
}

// changesNothing reports whether the copy would put an object in its own place without changing it.
func (in *CopyInput) changesNothing(src *source) bool {
	if in.Bucket != in.Source.Bucket || in.Key != src.key || in.Source.VersionID != "" || in.ReplaceAttributes || in.Named ||
		in.Attributes.GetStorageClass() != src.version().GetAttributes().GetStorageClass() {
		return false
	}
	if Redirect(in.Attributes) != Redirect(src.version().GetAttributes()) {
		return false
	}
	return sse.SameDomain(src.wrap, in.wrapping())
}

// Encryption implements Copy.
func (c *objectCopy) Encryption() *metapb.Encryption { return c.in.Encryption() }

// Run implements Copy.
func (c *objectCopy) Run(ctx context.Context) (*Copied, error) {
	done, err := c.run(ctx)
	if isRefusal(err, metapb.Refusal_REFUSAL_EXTENT_GONE) {
		if err := c.lookAgain(ctx); err != nil {
			return nil, err
		}
		if done, err = c.run(ctx); isRefusal(err, metapb.Refusal_REFUSAL_EXTENT_GONE) {
			return nil, errGone
		}
	}
	return done, err
}

func (c *objectCopy) run(ctx context.Context) (*Copied, error) {
	made, err := c.make(ctx)
	if err != nil {
		return nil, err
	}
	in := c.in
	attributes, tags := in.Attributes, in.Tags
	if !in.ReplaceAttributes {
		if attributes = proto.CloneOf(c.src.version().Attributes); attributes == nil {
			attributes = &metapb.Attributes{}
		}
		attributes.StorageClass, attributes.ClassName = in.Attributes.GetStorageClass(), in.Attributes.GetClassName()
		attributes = setRedirect(attributes, in.Attributes)
	}
	if !in.ReplaceTags {
		tags = c.src.version().Tags
	}
	if c.kept != nil {
		made.sums = []*metapb.Checksum{c.kept}
	}
	v := &metapb.Version{ContentId: newID(), Size: made.part.Size, Etag: made.etag, ModifiedMs: nowMS(),
		Attributes: attributes, Encryption: in.Encryption(), Checksums: made.sums, Owner: in.Caller.Account, Acl: in.ACL, Tags: tags,
		Retention: in.Retention, LegalHold: in.LegalHold, VersionId: newVersionID()}
	if v, err = c.s.commitObject(ctx, c.of, v, made.stored, &metapb.PutObject{Bucket: in.Bucket, Key: in.Key,
		Conditions: in.Conditions, Event: metapb.EventKind_EVENT_COPY}); err != nil {
		return nil, err
	}
	c.copied(made)
	return &Copied{ETag: v.Etag, ModifiedMS: v.ModifiedMs, Checksums: v.Checksums, Version: v}, nil
}
