package shard

import (
	"hash/crc32"
	"testing"
)

func TestQuorum(t *testing.T) {
	for _, c := range []struct {
		s    Scheme
		want int
	}{{Scheme{1, 0}, 1}, {Scheme{1, 1}, 2}, {Scheme{2, 1}, 3}, {Scheme{2, 2}, 3}, {Scheme{4, 2}, 5}, {Scheme{8, 4}, 10}, {Scheme{10, 4}, 12}} {
		if got := c.s.Quorum(); got != c.want {
			t.Errorf("%v: quorum %d, want %d", c.s, got, c.want)
		}
	}
}

func TestFrameIdentity(t *testing.T) {
	id := ID{Extent: ExtentID{Volume: 7, Seq: 9}, Slot: 3}
	frame := make([]byte, 100+CRCBytes)
	for i := range frame {
		frame[i] = byte(i)
	}
	SealFrame(id, 5, frame)
	if !CheckFrame(id, 5, frame) {
		t.Fatal("a fresh frame is refused")
	}
	for name, other := range map[string]ID{
		"slot":   {Extent: id.Extent, Slot: 4},
		"seq":    {Extent: ExtentID{7, 10}, Slot: 3},
		"volume": {Extent: ExtentID{8, 9}, Slot: 3},
	} {
		if CheckFrame(other, 5, frame) {
			t.Errorf("accepted under another %s", name)
		}
	}
	if CheckFrame(id, 6, frame) {
		t.Error("accepted as another block")
	}
	for i := range frame {
		frame[i] ^= 1
		if CheckFrame(id, 5, frame) {
			t.Fatalf("a flipped bit in byte %d is not seen", i)
		}
		frame[i] ^= 1
	}
}

func TestHeaderSpans(t *testing.T) {
	h := Header{ID: ID{Extent: ExtentID{1, 1}}, Scheme: Scheme{4, 2}, FullBlocks: 8, TailBlocks: 2, TailBytes: 1000}
	if !h.Valid() {
		t.Fatal("valid header refused")
	}
	var off int64
	for i := range h.Blocks() {
		s := h.BlockSpan(i)
		if s.Off != off {
			t.Fatalf("block %d at %d, want %d", i, s.Off, off)
		}
		off += s.Len
	}
	if off != h.FramedBytes() {
		t.Fatalf("frames end at %d, FramedBytes %d", off, h.FramedBytes())
	}
}

// The checksum is part of the format, and made for each block: no garbage.
func TestBlockCRC(t *testing.T) {
	id := ID{Extent: ExtentID{Volume: 0x01020304, Seq: 0x1112131415161718}, Slot: 0x21}
	payload := []byte("payload")
	head := []byte{4, 3, 2, 1, 0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11, 0x21, 0, 0, 0, 0x34, 0x33, 0x32, 0x31}
	want := crc32.Checksum(append(head, payload...), crc32.MakeTable(crc32.Castagnoli))
	if got := BlockCRC(id, 0x31323334, payload); got != want {
		t.Fatalf("%#x, want %#x", got, want)
	}
	if n := testing.AllocsPerRun(100, func() { BlockCRC(id, 1, payload) }); n != 0 {
		t.Fatalf("%v allocations a block", n)
	}
}
