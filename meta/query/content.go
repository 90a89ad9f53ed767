package query

import (
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/shard"
)

// page is a page of a content while it is made.
type page struct {
	answer *metapb.ContentAnswer
	max    int          // How many pieces it may have.
	whole  *metapb.Part // If the range is exactly one part, that part.

	lastID    shard.ExtentID // The extent read last: neighbouring references often share one.
	lastRec   *metapb.Extent
	envelopes map[string]uint32 // Index + 1 of each envelope of the answer, by what it says.
}

func (p *page) full() bool { return len(p.answer.Pieces) >= p.max }

// pieces returns a page of the pieces that hold length bytes of a content from offset on. All
// of them must lie inside the content. The page has at most maxRefs pieces; 0 means PageMax.
func (v *View) pieces(c *content, offset, length uint64, maxRefs uint32) (*page, error) {
	p := &page{answer: &metapb.ContentAnswer{ContentId: c.id[:], Offset: offset, ContentSize: c.size},
		max: int(min(maxRefs, PageMax))}
	if p.max == 0 {
		p.max = PageMax
	}
	end := offset + length
	var start uint64
	for i := range c.parts() {
		number, size := c.partAt(i)
		if (start >= end && length > 0) || p.full() {
			break
		}
		if start+size > offset || (length == 0 && c.parts() == 1) {
			from := max(start, offset)
			if err := v.partPieces(p, c, number, size, from-start, min(start+size, end)-from); err != nil {
				return nil, err
			}
			if start == offset && size == length {
				break // The range is this part, which may be empty. No later one belongs to it.
			}
			p.whole = nil
		}
		start += size
	}
	return p, nil
}

// partPieces adds the pieces that hold length bytes of a part from offset on. size is what
// the content says that the part has. If the part does not have just as many bytes, the
// record is damaged and no piece of it can be trusted: where a reference lies in the part
// follows from the lengths of those before it.
func (v *View) partPieces(p *page, c *content, number uint32, size, offset, length uint64) error {
	part, err := v.contentPart(c, number)
	if err != nil {
		return err
	}
	if part.Size != size || !isWhole(part) {
		return record.Corrupt("part %d of content %x does not have the %d bytes that are recorded of it", number, c.id, size)
	}
	if offset == 0 && length == size {
		p.whole = part
	}
	switch {
	case length == 0:
		return nil
	case len(part.Extents) == 0:
		p.addInline(part, offset, length)
		return nil
	}
	return v.extentPieces(p, part, offset, length)
}

// contentPart returns a part of a content, which must have it. Errors: Corrupt.
func (v *View) contentPart(c *content, number uint32) (*metapb.Part, error) {
	if c.only != nil {
		return c.only, nil
	}
	part := new(metapb.Part)
	if ok, err := v.get(keys.AppendPart(v.key(), c.id, number), part); !ok || err != nil {
		return nil, orCorrupt(err, "a part of a content that is not dropped does not exist")
	}
	return part, nil
}

// isWhole reports whether the bytes of a part add up to its size and each of its references
// names an envelope that it has. The length of sealed inline bytes is not compared, since
// sealing adds to it.
func isWhole(part *metapb.Part) bool {
	if len(part.Extents) == 0 {
		return len(part.Envelopes) > 0 || uint64(len(part.Inline)) == part.Size
	}
	left := part.Size
	for _, r := range part.Extents {
		if r.Length > left || int(r.Envelope) > len(part.Envelopes) {
			return false
		}
		left -= r.Length
	}
	return left == 0
}

// addInline adds the piece of a part whose bytes are inline. The piece has all of them, since sealed
// ones can only be opened as a whole, and says that length bytes from offset on are meant.
func (p *page) addInline(part *metapb.Part, offset, length uint64) {
	ref := &metapb.ExtentRef{Offset: offset, Length: length}
	if len(part.Envelopes) > 0 {
		ref.Envelope = p.envelope(part.Envelopes[0])
	}
	p.answer.Pieces = append(p.answer.Pieces,
		&metapb.Piece{Ref: ref, Inline: part.Inline, InlineSealId: part.InlineSealId})
	p.answer.Length += length
}

// extentPieces adds a piece for each reference of a part that holds some of the length bytes from
// offset on. The piece is narrowed to those bytes.
func (v *View) extentPieces(p *page, part *metapb.Part, offset, length uint64) error {
	envelopes := make([]uint32, len(part.Envelopes)) // Index + 1 in the page of each; 0: not there.
	end := offset + length
	var at uint64
	for _, r := range part.Extents {
		if at >= end || p.full() {
			break
		}
		if from, to := max(at, offset), min(at+r.Length, end); from < to {
			ref := &metapb.ExtentRef{Volume: r.Volume, Seq: r.Seq, Offset: r.Offset + from - at, Length: to - from}
			if i := r.Envelope; i > 0 {
				if envelopes[i-1] == 0 {
					envelopes[i-1] = p.envelope(part.Envelopes[i-1])
				}
				ref.Envelope = envelopes[i-1]
			}
			rec, err := v.extent(p, record.ExtentID(r.Volume, r.Seq))
			if err != nil {
				return err
			}
			p.answer.Pieces = append(p.answer.Pieces, &metapb.Piece{Ref: ref, Extent: rec})
			p.answer.Length += to - from
		}
		at += r.Length
	}
	return nil
}

// extent returns the record of an extent that is referred to. Errors: Corrupt if there is
// none.
func (v *View) extent(p *page, id shard.ExtentID) (*metapb.Extent, error) {
	if id == p.lastID && p.lastRec != nil {
		return p.lastRec, nil
	}
	rec := new(metapb.Extent)
	if ok, err := v.get(keys.AppendExtent(v.key(), id), rec); !ok || err != nil {
		return nil, orCorrupt(err, "extent "+id.String()+" is referred to and does not exist")
	}
	p.lastID, p.lastRec = id, rec
	return rec, nil
}

// envelope returns the index + 1 of an envelope in the page, and adds the envelope if no equal
// one is there.
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
