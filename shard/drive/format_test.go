package drive

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/shardtest"
)

func anyHeader(t *rapid.T) shard.Header {
	k := rapid.IntRange(1, shard.MaxDataShards).Draw(t, "k")
	m := rapid.IntRange(0, 6).Draw(t, "m")
	h := shard.Header{
		ID: shard.ID{
			Extent: shard.ExtentID{
				Volume: shard.VolumeID(rapid.Uint32Min(1).Draw(t, "volume")), Seq: rapid.Uint64Min(1).Draw(t, "seq"),
			},
			Slot: uint8(rapid.IntRange(0, k+m-1).Draw(t, "slot")),
		},
		Epoch:      rapid.Uint32().Draw(t, "epoch"),
		Scheme:     shard.Scheme{K: uint8(k), M: uint8(m)},
		FullBlocks: uint32(rapid.IntRange(1, 300).Draw(t, "full")),
	}
	if rapid.Bool().Draw(t, "tail") {
		h.TailBlocks = uint32(rapid.IntRange(1, 8).Draw(t, "tail blocks"))
		h.TailBytes = uint32(rapid.IntRange(1, shard.BlockBytes).Draw(t, "tail bytes"))
	}
	return h
}

func TestRecordRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := secret{1, 2, 3}
		r := record{
			off:       int64(rapid.IntRange(2, 1<<20).Draw(t, "off")) * alignBytes,
			header:    anyHeader(t),
			writtenMS: rapid.Int64().Draw(t, "written"),
			settled:   rapid.Int64().Draw(t, "settled"),
			dead:      rapid.Bool().Draw(t, "dead"),
		}
		var b [recordHeaderBytes]byte
		r.encode(&b, s)
		got, err := decodeRecord(b[:], s, r.off)
		if err != nil || got != r {
			t.Fatalf("got %+v, %v; want %+v", got, err, r)
		}
		var f [footerBytes]byte
		r.encodeFooter(&f, s)
		if !r.hasFooter(f[:], s) || r.hasFooter(f[:], secret{}) {
			t.Fatal("footer")
		}
		// A flipped bit anywhere under the checksum is found, and one in the
		// state word does not kill.
		bit := rapid.IntRange(0, recordCRCOffset*8+31).Draw(t, "bit")
		b[bit/8] ^= 1 << (bit % 8)
		if _, err := decodeRecord(b[:], s, r.off); err == nil {
			t.Fatalf("bit %d went unnoticed", bit)
		}
		l := location{seg: 9, off: r.off, header: r.header, writtenMS: r.writtenMS}
		v := encodeEntry(l)
		k := entryKey(r.header.ID)
		id, err := decodeEntryKey(k[:])
		if err != nil || id != r.header.ID {
			t.Fatal("key")
		}
		if back, err := decodeEntry(id, v[:]); err != nil || back != l {
			t.Fatalf("got %+v, %v; want %+v", back, err, l)
		}
	})
}

// TestGoldenRecord pins the format: it must not change unnoticed.
func TestGoldenRecord(t *testing.T) {
	r := record{off: dataOffset, header: shardtest.Header(7, 42, 3, 4, 2, 640), writtenMS: 1700000000000, settled: dataOffset}
	var b [recordHeaderBytes]byte
	r.encode(&b, secret{0xaa, 0xbb})
	require.EqualValues(t, recordMagic, 0x43455243)
	require.Equal(t, uint32(0x2ce14d85), checksum(b[:]), "the record format changed: raise formatVersion")
	require.EqualValues(t, 266240, r.bytes())
}

func FuzzDecodeRecord(f *testing.F) {
	r := record{off: dataOffset, header: shardtest.Header(7, 42, 3, 4, 2, 640)}
	var b [recordHeaderBytes]byte
	r.encode(&b, secret{})
	f.Add(b[:])
	f.Add(b[:10])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRecord(b, secret{}, dataOffset)
		if err == nil && (!r.header.Valid() || r.off != dataOffset || r.bytes() <= 0 || r.bytes()%alignBytes != 0) {
			t.Fatalf("%+v", r)
		}
		_, _ = secretFromRecord(b)
		_, _ = decodeSeal(b, secret{})
		_, _ = decodeSegmentHeader(b, 1, 1)
		_, _ = decodeEntry(shard.ID{Extent: shard.ExtentID{Volume: 1, Seq: 1}}, b)
	})
}

// FuzzScan lets anything be in a segment but its secret.
func FuzzScan(f *testing.F) {
	f.Add([]byte("CREC"), uint16(0))
	r := record{off: dataOffset, header: shardtest.Header(7, 42, 3, 0, 2, 640)}
	var b [recordHeaderBytes]byte
	r.encode(&b, secret{1})
	f.Add(b[:], uint16(5000))
	f.Fuzz(func(t *testing.T, junk []byte, size uint16) {
		s := &segment{number: 1, secret: secret{1}, file: memFile(junk, int(size)), end: alignUp(dataOffset + int64(size))}
		records, err := scan(s, dataOffset)
		require.NoError(t, err)
		end := int64(dataOffset)
		for _, r := range records {
			require.GreaterOrEqual(t, r.off, end)
			end = r.end()
		}
	})
}
