package state

import (
	"math/bits"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

// volumeStats is what a volume holds. It is stored once a batch.
type volumeStats struct {
	metapb.VolumeStats
	touched bool
}

// stats returns what a volume holds; it exists.
func (m *memory) stats(volume uint32) *volumeStats { return m.volumeStats[volume-1] }

// count adds an extent to its volume's sums, or takes it out (sign -1).
func (t *tx) count(id shard.ExtentID, e *metapb.Extent, sign int64) {
	s := t.touchStats(id)
	s.Extents += uint64(sign)
	s.PlainBytes += uint64(sign * int64(e.PlainBytes))
	countMissing(&s.VolumeStats, e.Missing, sign)
}

// recount moves an extent from one number of missing shards to another.
func (t *tx) recount(id shard.ExtentID, was, now uint32) {
	s := t.touchStats(id)
	countMissing(&s.VolumeStats, was, -1)
	countMissing(&s.VolumeStats, now, 1)
}

func countMissing(s *metapb.VolumeStats, missing uint32, sign int64) {
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

func (t *tx) touchStats(id shard.ExtentID) *volumeStats {
	s := t.mem.stats(uint32(id.Volume))
	if !s.touched {
		s.touched = true
		t.touchedStats = append(t.touchedStats, id.Volume)
	}
	return s
}

// storeStats puts the sums that changed into the batch, once for all its commands.
func (t *tx) storeStats() {
	for _, v := range t.touchedStats {
		s := t.mem.stats(uint32(v))
		s.touched = false
		if proto.Size(&s.VolumeStats) == 0 {
			t.del(keys.AppendVolumeStats(t.key(), v))
			continue
		}
		t.set(keys.AppendVolumeStats(t.key(), v), &s.VolumeStats)
	}
}

func (m *memory) loadStats(k keys.Key, v []byte) error {
	if m.volume(k.Volume) == nil {
		return corrupt("sums of volume %d, which does not exist", k.Volume)
	}
	return unmarshal(v, &m.stats(uint32(k.Volume)).VolumeStats)
}

// listStats answers what every volume holds.
func (v *view) listStats() (*metapb.VolumeStatsAnswer, error) {
	a := &metapb.VolumeStatsAnswer{AppliedIndex: v.applied.Index}
	err := scanKind(v.snap, keys.KindVolumeStats, func(k keys.Key, value []byte) error {
		s := &metapb.VolumeStat{Volume: uint32(k.Volume), Stats: new(metapb.VolumeStats)}
		a.Volumes = append(a.Volumes, s)
		return unmarshal(value, s.Stats)
	})
	return a, err
}
