package shard

import "math/bits"

// Digest tells sets of shards of one volume apart. It is the number of shards, and a sum over them
// that does not depend on their order. Two different sets have the same digest with a chance of one
// in 2^64. So it may only decide where such a mistake does no lasting harm.
type Digest struct{ Count, Sum uint64 }

// Add adds shards of an extent that are not in the set: seq is the extent's number in the volume,
// and slots are theirs.
func (d *Digest) Add(seq uint64, slots SlotSet) {
	d.Count += uint64(slots.Len())
	d.Sum += scattered(seq, slots)
}

// Remove takes out shards of an extent that are in the set.
func (d *Digest) Remove(seq uint64, slots SlotSet) {
	d.Count -= uint64(slots.Len())
	d.Sum -= scattered(seq, slots)
}

// scattered is a sum over shards of the finalizer of SplitMix64 (Steele, Lea and Flood, "Fast
// splittable pseudorandom number generators", 2014) of their numbers.
func scattered(seq uint64, slots SlotSet) (sum uint64) {
	for rest := uint32(slots); rest != 0; rest &= rest - 1 {
		x := seq*MaxShards + uint64(bits.TrailingZeros32(rest)) + 0x9e3779b97f4a7c15
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		sum += x ^ x>>31
	}
	return sum
}
