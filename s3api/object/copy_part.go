package object

import (
	"context"
	"errors"
	"sync"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// partCopy is an Upload Part - Copy.
type partCopy struct {
	copier
	in     *CopyPartInput
	upload *metapb.Upload
}

// CopyPart checks an Upload Part - Copy and readies it. It looks up destination and source at the
// same time. If several things are wrong, it returns the first in S3's order: the destination, the
// source, their keys, the conditions, the range. The caller calls Close.
func (s *Service) CopyPart(ctx context.Context, in *CopyPartInput) (Copy, error) {
	if err := checkPartNumber(in.PartNumber); err != nil {
		return nil, err
	}
	var (
		both          sync.WaitGroup
		up            *metapb.Upload
		src           *source
		upErr, srcErr error
	)
	both.Go(func() { up, upErr = s.openPart(ctx, in.Caller, in.Bucket, in.Key, in.UploadID) })
	both.Go(func() { src, srcErr = s.lookUp(ctx, in.Caller.Request, &in.Source) })
	both.Wait()
	if err := firstOf(upErr, srcErr); err != nil {
		return nil, err
	}
	if err := s.unlockSource(src); err != nil {
		return nil, err
	}
	wrap, err := s.uploadKey(up, in.CustomerKey)
	if err != nil {
		return nil, err
	}
	if err := checkRepeated(up, in.Repeated); err != nil {
		return nil, err
	}
	if err := s.checkRange(src); err != nil {
		return nil, err
	}
	c := &partCopy{in: in, upload: up,
		copier: copier{s: s, of: in.Caller.Request, src: src, wrap: wrap, at: placementOf(up.Attributes), algorithm: up.ChecksumAlgorithm, wantMD5: s.wantsMD5()}}
	if err := c.hold(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// firstOf returns the error that a copy's client is told if its two sides fail with dst and src:
// first a missing bucket of either side, then a source that the caller may not read, then any other
// error of the destination, then any other of the source.
func firstOf(dst, src error) error {
	var s3 *s3err.Error
	switch {
	case isRefusal(dst, metapb.Refusal_REFUSAL_NO_SUCH_BUCKET):
		return dst
	case isRefusal(src, metapb.Refusal_REFUSAL_NO_SUCH_BUCKET):
		return src
	case errors.As(src, &s3) && s3.Code == s3err.AccessDenied:
		return src
	case dst != nil:
		return dst
	}
	return src
}

// Encryption implements Copy.
func (c *partCopy) Encryption() *metapb.Encryption { return c.upload.Encryption }

// Run implements Copy. If an extent is gone at the commit, it may have been moved: the source is
// looked up once more.
func (c *partCopy) Run(ctx context.Context) (*Copied, error) {
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

func (c *partCopy) run(ctx context.Context) (*Copied, error) {
	made, err := c.make(ctx)
	if err != nil {
		return nil, err
	}
	p := made.part
	p.Number, p.Etag, p.ModifiedMs, p.Checksums = uint32(c.in.PartNumber), made.etag, nowMS(), made.sums
	if !made.byReference {
		p.Checksums = partChecksums(c.upload, made.sums, made.stored)
	}
	if err := c.s.commitPart(ctx, c.in.Caller, c.upload, made.stored, c.pin); err != nil {
		return nil, err
	}
	c.pin, c.unpin = nil, nil // The commit has dropped it.
	c.copied(made)
	return &Copied{ETag: p.Etag, ModifiedMS: p.ModifiedMs, Checksums: shown(c.algorithm, p.Checksums)}, nil
}

// copied tells the events of a committed copy.
func (c *copier) copied(p *copiedPart) {
	if p.byReference {
		c.s.events.CopiedByRef(int64(p.part.Size))
		return
	}
	c.s.events.CopiedByRead(int64(p.part.Size))
}

// shown returns the one checksum of sums that the answer tells: that of the algorithm asked for.
func shown(algorithm string, sums []*metapb.Checksum) []*metapb.Checksum {
	for _, c := range sums {
		if c.Algorithm == algorithm {
			return []*metapb.Checksum{c}
		}
	}
	return nil
}
