package stripe

import (
	"github.com/cairnstore/cairn/shard"
)

const (
	// tailAlignBytes is what the payload of a short last stripe is rounded up to.
	tailAlignBytes = 64

	// maxOverheadBytes bounds Overhead of geometries read from metadata.
	maxOverheadBytes = 256
)

// Geometry says which plaintext lies where in an extent. It is a pure value. docs/architecture.md,
// "Geometry", has the rules.
//
// The plaintext is cut into blocks: FullBlocks of BlockBytes-Overhead bytes, then blocks of
// TailBlockBytes, the last of which may hold less. What a block holds does not depend on the
// scheme, so an extent may be coded anew under another one. Blocks fill units of shard.UnitBlocks
// rows, and units fill stripes. The blocks left over fill a last stripe of fewer rows. The payload
// of a stripe's blocks is BlockBytes if one of them is a full block, else TailBlockBytes+Overhead.
type Geometry struct {
	Scheme         shard.Scheme
	PlainBytes     int64
	Overhead       int // Bytes that sealing adds to a block; 0: not sealed.
	FullBlocks     int // F: blocks of BlockBytes-Overhead plaintext.
	TailBlockBytes int // g: plaintext of the blocks after them; 0 where there are none.
}

// Place is where a block lies: row of unit of stripe. Unit u of every stripe is in slot u.
type Place struct {
	Stripe, Unit, Row int
}

// NewGeometry returns the geometry of a fresh extent of plain bytes (at least 1).
func NewGeometry(s shard.Scheme, plain int64, overhead int) Geometry {
	g := Geometry{Scheme: s, PlainBytes: plain, Overhead: overhead}
	k, c := int64(s.K), int64(shard.BlockBytes-overhead)
	stripe := k * shard.UnitBlocks * c
	g.FullBlocks = int(plain / stripe * k * shard.UnitBlocks)
	if rest := plain % stripe; rest > 0 {
		rows := ceilDiv(ceilDiv(rest, k), c)
		each := ceilDiv(rest, k*rows)
		g.TailBlockBytes = int(min(c, ceilDiv(each, tailAlignBytes)*tailAlignBytes))
	}
	return g
}

// MaxPlainBytes returns the largest plaintext of one extent: a whole number of stripes within
// shard.ExtentMaxBytes.
func MaxPlainBytes(s shard.Scheme, overhead int) int64 {
	stripes := int64(shard.ExtentMaxBytes) / (int64(s.K) * shard.UnitBytes)
	return stripes * int64(s.K) * shard.UnitBlocks * int64(shard.BlockBytes-overhead)
}

// Valid reports whether the geometry is one that an extent can have. Values read from metadata are
// checked with it before any other method is called.
func (g Geometry) Valid() bool {
	switch {
	case !g.Scheme.Valid() || g.Overhead < 0 || g.Overhead > maxOverheadBytes:
		return false
	case g.PlainBytes < 1 || g.PlainBytes > shard.ExtentMaxBytes:
		return false
	case g.FullBlocks < 0 || g.TailBlockBytes < 0 || g.TailBlockBytes > g.fullPlain():
		return false
	case int64(g.FullBlocks) > g.PlainBytes, int64(g.FullBlocks)*int64(g.fullPlain()) > g.PlainBytes:
		return false
	case (g.tailPlain() == 0) != (g.TailBlockBytes == 0):
		return false
	}
	return g.Header(shard.ID{Extent: shard.ExtentID{Volume: 1, Seq: 1}}, 0).Valid()
}

// With returns the geometry of the same blocks under another scheme.
func (g Geometry) With(s shard.Scheme) Geometry {
	g.Scheme = s
	return g
}

// Header returns the header of one of the extent's shards.
func (g Geometry) Header(id shard.ID, epoch uint32) shard.Header {
	h := shard.Header{ID: id, Epoch: epoch, Scheme: g.Scheme}
	full := g.stripesWithFull()
	rows := (g.Stripes()-1)*shard.UnitBlocks + g.Rows(g.Stripes()-1)
	h.FullBlocks = uint32(min(rows, full*shard.UnitBlocks))
	if full < g.Stripes() {
		h.TailBlocks = uint32(rows) - h.FullBlocks
		h.TailBytes = uint32(g.TailBlockBytes + g.Overhead)
	}
	return h
}

// fullPlain returns c, the plaintext of a full block.
func (g Geometry) fullPlain() int { return shard.BlockBytes - g.Overhead }

// tailPlain returns the plaintext in the blocks after the full ones.
func (g Geometry) tailPlain() int64 {
	return g.PlainBytes - int64(g.FullBlocks)*int64(g.fullPlain())
}

// stripeBlocks returns how many blocks a full stripe holds.
func (g Geometry) stripeBlocks() int { return int(g.Scheme.K) * shard.UnitBlocks }

// stripesWithFull returns how many stripes hold a full block; they come first.
func (g Geometry) stripesWithFull() int {
	return (g.FullBlocks + g.stripeBlocks() - 1) / g.stripeBlocks()
}

