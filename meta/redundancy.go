package meta

import (
	"math/bits"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

// WorstMissing returns how many shards the worst extent of a volume lacks, at most:
// those of the slots that are gone, whichever extent, and those that are recorded as
// missing of the others. It is 0 where the volume holds nothing.
func WorstMissing(gone shard.SlotSet, s *metapb.VolumeStats) int {
	if s.GetExtents() == 0 {
		return 0
	}
	missing := 0 // Slots that are not gone and miss a shard of some extent.
	for slot, extents := range s.MissingSlots {
		if extents > 0 && !gone.Has(slot) {
			missing++
		}
	}
	return bits.OnesCount32(uint32(gone)) + min(missing, len(s.Missing))
}

// MayBeTaken reports whether a slot may be taken from its drive without a copy of what
// lies there: every extent of the volume can be made anew though the slot's shards, and
// those of the slots that are gone, are not there. Apply and whoever plans moves go by
// it alike.
func MayBeTaken(scheme shard.Scheme, gone shard.SlotSet, slot int, s *metapb.VolumeStats) bool {
	return WorstMissing(gone.With(slot), s) <= int(scheme.M)
}
