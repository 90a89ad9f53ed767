package drive

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/cairnstore/cairn/shard"
)

// The index's keys. Integers in keys are big endian, so that ids sort.
//
//	f                        format version
//	s volume seq slot        entry: where the shard lies
//	w segment                mark: secret, settled offset (D3)
const (
	keyFormat = 'f'
	keyEntry  = 's'
	keyMark   = 'w'

	entryKeyBytes = 1 + 4 + 8 + 1
	entryBytes    = 8 + 8 + 8 + 4*4 + 2
	markBytes     = secretBytes + 8
)

// location is where a shard lies, and what it is.
type location struct {
	seg       uint64
	off       int64
	header    shard.Header
	writtenMS int64
}

func (l location) bytes() int64 { return recordBytes(l.header) }

// newerThan reports whether l is the shard rather than o, by D4.
func (l location) newerThan(o location) bool {
	return l.seg > o.seg || l.seg == o.seg && l.off > o.off
}

// mark is how far a segment is settled, as the index knows it.
type mark struct {
	secret  secret
	settled int64
}

var errBadEntry = errors.New("the index holds an entry of another form")

func entryKey(id shard.ID) (k [entryKeyBytes]byte) {
	k[0] = keyEntry
	binary.BigEndian.PutUint32(k[1:], uint32(id.Extent.Volume))
	binary.BigEndian.PutUint64(k[5:], id.Extent.Seq)
	k[13] = id.Slot
	return k
}

func decodeEntryKey(k []byte) (shard.ID, error) {
	if len(k) != entryKeyBytes || k[0] != keyEntry {
		return shard.ID{}, errBadEntry
	}
	return shard.ID{Extent: shard.ExtentID{
		Volume: shard.VolumeID(binary.BigEndian.Uint32(k[1:])), Seq: binary.BigEndian.Uint64(k[5:]),
	}, Slot: k[13]}, nil
}

func encodeEntry(l location) (v [entryBytes]byte) {
	le := binary.LittleEndian
	le.PutUint64(v[0:], l.seg)
	le.PutUint64(v[8:], uint64(l.off))
	le.PutUint64(v[16:], uint64(l.writtenMS))
	le.PutUint32(v[24:], l.header.Epoch)
	le.PutUint32(v[28:], l.header.FullBlocks)
	le.PutUint32(v[32:], l.header.TailBlocks)
	le.PutUint32(v[36:], l.header.TailBytes)
	v[40], v[41] = l.header.Scheme.K, l.header.Scheme.M
	return v
}

func decodeEntry(id shard.ID, v []byte) (location, error) {
	le := binary.LittleEndian
	if len(v) != entryBytes {
		return location{}, errBadEntry
	}
	l := location{
		seg: le.Uint64(v[0:]), off: int64(le.Uint64(v[8:])), writtenMS: int64(le.Uint64(v[16:])),
		header: shard.Header{
			ID: id, Epoch: le.Uint32(v[24:]), Scheme: shard.Scheme{K: v[40], M: v[41]},
			FullBlocks: le.Uint32(v[28:]), TailBlocks: le.Uint32(v[32:]), TailBytes: le.Uint32(v[36:]),
		},
	}
	if !l.header.Valid() || l.off < dataOffset || l.off%alignBytes != 0 || l.off > math.MaxInt64/2 {
		return location{}, errBadEntry
	}
	return l, nil
}

func markKey(seg uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{keyMark}, seg)
}
