package object

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/checksum"
	"github.com/cairnstore/cairn/s3api/etag"
	"github.com/cairnstore/cairn/s3api/proof"
	"github.com/cairnstore/cairn/s3api/sse"
	"github.com/cairnstore/cairn/shard/stripe"
)

// Bounds of a part that refers to extents of other parts. A range that exceeds one of them was
// itself copied together from small pieces. It is re-encoded, which makes whole extents of it.
const (
	maxPartRefs      = 4096
	maxPartEnvelopes = 1024    // Data keys to wrap anew: one for each part of the source.
	maxInlineRuns    = 16      // Runs of inline pieces. Each becomes an extent of its own.
	maxInlineCopied  = 1 << 20 // Bytes of these runs together.
)

// shares reports whether the part may refer to the source's extents. Source and destination have to
// be in one trust domain, with extents of one placement, and the range larger than what is kept
// inline.
func (c *copier) shares() bool {
	return sse.SameDomain(c.src.wrap, c.wrap) && c.src.at() == c.at && c.src.length() > uint64(max(0, c.s.cfg.InlineMaxBytes))
}

// refer makes a part that refers to the source's extents, so none of their bytes moves. If they are
// sealed, their data keys are wrapped anew, and packages at the edges of the range are referred to
// whole. It returns nil if the range exceeds a bound of such parts.
func (c *copier) refer(ctx context.Context) (*copiedPart, error) {
	src := c.s.sourceContent(c.src)
	defer src.close()
	pieces, err := src.pieces(ctx, maxPartRefs)
	if err != nil {
		return nil, err
	}
	if !referable(pieces) {
		return nil, nil
	}
	a := &assembly{s: c.s, src: src, from: c.src.wrap, to: c.wrap,
		st: &stored{s: c.s, at: c.at, part: &metapb.Part{Size: c.src.length()}}}
	defer a.close()
	if err := a.addAll(ctx, pieces); err != nil {
		a.st.abandon(ctx)
		return nil, err
	}
	p := &copiedPart{stored: a.st, byReference: true, etag: c.knownETag()}
	if err := c.digest(ctx, p); err != nil {
		a.st.abandon(ctx)
		return nil, err
	}
	return p, nil
}

// referable reports whether the pieces are within the bounds of a part that refers to them.
func referable(pieces []held) bool {
	runs, size, inRun := 0, uint64(0), false
	envelopes, last := 0, (*metapb.Envelope)(nil)
	for _, p := range pieces {
		if isInline(p.Piece) {
			if !inRun {
				runs++
			}
			size += p.Ref.GetLength()
		} else if p.envelope != last {
			envelopes, last = envelopes+1, p.envelope
		}
		inRun = isInline(p.Piece)
	}
	return len(pieces) > 0 && runs <= maxInlineRuns && size <= maxInlineCopied && envelopes <= maxPartEnvelopes
}

// knownETag returns the ETag that needs no reading. It is the MD5 of the range if that is recorded,
// because the range is a whole part or an object of one part. Else it is made of the content's id
// and the range, so that a repeated copy has the same ETag.
func (c *copier) knownETag() string {
	if c.src.answer.WholePart && etag.IsMD5(c.src.answer.PartEtag) {
		return c.src.answer.PartEtag
	}
	h := sha256.New()
	h.Write([]byte("cairn copy etag v1"))
	h.Write(c.src.version().ContentId)
	h.Write(binary.BigEndian.AppendUint64(nil, c.src.answer.First))
	h.Write(binary.BigEndian.AppendUint64(nil, c.src.length()))
	return etag.Opaque(h.Sum(nil))
}

// knownChecksums returns the checksums that need no reading: those that are recorded of the range,
// and CRCs that follow from those of its extents.
func (c *copier) knownChecksums(st *stored) []*metapb.Checksum {
	sources := [][]*metapb.Checksum{nil, nil}
	if c.src.answer.WholePart {
		sources[0] = c.src.answer.PartChecksums
	}
	if c.src.whole() {
		sources[1] = c.src.version().Checksums
	}
	var out []*metapb.Checksum
	for _, algorithm := range checksum.Algorithms() {
		if c.algorithm != "" && algorithm != c.algorithm {
			continue
		}
		switch {
		case valueOf(sources[0], algorithm) != nil:
			out = append(out, &metapb.Checksum{Algorithm: algorithm, Value: valueOf(sources[0], algorithm)})
		case valueOf(sources[1], algorithm) != nil:
			out = append(out, &metapb.Checksum{Algorithm: algorithm, Value: valueOf(sources[1], algorithm)})
		case algorithm == c.algorithm || algorithm == checksum.CRC64NVME:
			if v := st.crc(algorithm); v != nil {
				out = append(out, v)
			}
		}
	}
	return out
}

