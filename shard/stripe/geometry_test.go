package stripe

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/shard"
)

func drawScheme(t *rapid.T) shard.Scheme {
	k := rapid.IntRange(1, shard.MaxDataShards).Draw(t, "k")
	m := rapid.IntRange(0, 4).Draw(t, "m")
	return shard.Scheme{K: uint8(k), M: uint8(m)}
}

// drawGeometry draws a fresh geometry, or one that was re-encoded from another
// scheme, so that its full blocks end anywhere in a stripe.
func drawGeometry(t *rapid.T) Geometry {
	s := drawScheme(t)
	overhead := rapid.SampledFrom([]int{0, 16}).Draw(t, "overhead")
	stripe := int64(s.K) * shard.UnitBlocks * int64(shard.BlockBytes-overhead)
	plain := rapid.OneOf(
		rapid.Int64Range(1, MaxPlainBytes(s, overhead)),
		rapid.Int64Range(1, min(3*stripe, MaxPlainBytes(s, overhead))),
		rapid.Map(rapid.Int64Range(-70, 70), func(d int64) int64 { return stripe + d }),
	).Draw(t, "plain")
	g := NewGeometry(s, plain, overhead)
	if rapid.Bool().Draw(t, "re-encoded") {
		g = g.With(drawScheme(t))
	}
	return g
}

// Plaintext and places map onto each other one to one.
func TestGeometryIsABijection(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawGeometry(t)
		require.True(t, g.Valid(), "%+v", g)
		var at int64
		seen := make(map[Place]bool)
		for b := range g.Blocks() {
			n, p := g.BlockPlain(b), g.Locate(b)
			back, ok := g.BlockAt(p)
			// One check a block: there are up to a thousand of them.
			if g.BlockOffset(b) != at || n < 1 || g.BlockOf(at) != b || g.BlockOf(at+int64(n)-1) != b ||
				!ok || back != b || seen[p] ||
				p.Stripe >= g.Stripes() || p.Unit >= int(g.Scheme.K) || p.Row >= g.Rows(p.Stripe) ||
				n+g.Overhead > g.Payload(p.Stripe) {
				t.Fatalf("block %d of %+v: offset %d, %d bytes, at %+v", b, g, g.BlockOffset(b), n, p)
			}
			seen[p] = true
			at += int64(n)
		}
		require.Equal(t, g.PlainBytes, at)
		places := 0
		for s := range g.Stripes() {
			places += g.Rows(s) * int(g.Scheme.K)
			for u := range int(g.Scheme.K) {
				for row := range g.Rows(s) {
					p := Place{s, u, row}
					if _, ok := g.BlockAt(p); seen[p] != ok {
						t.Fatalf("%+v of %+v", p, g)
					}
				}
			}
		}
		require.Less(t, places-g.Blocks(), int(g.Scheme.K)*shard.UnitBlocks)
	})
}

// The header lays frames out as the units' lengths say.
func TestGeometryHeader(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawGeometry(t)
		id := shard.ID{Extent: shard.ExtentID{Volume: 2, Seq: 3}, Slot: uint8(g.Scheme.N() - 1)}
		h := g.Header(id, 7)
		require.True(t, h.Valid(), "%+v", h)
		require.Equal(t, g.allRows().to, h.Blocks())
		var off int64
		for s := range g.Stripes() {
			for row := range g.Rows(s) {
				want := shard.Span{Off: off, Len: int64(g.Payload(s) + shard.CRCBytes)}
				if got := h.BlockSpan(s*shard.UnitBlocks + row); got != want {
					t.Fatalf("row %d of stripe %d: %+v, not %+v", row, s, got, want)
				}
				off += want.Len
			}
		}
		require.Equal(t, h.FramedBytes(), off)
	})
}

// A small extent costs little more than n/k of its size.
func TestGeometryOverheadIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScheme(t)
		plain := rapid.Int64Range(1, MaxPlainBytes(s, 0)).Draw(t, "plain")
		h := NewGeometry(s, plain, 0).Header(shard.ID{Extent: shard.ExtentID{Volume: 1, Seq: 1}}, 1)
		blocks := int64(h.Blocks())
		require.LessOrEqual(t, h.FramedBytes(), plain/int64(s.K)+1+blocks*shard.CRCBytes+shard.UnitBlocks*(tailAlignBytes+1))
	})
}

