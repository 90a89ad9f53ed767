package state

import (
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

// page is one page of a content under construction.
type page struct {
	answer *metapb.ContentAnswer
	max    int
	whole  *metapb.Part // The part that the range is, if it is exactly one.

	lastID    shard.ExtentID // Neighbouring references often share an extent.
	lastRec   *metapb.Extent
	envelopes map[string]uint32 // Index + 1 by contents; made when there are several.
}

func (p *page) contentAnswer() *metapb.ContentAnswer {
	if p == nil {
		return nil
	}
	return p.answer
}

func (p *page) full() bool { return len(p.answer.Pieces) >= p.max }

// pieces returns the pieces of length bytes from offset, at most maxRefs. It
// returns nil where a part is not there: the content is being dropped.
func (v *view) pieces(c *content, offset, length uint64, maxRefs uint32) (*page, error) {
	p := &page{answer: &metapb.ContentAnswer{}, max: int(min(maxRefs, pageMax))}
	if p.max == 0 {
		p.max = pageMax
	}
	if c.layout == nil {
		ok, err := v.partPieces(p, c.id, 1, 0, offset, length)
		if !ok || err != nil {
			return nil, err
		}
		return p, nil
	}
	end := offset + length
	var start uint64
	for i, number := range c.layout.Numbers {
		size := c.layout.Sizes[i]
		if (start >= end && length > 0) || p.full() {
			break
		}
		if start+size > offset || (length == 0 && len(c.layout.Numbers) == 1) {
			from := max(start, offset)
			ok, err := v.partPieces(p, c.id, number, start, from, min(start+size, end)-from)
			if !ok || err != nil {
				return nil, err
			}
			if start == offset && size == length {
				break // The rest are empty parts; p.whole is set.
			}
			p.whole = nil
		}
		start += size
	}
	return p, nil
}

// partPieces adds the pieces of one part, which begins at start in the object.
func (v *view) partPieces(p *page, id keys.ID, number uint32, start, offset, length uint64) (bool, error) {
	part := new(metapb.Part)
	ok, err := v.get(keys.AppendPart(v.key(), id, number), part)
	if !ok || err != nil {
		return false, err
	}
	if offset == start && length == part.Size {
		p.whole = part
	}
	if length == 0 {
		return true, nil
	}
	if len(part.Extents) == 0 {
		p.addInline(part, offset-start, length)
		return true, nil
	}
	return v.extentPieces(p, part, offset-start, length)
}

// addInline adds the inline bytes of a part.
func (p *page) addInline(part *metapb.Part, offset, length uint64) {
	ref := &metapb.ExtentRef{Offset: offset, Length: length}
	if len(part.Envelopes) > 0 {
		ref.Envelope = p.envelope(part.Envelopes[0])
	}
	p.answer.Pieces = append(p.answer.Pieces,
		&metapb.Piece{Ref: ref, Inline: part.Inline, InlineSealId: part.InlineSealId})
	p.answer.Length += length
}

// extentPieces adds the references of a part that lie in length bytes from
// offset, narrowed to them.
func (v *view) extentPieces(p *page, part *metapb.Part, offset, length uint64) (bool, error) {
	envelopes := make([]uint32, len(part.Envelopes)) // Index + 1 in the page.
	end := offset + length
	var at uint64
	for _, r := range part.Extents {
		from, to := max(at, offset), min(at+r.Length, end)
		if from < to {
			if p.full() {
				return true, nil
			}
			ref := &metapb.ExtentRef{Volume: r.Volume, Seq: r.Seq, Offset: r.Offset + from - at, Length: to - from}
			if i := r.Envelope; i > 0 {
				if envelopes[i-1] == 0 {
					envelopes[i-1] = p.envelope(part.Envelopes[i-1])
				}
				ref.Envelope = envelopes[i-1]
			}
			rec, err := v.extent(p, extentID(r.Volume, r.Seq))
			if err != nil {
				return false, err
			}
			p.answer.Pieces = append(p.answer.Pieces, &metapb.Piece{Ref: ref, Extent: rec})
			p.answer.Length += to - from
		}
		if at += r.Length; at >= end {
			return true, nil
		}
	}
	return false, nil // Shortened: the content is being dropped.
}

func (v *view) extent(p *page, id shard.ExtentID) (*metapb.Extent, error) {
	if id == p.lastID {
		return p.lastRec, nil
	}
	rec := new(metapb.Extent)
	ok, err := v.get(keys.AppendExtent(v.key(), id), rec)
	if err == nil && !ok {
		err = corrupt("extent %s is referred to and does not exist", id)
	}
	p.lastID, p.lastRec = id, rec
	return rec, err
}

// envelope returns the index + 1 of an envelope in the page, adding it unless an
// equal one is there.
func (p *page) envelope(e *metapb.Envelope) uint32 {
	key := string(e.WrappedKey) + string(rune(e.Kind)) + e.KmsKeyId + "\x00" + string(e.Salt)
	if i := p.envelopes[key]; i != 0 {
		return i
	}
	p.answer.Envelopes = append(p.answer.Envelopes, e)
	i := uint32(len(p.answer.Envelopes))
	if p.envelopes == nil {
		p.envelopes = make(map[string]uint32)
	}
	p.envelopes[key] = i
	return i
}
