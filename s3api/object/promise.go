package object

import (
	"bytes"
	"context"
	"errors"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/checksum"
	"github.com/cairnstore/cairn/s3api/proof"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/stripe"
)

// promise is what the CRCs of a copy's range must be, as far as that is known before a byte is
// read.
type promise struct {
	crc64    []byte             // What follows from the source's extents; nil: the range cuts one.
	recorded []*metapb.Checksum // What is recorded of the source and is of just this range.
}

// promise returns what the copy has to be. It looks the source's pieces up by itself, before the
// source is read: what goes wrong when these are looked up again does not spoil the promise too.
func (c *copier) promise(ctx context.Context) (*promise, error) {
	p := &promise{recorded: proof.Recorded(c.src.version(), c.src.answer)}
	src := c.s.sourceContent(c.src)
	defer src.close()
	var runs []proof.Run
	for {
		q, err := src.piece(ctx)
		if err != nil {
			return nil, err
		}
		if q.Piece == nil {
			p.crc64 = proof.CRC(checksum.CRC64NVME, runs)
			return p, nil
		}
		run := proof.OfPiece(q.Piece)
		if isInline(q.Piece) && len(q.Inline) > 0 {
			b, err := src.inline(ctx, q)
			if err != nil {
				return nil, err
			}
			run = proof.Computed(int64(len(b)), stripe.SumsOf(b))
		}
		if !run.Knows(checksum.CRC64NVME) {
			return p, nil
		}
		runs = append(runs, run)
	}
}

// keep returns an error if what was stored is not as promised.
func (p *promise) keep(st *stored) error {
	if got := proof.CRC(checksum.CRC64NVME, st.runs); p.crc64 != nil && got != nil && !bytes.Equal(got, p.crc64) {
		return errBroken()
	}
	for _, sum := range p.recorded {
		if got := proof.CRC(sum.Algorithm, st.runs); !sum.Composite && got != nil && !bytes.Equal(got, sum.Value) {
			return errBroken()
		}
	}
	return nil
}

func errBroken() error {
	return errs.Newf("object.copy", errs.Corrupt, "a copy: %w", proof.ErrWrong)
}

// reencode reads the range and stores it as new extents. It compares what it has stored with what
// is recorded of the source. If they differ, or a source's extent is not what its record says, it
// deletes what it made and makes it once more from the beginning. Wrong bytes are never returned.
func (c *copier) reencode(ctx context.Context) (*copiedPart, error) {
	for first := true; ; first = false {
		made, err := c.reencodeOnce(ctx)
		if err == nil || !first || !errors.Is(err, proof.ErrWrong) || ctx.Err() != nil {
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
		c.s.events.WrongSum(c.src.version().ContentId, shard.ExtentID{})
		made.abandon(ctx)
		return nil, err
	}
	return made, nil
}
