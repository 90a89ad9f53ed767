package state

import (
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/shard"
)

// volumeStats holds the sums of a volume, as of the commands so far.
type volumeStats struct {
	metapb.VolumeStats
	touched bool // The volume is in tx.touchedStats.
}

// stats returns the sums of a volume, which must exist.
func (m *memory) stats(volume uint32) *volumeStats { return m.volumeStats[volume-1] }

// count adds an extent to the sums of its volume, or takes it out again (sign -1).
func (t *tx) count(id shard.ExtentID, e *metapb.Extent, sign int64) {
	s := t.touchStats(id)
	s.Extents += uint64(sign)
	s.PlainBytes += uint64(sign * int64(e.PlainBytes))
	record.CountMissing(&s.VolumeStats, e.Missing, sign)
}

// recount corrects the sums of a volume when an extent misses the slots now instead of was.
func (t *tx) recount(id shard.ExtentID, was, now uint32) {
	s := t.touchStats(id)
	record.CountMissing(&s.VolumeStats, was, -1)
	record.CountMissing(&s.VolumeStats, now, 1)
}

// touchStats returns the sums of an extent's volume for a change, and notes that they are to be
// stored with the batch.
func (t *tx) touchStats(id shard.ExtentID) *volumeStats {
	s := t.mem.stats(uint32(id.Volume))
	if !s.touched {
		s.touched = true
		t.touchedStats = append(t.touchedStats, id.Volume)
	}
	return s
}

// storeStats writes the sums that have changed, once for all commands of the batch. A volume that
// holds nothing has no record of them.
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
		return record.Corrupt("sums of volume %d, which does not exist", k.Volume)
	}
	return record.Unmarshal(v, &m.stats(uint32(k.Volume)).VolumeStats)
}