// rangeRows holds exactly the blocks of the range, slow but sure.
func TestRangeRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawGeometry(t)
		first := rapid.IntRange(0, g.Blocks()-1).Draw(t, "first")
		last := rapid.IntRange(first, g.Blocks()-1).Draw(t, "last")
		got := 0
		for u := range int(g.Scheme.K) {
			run := g.rangeRows(u, first, last)
			for at := run.from; at < run.to; at++ {
				b, ok := g.BlockAt(Place{at / shard.UnitBlocks, u, at % shard.UnitBlocks})
				if !ok || b < first || b > last {
					t.Fatalf("unit %d has block %d at %d", u, b, at)
				}
				got++
			}
		}
		require.Equal(t, last-first+1, got)
	})
}

func TestGeometryRules(t *testing.T) {
	for _, c := range []struct {
		k        uint8
		plain    int64
		overhead int
		full, g  int
		stripes  int
	}{
		{1, 1, 0, 0, 64, 1},
		{4, 1, 16, 0, 64, 1},
		{4, 4 * 64, 0, 0, 64, 1},
		{4, 4*64 + 1, 0, 0, 128, 1},
		{4, 4 * 65520, 16, 0, 65520, 1},
		{4, 4*65520 + 1, 16, 0, 32768, 1}, // Two rows: ceil(262081/8) = 32761.
		{4, 4 * 4 * 65536, 0, 16, 0, 1},
		{4, 4*4*65536 - 1, 0, 0, 65536, 1},
		{4, 4*4*65536 + 1, 0, 16, 64, 2},
	} {
		g := NewGeometry(shard.Scheme{K: c.k, M: 2}, c.plain, c.overhead)
		require.Equal(t, [3]int{c.full, c.g, c.stripes}, [3]int{g.FullBlocks, g.TailBlockBytes, g.Stripes()}, "%+v", c)
	}
	require.EqualValues(t, 64<<20, MaxPlainBytes(shard.Scheme{K: 4, M: 2}, 0))
	require.EqualValues(t, 64*4*4*65520, MaxPlainBytes(shard.Scheme{K: 4, M: 2}, 16))
	require.EqualValues(t, 25*40*65536, MaxPlainBytes(shard.Scheme{K: 10, M: 4}, 0))
}

func TestGeometryValidRefuses(t *testing.T) {
	good := NewGeometry(shard.Scheme{K: 4, M: 2}, 3_600_000, 16)
	require.True(t, good.Valid())
	for name, change := range map[string]func(*Geometry){
		"no plaintext":   func(g *Geometry) { g.PlainBytes = 0 },
		"too long":       func(g *Geometry) { g.PlainBytes = shard.ExtentMaxBytes + 1 },
		"scheme":         func(g *Geometry) { g.Scheme.K = 0 },
		"overhead":       func(g *Geometry) { g.Overhead = 1000 },
		"negative":       func(g *Geometry) { g.FullBlocks = -1 },
		"too many full":  func(g *Geometry) { g.FullBlocks = 60 },
		"no tail":        func(g *Geometry) { g.TailBlockBytes = 0 },
		"tail too long":  func(g *Geometry) { g.TailBlockBytes = shard.BlockBytes },
		"too many tails": func(g *Geometry) { g.TailBlockBytes = 1 },
	} {
		g := good
		change(&g)
		require.False(t, g.Valid(), name)
	}
}

// Whatever metadata says, Valid neither panics nor lets through what would.
func TestGeometryValidOnAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := Geometry{
			Scheme:         shard.Scheme{K: rapid.Uint8().Draw(t, "k"), M: rapid.Uint8().Draw(t, "m")},
			PlainBytes:     rapid.Int64().Draw(t, "plain"),
			Overhead:       rapid.Int().Draw(t, "overhead"),
			FullBlocks:     rapid.Int().Draw(t, "full"),
			TailBlockBytes: rapid.Int().Draw(t, "tail"),
		}
		_ = g.Valid()
		g.Scheme = drawScheme(t)
		g.PlainBytes = rapid.Int64Range(1, shard.ExtentMaxBytes).Draw(t, "plain")
		g.Overhead = rapid.IntRange(0, 16).Draw(t, "overhead")
		g.FullBlocks = rapid.IntRange(0, int(g.PlainBytes)/g.fullPlain()).Draw(t, "full")
		g.TailBlockBytes = rapid.IntRange(1, g.fullPlain()).Draw(t, "tail")
		if !g.Valid() {
			return
		}
		for _, off := range []int64{0, g.PlainBytes / 2, g.PlainBytes - 1} {
			b := g.BlockOf(off)
			if at := g.BlockOffset(b); off < at || off >= at+int64(g.BlockPlain(b)) {
				t.Fatalf("byte %d is not in block %d of %+v", off, b, g)
			}
			if back, ok := g.BlockAt(g.Locate(b)); !ok || back != b {
				t.Fatalf("block %d of %+v is not where it is", b, g)
			}
		}
	})
}
