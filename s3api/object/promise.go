package object

import (
	"bytes"
	"context"
	"errors"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/checksum"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/stripe"
)

// promise is what the CRCs of a copy's range must be, as far as that is known before a
// byte of it is read.
type promise struct {
	crc64    []byte             // Follows from the source's extents; nil: not all of them lie in the range whole.
	recorded []*metapb.Checksum // With the source, of just this range.
}

// promise returns what the copy has to be. It is taken before the source is read, of
// all its pages, so that it does not share what may go wrong with these later.
func (c *copier) promise(ctx context.Context) (*promise, error) {
	p := &promise{recorded: recorded(c.src.version(), c.src.answer)}
	src := c.s.sourceContent(c.src)
	defer src.close()
	var runs []summed
	for {
		q, err := src.piece(ctx)
		if err != nil {
			return nil, err
		}
		if q.Piece == nil {
			p.crc64 = crcOf(checksum.CRC64NVME, runs)
			return p, nil
		}
		run := summedPiece(q.Piece)
		if isInline(q.Piece) && len(q.Inline) > 0 {
			b, err := src.inline(ctx, q)
			if err != nil {
				return nil, err
			}
			run = summedNow(int64(len(b)), stripe.SumsOf(b))
		}
		if !run.crc64 {
			return p, nil
		}
		runs = append(runs, run)
	}
}

// keep compares what was stored with the promise.
func (p *promise) keep(st *stored) error {
	if got := crcOf(checksum.CRC64NVME, st.runs); p.crc64 != nil && got != nil && !bytes.Equal(got, p.crc64) {
		return errBroken()
	}
	for _, sum := range p.recorded {
		if got := crcOf(sum.Algorithm, st.runs); !sum.Composite && got != nil && !bytes.Equal(got, sum.Value) {
			return errBroken()
		}
	}
	return nil
}

func errBroken() error {
	return errs.Newf("object.copy", errs.Corrupt, "a copy: %w", errWrongSum)
}

// reencode reads the range and stores it as new extents. What it has made is compared
// with what is recorded of the source. If that is not the same, or a source's extent is
// not what its record says, it is made once more from the beginning; nothing that is
// wrong is ever returned.
func (c *copier) reencode(ctx context.Context) (*copiedPart, error) {
	for first := true; ; first = false {
		made, err := c.reencodeOnce(ctx)
		if err == nil || !first || !errors.Is(err, errWrongSum) || ctx.Err() != nil {
			return made, err
		}
	}
}

func (c *copier) reencodeOnce(ctx context.Context) (*copiedPart, error) {
	p, err := c.promise(ctx)
	if err != nil {
		return nil, err
	}
	made, err := c.encode(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.keep(made.stored); err != nil {
		call2(c.s.events.WrongSum, c.src.version().ContentId, shard.ExtentID{})
		made.abandon(ctx)
		return nil, err
	}
	return made, nil
}
