package object

import (
	"context"

	"github.com/cairnstore/cairn/s3api/checksum"
)

// encode reads the range and stores it as new extents, under a fresh data key if the destination is
// encrypted. Several extents are made at once, except where a digest has to see the bytes in order.
func (c *copier) encode(ctx context.Context) (*copiedPart, error) {
	size := int64(c.src.length())
	runs := c.s.cut(size, c.wrap != nil, c.at)
	worthwhile := len(runs) > 1 || c.wrap != nil && size >= min(minTaskBytes, c.s.cfg.ExtentMaxBytes)
	if worthwhile && !c.inOrder() {
		return c.parallel(ctx, runs)
	}
	return c.inSequence(ctx)
}

// minTaskBytes is the least that is worth asking another node for. A copy of one extent is made as
// a task only if it is encrypted: in the clear it has an MD5 for its ETag, and a task has none.
const minTaskBytes = 1 << 20

// inOrder reports whether the copy needs a digest that has to see the bytes in order. One core
// takes longer for such a digest than for all other work on the bytes, so tasks would gain nothing.
func (c *copier) inOrder() bool {
	return c.algorithm != "" && !checksum.Combines(c.algorithm) ||
		hasMD5(c.wrap) && c.wantMD5
}

// inSequence reads the range and stores it as one stream.
func (c *copier) inSequence(ctx context.Context) (*copiedPart, error) {
	d, err := newDigests(hasMD5(c.wrap), c.algorithm)
	if err != nil {
		return nil, err
	}
	size := int64(c.src.length())
	release, err := c.s.admit(ctx, c.s.taskBound(size))
	if err != nil {
		return nil, err
	}
	defer release()
	r, stop := c.s.stream(ctx, c.s.sourceContent(c.src))
	defer stop()
	st, err := c.s.store(ctx, c.at, r, size, c.wrap, d.write())
	if err != nil {
		return nil, err
	}
	return &copiedPart{stored: st, etag: d.etag(c.wrap), sums: d.checksums(st)}, nil
}
