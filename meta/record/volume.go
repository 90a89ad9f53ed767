package record

import (
	"math/bits"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

// SchemeOf returns the scheme of a volume: how its extents are coded.
func SchemeOf(v *metapb.Volume) shard.Scheme {
	return shard.Scheme{K: uint8(v.K), M: uint8(v.M)}
}

// SlotMask returns the set of all slots of a volume, one bit a slot.
func SlotMask(v *metapb.Volume) uint32 {
	return uint32(uint64(1)<<SchemeOf(v).N() - 1)
}

// IsGone reports whether a node or drive of that state is given up, with all that lies there.
func IsGone(l metapb.Life) bool {
	return l == metapb.Life_LIFE_LOST || l == metapb.Life_LIFE_FAILED
}

// LifeOf returns the state of d, a drive of node n, with the node's taken into account: a
// drive of a lost node is lost, and an active drive is what its node is.
func LifeOf(n *metapb.Node, d *metapb.Drive) metapb.Life {
	switch {
	case IsGone(n.State):
		return n.State
	case d.State != metapb.Life_LIFE_ACTIVE:
		return d.State
	}
	return n.State
}

// CountMissing adds an extent to the counters of s that say how many extents miss how many
// shards, and how many miss that of each slot, or takes it out again (sign -1). missing is
// the set of slots whose shards the extent misses.
func CountMissing(s *metapb.VolumeStats, missing uint32, sign int64) {
	n := bits.OnesCount32(missing)
	if n == 0 {
		return
	}
	s.Missing = countAt(s.Missing, n-1, sign)
	for slot := range bits.Len32(missing) {
		if missing&(1<<slot) != 0 {
			s.MissingSlots = countAt(s.MissingSlots, slot, sign)
		}
	}
}

// countAt adds sign to the i-th counter of a list and returns the list, without zeros at its
// end: so the same sums are always the same bytes.
func countAt(list []uint64, i int, sign int64) []uint64 {
	for len(list) <= i {
		list = append(list, 0)
	}
	list[i] += uint64(sign)
	for len(list) > 0 && list[len(list)-1] == 0 {
		list = list[:len(list)-1]
	}
	return list
}
