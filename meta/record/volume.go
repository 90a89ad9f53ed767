package record

import (
	"math/bits"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

// SchemeOf returns how the extents of a volume are coded.
func SchemeOf(v *metapb.Volume) shard.Scheme {
	return shard.Scheme{K: uint8(v.K), M: uint8(v.M)}
}

// SlotMask returns the set of all slots of a volume.
func SlotMask(v *metapb.Volume) uint32 {
	return uint32(uint64(1)<<SchemeOf(v).N() - 1)
}

// IsGone reports whether what lies on a node or drive of that state is given up.
func IsGone(l metapb.Life) bool {
	return l == metapb.Life_LIFE_LOST || l == metapb.Life_LIFE_FAILED
}

// LifeOf returns the state of a drive of a node, the node's included.
func LifeOf(n *metapb.Node, d *metapb.Drive) metapb.Life {
	switch {
	case IsGone(n.State):
		return n.State
	case d.State != metapb.Life_LIFE_ACTIVE:
		return d.State
	}
	return n.State
}

// CountMissing counts an extent that misses shards in the sums of its volume, or out of
// them again (sign -1).
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

// countAt changes a counter of a list without zeros at its end.
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