// Blocks returns the number of blocks that hold plaintext.
func (g Geometry) Blocks() int {
	if g.TailBlockBytes == 0 {
		return g.FullBlocks
	}
	return g.FullBlocks + int(ceilDiv(g.tailPlain(), int64(g.TailBlockBytes)))
}

// Stripes returns the number of stripes.
func (g Geometry) Stripes() int {
	return (g.Blocks() + g.stripeBlocks() - 1) / g.stripeBlocks()
}

// Rows returns how many blocks each unit of a stripe has.
func (g Geometry) Rows(stripe int) int {
	left := g.Blocks() - stripe*g.stripeBlocks()
	if left >= g.stripeBlocks() {
		return shard.UnitBlocks
	}
	k := int(g.Scheme.K)
	return (left + k - 1) / k
}

// Payload returns the length of the blocks of a stripe, without checksum.
func (g Geometry) Payload(stripe int) int {
	if stripe < g.stripesWithFull() {
		return shard.BlockBytes
	}
	return g.TailBlockBytes + g.Overhead
}

// UnitBytes returns the length of one unit of a stripe as frames.
func (g Geometry) UnitBytes(stripe int) int {
	return g.Rows(stripe) * (g.Payload(stripe) + shard.CRCBytes)
}

// StripeOf returns the stripe that a block lies in.
func (g Geometry) StripeOf(block int) int { return block / g.stripeBlocks() }

// Locate returns where a block lies.
func (g Geometry) Locate(block int) Place {
	s := g.StripeOf(block)
	in, rows := block-s*g.stripeBlocks(), g.Rows(s)
	return Place{Stripe: s, Unit: in / rows, Row: in % rows}
}

// BlockAt returns the block that lies at a place of a data unit. It returns false if only padding
// lies there.
func (g Geometry) BlockAt(p Place) (block int, ok bool) {
	block = p.Stripe*g.stripeBlocks() + p.Unit*g.Rows(p.Stripe) + p.Row
	return block, block < g.Blocks()
}

// BlockOffset returns where a block's plaintext begins.
func (g Geometry) BlockOffset(block int) int64 {
	if block <= g.FullBlocks {
		return int64(block) * int64(g.fullPlain())
	}
	return int64(g.FullBlocks)*int64(g.fullPlain()) + int64(block-g.FullBlocks)*int64(g.TailBlockBytes)
}

// BlockPlain returns how much plaintext a block holds.
func (g Geometry) BlockPlain(block int) int {
	size := g.fullPlain()
	if block >= g.FullBlocks {
		size = g.TailBlockBytes
	}
	return int(min(int64(size), g.PlainBytes-g.BlockOffset(block)))
}

// BlockOf returns the block that holds the plaintext byte at off.
func (g Geometry) BlockOf(off int64) int {
	c := int64(g.fullPlain())
	if off < int64(g.FullBlocks)*c {
		return int(off / c)
	}
	return g.FullBlocks + int((off-int64(g.FullBlocks)*c)/int64(g.TailBlockBytes))
}

// Rows of a shard are counted through all its units: row r of stripe s is the shard's block
// s*UnitBlocks+r.

// shardRows is a run [From, To) of a shard's blocks.
type shardRows struct{ from, to int }

func (r shardRows) empty() bool { return r.from >= r.to }

// in returns the part of the run that lies in a stripe, as rows of the stripe.
func (r shardRows) in(stripe, rows int) (lo, hi int) {
	base := stripe * shard.UnitBlocks
	return min(max(r.from-base, 0), rows), max(min(r.to-base, rows), 0)
}

// allRows returns the run of all blocks of a shard.
func (g Geometry) allRows() shardRows {
	last := g.Stripes() - 1
	return shardRows{0, last*shard.UnitBlocks + g.Rows(last)}
}

// rangeRows returns which blocks of the data shard of a unit hold some of the blocks first to last.
// They are always one run: in the first stripe the unit is wanted from some row on, in the last
// stripe up to some row, and in those between as a whole.
func (g Geometry) rangeRows(unit, first, last int) shardRows {
	a, b := g.Locate(first), g.Locate(last)
	var r shardRows
	switch {
	case unit == a.Unit:
		r.from = a.Stripe*shard.UnitBlocks + a.Row
	case unit > a.Unit:
		r.from = a.Stripe * shard.UnitBlocks
	default:
		r.from = (a.Stripe + 1) * shard.UnitBlocks
	}
	switch {
	case unit == b.Unit:
		r.to = b.Stripe*shard.UnitBlocks + b.Row + 1
	case unit < b.Unit:
		r.to = b.Stripe*shard.UnitBlocks + g.Rows(b.Stripe)
	default:
		r.to = b.Stripe * shard.UnitBlocks
	}
	return r
}

// span returns where a run of blocks lies in the frames of a shard.
func (r shardRows) span(h shard.Header) shard.Span {
	first, last := h.BlockSpan(r.from), h.BlockSpan(r.to-1)
	return shard.Span{Off: first.Off, Len: last.Off + last.Len - first.Off}
}

func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }
