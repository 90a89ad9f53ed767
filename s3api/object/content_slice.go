package object

import (
	"context"

	"github.com/cairnstore/cairn/meta/metapb"
)

// slice returns the run of the same version that lies at [off, off+length) of this one. Nothing of
// this one may have been read yet. Pieces that were looked up already are not looked up again.
func (c *content) slice(off, length uint64) *content {
	out := c.at(off)
	out.length = length
	if off == 0 && length == c.length {
		out.sums = c.sums
	}
	if c.next == 0 && off+length <= c.paged {
		out.page, out.paged = narrow(c.page, off, length), length
	}
	return out
}

// narrow returns the pieces of a page that lie in [off, off+length) of it. The first and the last
// one may be cut.
func narrow(a *metapb.ContentAnswer, off, length uint64) *metapb.ContentAnswer {
	out := &metapb.ContentAnswer{Envelopes: a.Envelopes, Length: length, ContentId: a.ContentId, Offset: a.Offset + off,
		ContentSize: a.ContentSize}
	for _, p := range a.Pieces {
		n := p.Ref.GetLength()
		if off >= n {
			off -= n
			continue
		}
		if n = min(n-off, length); n == 0 {
			break
		}
		out.Pieces = append(out.Pieces, &metapb.Piece{Extent: p.Extent, Inline: p.Inline, InlineSealId: p.InlineSealId,
			Ref: &metapb.ExtentRef{Volume: p.Ref.Volume, Seq: p.Ref.Seq, Offset: p.Ref.Offset + off, Length: n, Envelope: p.Ref.Envelope}})
		off, length = 0, length-n
	}
	return out
}

// pieces returns all pieces of the run, or nil if there are more than most.
func (c *content) pieces(ctx context.Context, most int) ([]held, error) {
	var out []held
	for {
		p, err := c.piece(ctx)
		if err != nil || p.Piece == nil {
			return out, err
		}
		if len(out) == most {
			return nil, nil
		}
		out = append(out, p)
	}
}