// digest sets the ETag and the checksums of a part that was made by reference. What is wanted and
// not known is computed. For an MD5 or a SHA the whole range is read once. For a CRC only the runs
// that are not whole extents are read.
func (c *copier) digest(ctx context.Context, p *copiedPart) error {
	p.sums = c.knownChecksums(p.stored)
	wantMD5 := c.wantMD5 && hasMD5(c.wrap) && !etag.IsMD5(p.etag)
	wantSum := c.algorithm != "" && valueOf(p.sums, c.algorithm) == nil
	if wantSum && !wantMD5 && checksum.Combines(c.algorithm) {
		if err := c.readEdges(ctx, p.stored); err != nil {
			return err
		}
		p.sums = []*metapb.Checksum{p.crc(c.algorithm)}
		return nil
	}
	if !wantMD5 && !wantSum {
		return nil
	}
	d, err := newDigests(wantMD5, c.algorithm)
	if err != nil {
		return err
	}
	w := &digestWriter{digests: d}
	if _, err := c.s.sourceContent(c.src).writeTo(ctx, w); err != nil {
		return err
	}
	if wantMD5 {
		p.etag = etag.OfMD5(d.md5.Sum(nil))
	}
	if wantSum {
		p.sums = d.checksums(&stored{runs: []proof.Run{proof.Computed(int64(p.part.Size), w.sums)}})
	}
	return nil
}

// readEdges computes the CRCs of those runs of the part of which the wanted one is not known.
// Mostly these are the two ends of the range, which are pieces of extents.
func (c *copier) readEdges(ctx context.Context, st *stored) error {
	off := uint64(0)
	for i, r := range st.runs {
		if !r.Knows(c.algorithm) {
			w := &digestWriter{digests: new(digests)}
			if _, err := c.s.sourceContent(c.src).slice(off, uint64(r.Bytes)).writeTo(ctx, w); err != nil {
				return err
			}
			st.runs[i] = proof.Computed(r.Bytes, w.sums)
		}
		off += uint64(r.Bytes)
	}
	return nil
}

// digestWriter digests what is read only to be digested.
type digestWriter struct {
	*digests
	sums stripe.Sums
}

// Write implements io.Writer.
func (w *digestWriter) Write(p []byte) (int, error) {
	w.add(p)
	w.sums.Add(p)
	return len(p), nil
}

// assembly is a part that is being made of references to extents of others. Inline bytes between
// these become extents of its own.
type assembly struct {
	s        *Service
	src      *content        // Opens inline pieces.
	from, to sse.WrappingKey // Of the source's envelopes and of the part's; nil: not encrypted.
	st       *stored

	last     *metapb.Envelope // The envelope of the source that was wrapped anew last.
	envelope uint32           // Index + 1 of what became of last, among the part's envelopes.
	key      *sse.DataKey     // Of new extents; nil: there is none yet, or they are not encrypted.
	keyIndex uint32           // Index + 1 of its envelope; 0: there is none yet.
}

func (a *assembly) close() { a.key.Wipe() }

// addAll adds pieces in order. Each run of inline pieces becomes one extent.
func (a *assembly) addAll(ctx context.Context, pieces []held) error {
	for i := 0; i < len(pieces); {
		if !isInline(pieces[i].Piece) {
			if err := a.add(ctx, pieces[i]); err != nil {
				return err
			}
			i++
			continue
		}
		var run []byte
		for ; i < len(pieces) && isInline(pieces[i].Piece); i++ {
			b, err := a.src.inline(ctx, pieces[i])
			if err != nil {
				return err
			}
			run = append(run, b...)
		}
		if err := a.write(ctx, run); err != nil {
			return err
		}
	}
	return nil
}

// write stores a run of bytes that were inline as a new extent.
func (a *assembly) write(ctx context.Context, run []byte) error {
	if a.keyIndex == 0 {
		var err error
		if a.key, a.keyIndex, err = a.st.newKey(ctx, a.to); err != nil {
			return err
		}
	}
	w := &writer{s: a.s, src: bytes.NewReader(run), size: int64(len(run)), key: a.key, envelope: a.keyIndex, out: a.st}
	err := w.extents(ctx)
	if a.to != nil {
		clear(run)
	}
	return err
}

// add adds a reference to a piece. Where it goes on where the last reference ends, it lengthens
// that one.
func (a *assembly) add(ctx context.Context, p held) error {
	if err := a.rewrap(ctx, p.envelope); err != nil {
		return err
	}
	ref := &metapb.ExtentRef{Volume: p.Ref.Volume, Seq: p.Ref.Seq, Offset: p.Ref.Offset, Length: p.Ref.Length}
	if p.envelope != nil {
		ref.Envelope = a.envelope
	}
	a.st.runs = append(a.st.runs, proof.OfPiece(p.Piece))
	refs := a.st.part.Extents
	if n := len(refs); n > 0 {
		last := refs[n-1]
		if last.Volume == ref.Volume && last.Seq == ref.Seq && last.Envelope == ref.Envelope && last.Offset+last.Length == ref.Offset {
			last.Length += ref.Length
			return nil
		}
	}
	a.st.part.Extents = append(refs, ref)
	return nil
}

// rewrap adds an envelope of the source to the part, wrapped under the part's key. It remembers
// only the last one: the pieces of one envelope follow one another.
func (a *assembly) rewrap(ctx context.Context, e *metapb.Envelope) error {
	if e == nil || e == a.last {
		return nil
	}
	fresh, err := sse.Rewrap(ctx, a.from, a.to, e)
	if err != nil {
		return err
	}
	a.st.part.Envelopes = append(a.st.part.Envelopes, fresh)
	a.last, a.envelope = e, uint32(len(a.st.part.Envelopes))
	return nil
}
