package object

import (
	"bytes"
	"errors"
	"hash/crc32"

	"github.com/minio/crc64nvme"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/checksum"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/stripe"
)

// errWrongSum marks plaintext that is not what is recorded of it, though every block
// of it was right: it is of another place, or was spoilt in memory. Reading on does
// not help those who have taken some of it.
var errWrongSum = errors.New("the plaintext has not the checksum that is recorded of it")

// proof compares the plaintext of a run with what is recorded of it while it is sent:
// that of each piece that is a whole extent with the extent's CRC and, where CRCs of
// the whole run are recorded, the run with those. It costs one CRC-64 of each byte.
type proof struct {
	want   []*metapb.Checksum // CRCs of the run. What cannot be compared is not among them.
	got    [][]byte           // Of want: as far as whole pieces were sent.
	left   uint64             // Bytes of the run still to come.
	events Events
	id     []byte // Content id.

	// Of the piece being sent.
	of       shard.ExtentID // Zero: it is inline.
	promised *metapb.Extent // Nil: the piece is not a whole extent.
	bytes    uint64         // Of the piece.
	pending  uint64         // Of those, still to come.
	sums     stripe.Sums    // Of those that came.
	crc64    bool           // Which are computed.
	crc32s   bool
}

// newProof returns the proof of a run of length bytes, of which sums are recorded.
func (c *content) newProof(sums []*metapb.Checksum) *proof {
	p := &proof{left: c.length, id: c.id, events: c.s.events}
	for _, sum := range sums {
		if !sum.Composite && checksum.Combines(sum.Algorithm) && len(sum.Value) == checksum.Size(sum.Algorithm) {
			p.want = append(p.want, sum)
			p.got = append(p.got, make([]byte, len(sum.Value))) // Of nothing.
		}
	}
	return p
}

// begin readies the proof for a piece. The rest of a piece whose reading began again
// goes on where it was.
func (p *proof) begin(piece *metapb.Piece) {
	n := piece.Ref.GetLength()
	if p.pending > 0 && p.pending == n {
		return
	}
	if p.pending > 0 { // It is cut in another way now: what was computed of it tells nothing.
		p.want, p.got = nil, nil
	}
	p.of, p.bytes, p.pending, p.sums, p.promised = shard.ExtentID{}, n, n, stripe.Sums{}, nil
	if x := piece.Extent; x != nil {
		p.of = shard.ExtentID{Volume: shard.VolumeID(piece.Ref.Volume), Seq: piece.Ref.Seq}
		if piece.Ref.Offset == 0 && n == x.PlainBytes {
			p.promised = x
		}
	}
	p.crc64, p.crc32s = p.promised != nil, false
	for _, sum := range p.want {
		if sum.Algorithm == checksum.CRC64NVME {
			p.crc64 = true
		} else if !p.promised.GetHasCrcs() {
			p.crc32s = true
		}
	}
}

// add takes in bytes of the piece that are about to be sent. An error says that they
// must not be: with them, the piece or the run would be complete and wrong.
func (p *proof) add(b []byte) error {
	if p.crc64 {
		p.sums.CRC64 = crc64nvme.Update(p.sums.CRC64, b)
	}
	if p.crc32s {
		p.sums.CRC32 = crc32.Update(p.sums.CRC32, crc32.IEEETable, b)
		p.sums.CRC32C = crc32.Update(p.sums.CRC32C, castagnoli, b)
	}
	n := uint64(len(b))
	if n == 0 || n > p.pending || n > p.left {
		return nil // The reader counts what it sends.
	}
	p.pending, p.left = p.pending-n, p.left-n
	if p.pending > 0 {
		return nil
	}
	if x := p.promised; x != nil && x.Crc64 != p.sums.CRC64 {
		return p.wrong(p.of)
	}
	run := summed{bytes: int64(p.bytes), Sums: p.sums}
	if x := p.promised; x.GetHasCrcs() {
		run.CRC32, run.CRC32C = x.Crc32, x.Crc32C
	}
	for i, sum := range p.want {
		p.got[i] = checksum.Combine(sum.Algorithm, p.got[i], run.value(sum.Algorithm), p.bytes)
		if p.left == 0 && !bytes.Equal(p.got[i], sum.Value) {
			return p.wrong(shard.ExtentID{})
		}
	}
	return nil
}

// wrong tells of plaintext that is wrong: an extent's, or the whole run's.
func (p *proof) wrong(id shard.ExtentID) error {
	call2(p.events.WrongSum, p.id, id)
	if id == (shard.ExtentID{}) {
		return errs.Newf("object.content", errs.Corrupt, "content %x: %w", p.id, errWrongSum)
	}
	return errs.Newf("object.content", errs.Corrupt, "content %x, extent %s: %w", p.id, id, errWrongSum)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// recorded returns the checksums that are recorded of a range: those of the version
// where it is whole, and those of a part.
func recorded(v *metapb.Version, a *metapb.ObjectAnswer) (sums []*metapb.Checksum) {
	if a.First == 0 && a.Length == v.Size {
		sums = append(sums, v.Checksums...)
	}
	if a.WholePart {
		sums = append(sums, a.PartChecksums...)
	}
	return sums
}

// sameSums compares an extent that was re-encoded with the record of the one that it
// was made of, as far as its packages were not sealed: what was read of those is as it
// was sealed, or cannot be opened.
func sameSums(x *metapb.Extent, to stripe.Written) error {
	if x.Overhead == 0 && to.Sums.CRC64 != x.Crc64 {
		return errs.Newf("object.reencode", errs.Corrupt, "an extent that was re-encoded: %w", errWrongSum)
	}
	return nil
}
