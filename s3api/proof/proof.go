// Package proof proves, while plaintext is read, that it is what was written: it compares the
// plaintext with the CRCs that are recorded of it (docs/architecture.md, "Reading").
package proof

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

// ErrWrong marks plaintext that is not what is recorded of it, although every block of it was
// right: it belongs elsewhere, or was changed in memory. A reader that has passed some of it on
// cannot undo that by reading again.
var ErrWrong = errors.New("the plaintext has not the checksum that is recorded of it")

// Proof compares the plaintext of a run with what is recorded of it, while it is sent. A piece that
// is a whole extent is compared with the CRC of the extent. The run as a whole is compared with its
// own CRCs, if any are recorded. A Proof costs one CRC-64 of each byte. It belongs to one
// goroutine.
type Proof struct {
	want []*metapb.Checksum           // The CRCs of the run that can be compared.
	got  [][]byte                     // The CRCs of the pieces that were sent whole, in the order of want.
	left uint64                       // How many bytes of the run are still to come.
	told func([]byte, shard.ExtentID) // Called with plaintext that is wrong; may be nil.
	id   []byte                       // Content id.

	// What follows is about the piece that is being sent.
	of       shard.ExtentID // Its extent; zero: it is inline.
	promised *metapb.Extent // Its extent, if the piece is all of it; else nil.
	bytes    uint64         // Its length.
	pending  uint64         // How many of its bytes are still to come.
	sums     stripe.Sums    // CRCs of those that came,
	crc64    bool           // if this is set,
	crc32s   bool           // and of the other two kinds if this is.
}

// New returns the proof of a run of length bytes of a content, of which sums are recorded. wrong,
// which may be nil, is called with the content's id and the extent that is wrong; the zero extent
// means the run as a whole.
func New(content []byte, length uint64, sums []*metapb.Checksum, wrong func([]byte, shard.ExtentID)) *Proof {
	p := &Proof{left: length, id: content, told: wrong}
	for _, sum := range sums {
		if !sum.Composite && checksum.Combines(sum.Algorithm) && len(sum.Value) == checksum.Size(sum.Algorithm) {
			p.want = append(p.want, sum)
			p.got = append(p.got, make([]byte, len(sum.Value))) // The CRC of no bytes is 0.
		}
	}
	return p
}

// Begin prepares the proof for the next piece. If reading a piece failed in the middle and the rest
// of it was looked up again, the proof goes on where it was.
func (p *Proof) Begin(piece *metapb.Piece) {
	n := piece.Ref.GetLength()
	if p.pending > 0 && p.pending == n {
		return
	}
	if p.pending > 0 { // The rest comes in other pieces now, so the CRCs of the run are lost.
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

// Add takes bytes that are about to be sent. If it returns an error, the caller must not send them:
// with them a piece or the run would be complete, and it is wrong. The error is ErrWrong, of kind
// Corrupt.
func (p *Proof) Add(b []byte) error {
	if p.crc64 {
		p.sums.CRC64 = crc64nvme.Update(p.sums.CRC64, b)
	}
	if p.crc32s {
		p.sums.CRC32 = crc32.Update(p.sums.CRC32, crc32.IEEETable, b)
		p.sums.CRC32C = crc32.Update(p.sums.CRC32C, castagnoli, b)
	}
	n := uint64(len(b))
	if n == 0 || n > p.pending || n > p.left {
		return nil // Whoever sends them counts bytes, and notices too many.
	}
	p.pending, p.left = p.pending-n, p.left-n
	if p.pending > 0 {
		return nil
	}
	if x := p.promised; x != nil && x.Crc64 != p.sums.CRC64 {
		return p.wrong(p.of)
	}
	run := Run{Bytes: int64(p.bytes), Sums: p.sums}
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

// wrong reports plaintext that is wrong and returns the error for it. id is the extent, or zero for
// the whole run.
func (p *Proof) wrong(id shard.ExtentID) error {
	if p.told != nil {
		p.told(p.id, id)
	}
	if id == (shard.ExtentID{}) {
		return errs.Newf("object.content", errs.Corrupt, "content %x: %w", p.id, ErrWrong)
	}
	return errs.Newf("object.content", errs.Corrupt, "content %x, extent %s: %w", p.id, id, ErrWrong)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Recorded returns the checksums that are recorded of the range that a answers: those of the
// version if the range is all of it, and those of a part if it is a whole part.
func Recorded(v *metapb.Version, a *metapb.ObjectAnswer) (sums []*metapb.Checksum) {
	if a.First == 0 && a.Length == v.Size {
		sums = append(sums, v.Checksums...)
	}
	if a.WholePart {
		sums = append(sums, a.PartChecksums...)
	}
	return sums
}

// SameExtent compares an extent that was re-encoded with the record of the extent that it was made
// from. Errors: ErrWrong, if they differ. Sealed packages are not compared, because they cannot be
// opened if they are not as they were sealed.
func SameExtent(x *metapb.Extent, to stripe.Written) error {
	if x.Overhead == 0 && to.Sums.CRC64 != x.Crc64 {
		return errs.Newf("object.reencode", errs.Corrupt, "an extent that was re-encoded: %w", ErrWrong)
	}
	return nil
}
