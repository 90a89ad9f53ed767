package query

import (
	"math/bits"
	"slices"

	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/shard"
)

// status answers sums over the state, and what they say of how safe the data are.
func (v *View) status(q *metapb.GetStatus) (*metapb.StatusAnswer, error) {
	a := &metapb.StatusAnswer{
		ClusterId: v.Cluster.Id, AppliedIndex: record.Position(v.Applied), Buckets: v.Applied.Buckets,
		ExtentsMissing: v.Applied.ExtentsMissing, ExtentsGc: v.Applied.ExtentsGc,
		ExtentsDoomed: v.Applied.ExtentsDoomed, ContentsDropped: v.Applied.ContentsDropped,
		Volumes: v.Cluster.LastVolume, Entries: v.Applied.Entries,
		OrphansHeld: v.Cluster.OrphansHeld, ClockMs: v.Applied.ClockMs,
	}
	topology, err := v.topology(&metapb.GetView{})
	if err != nil {
		return nil, err
	}
	stats, err := v.listStats()
	if err != nil {
		return nil, err
	}
	h := &healthCounter{v: v, a: a, drives: map[uint64]driveAt{}}
	for _, n := range topology.Nodes {
		for _, d := range n.Drives {
			h.drives[d.Id] = driveAt{node: n.Id, life: record.LifeOf(n, d), down: slices.Contains(q.Down, n.Id)}
			if v.Cluster.OrphansHeld && d.ReconciledEra < v.Cluster.Era {
				a.DrivesUnreconciled++
			}
		}
	}
	for _, vol := range topology.Volumes {
		s := new(metapb.VolumeStats)
		for len(stats.Volumes) > 0 && stats.Volumes[0].Volume <= vol.Id {
			if stats.Volumes[0].Volume == vol.Id {
				s = stats.Volumes[0].Stats
			}
			stats.Volumes = stats.Volumes[1:]
		}
		if err := h.count(vol, s); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// driveAt says of a drive where it is and what state it is in, its node's included.
type driveAt struct {
	node uint64
	life metapb.Life
	down bool // The asker says that its node does not answer.
}

// healthCounter adds volumes to the sums of a status.
type healthCounter struct {
	v      *View
	a      *metapb.StatusAnswer
	drives map[uint64]driveAt
	looked int // How many extents were looked at one by one.
}

const (
	unreadableNamed  = 1000    // How many volumes with unreadable extents a status names.
	unreadableLooked = 200_000 // How many extents it looks at one by one, of all volumes together.
)

// gone returns the slots of a volume that lie on drives that are gone (gone), and these
// together with the slots whose node does not answer (absent).
func (h *healthCounter) gone(v *metapb.Volume) (gone, absent shard.SlotSet) {
	for i, id := range v.Slots {
		d, known := h.drives[id]
		if !known || record.IsGone(d.life) {
			gone = gone.With(i)
		}
		if !known || record.IsGone(d.life) || d.down {
			absent = absent.With(i)
		}
	}
	return gone, absent
}

// count adds a volume to the sums. A slot on a drive that is gone counts as missing in all
// extents, since upkeep may not have recorded it yet.
func (h *healthCounter) count(v *metapb.Volume, s *metapb.VolumeStats) error {
	a := h.a
	lost, absent := h.gone(v)
	for _, d := range v.Slots {
		if h.drives[d].life == metapb.Life_LIFE_DRAINING {
			a.SlotsDraining++
		}
	}
	a.SlotsLost += uint32(bits.OnesCount32(uint32(lost)))
	if v.Move != nil {
		a.VolumesMoving++
	}
	if s.Extents == 0 {
		return nil
	}
	a.Extents += s.Extents
	a.PlainBytes += s.PlainBytes
	worst := meta.WorstMissing(lost, s) // How many shards the worst extent misses, at most.
	if worst > 0 {
		a.VolumesRebuilding++
	}
	switch m := int(v.M); {
	case worst == 0:
		a.VolumesWhole++
	case worst < m:
		a.VolumesDegraded++
	case worst == m:
		a.VolumesEndangered++
	default:
		a.VolumesLost++
	}
	if meta.WorstMissing(absent, s) <= int(v.M) {
		return nil
	}
	return h.unreadable(v, s, absent)
}

// unreadable counts the extents of a volume of which fewer shards can be had than a read needs.
// If the absent slots alone are more than the parity, these are all of them; else those that
// are listed as missing shards are looked at one by one.
func (h *healthCounter) unreadable(v *metapb.Volume, s *metapb.VolumeStats, absent shard.SlotSet) error {
	extents, bytes := s.Extents, s.PlainBytes
	if bits.OnesCount32(uint32(absent)) <= int(v.M) {
		var err error
		if extents, bytes, err = h.beyond(v, absent); err != nil || extents == 0 {
			return err
		}
	}
	h.a.ExtentsUnreadable += extents
	h.a.BytesUnreadable += bytes
	h.a.VolumesUnreadable++
	if len(h.a.Unreadable) < unreadableNamed {
		h.a.Unreadable = append(h.a.Unreadable,
			&metapb.UnreadableVolume{Volume: v.Id, Extents: extents, PlainBytes: bytes, Slots: h.lacking(v, s, absent)})
	}
	return nil
}

// beyond counts the extents that miss shards by record and, together with the absent slots,
// miss more than the parity. A status must not take long, so once unreadableLooked extents
// were looked at, no more are, and the count is too small.
func (h *healthCounter) beyond(v *metapb.Volume, absent shard.SlotSet) (extents, bytes uint64, err error) {
	lower := keys.AppendMissing(nil, shard.ExtentID{Volume: shard.VolumeID(v.Id)})
	upper := keys.AppendMissing(nil, shard.ExtentID{Volume: shard.VolumeID(v.Id) + 1})
	err = record.Scan(h.v.Records, lower, upper, func(key, _ []byte) error {
		if h.looked++; h.looked > unreadableLooked {
			return record.ErrStop
		}
		k, err := record.DecodeKey(key)
		if err != nil {
			return err
		}
		rec := new(metapb.Extent)
		if ok, err := h.v.get(keys.AppendExtent(h.v.key(), k.Extent), rec); !ok || err != nil {
			return orCorrupt(err, "an extent is listed as missing shards and does not exist")
		}
		if bits.OnesCount32(rec.Missing|uint32(absent)) > int(v.M) {
			extents, bytes = extents+1, bytes+rec.PlainBytes
		}
		return nil
	})
	return extents, bytes, err
}

// lacking names the slots whose shards cannot be had, with the drives that may hold them: the
// drive of an absent slot, and drives that a slot with missing shards was on before.
func (h *healthCounter) lacking(v *metapb.Volume, s *metapb.VolumeStats, absent shard.SlotSet) (
	out []*metapb.LackingSlot,
) {
	add := func(slot int, drive uint64, missing uint64) {
		d := h.drives[drive]
		out = append(out, &metapb.LackingSlot{Slot: uint32(slot), Drive: drive, Node: d.node, Life: d.life,
			Down: d.down, Missing: missing})
	}
	for slot, drive := range v.Slots {
		var missing uint64
		if slot < len(s.MissingSlots) {
			missing = s.MissingSlots[slot]
		}
		if absent.Has(slot) {
			add(slot, drive, missing)
		}
		if missing == 0 {
			continue
		}
		for _, f := range v.Former {
			if _, known := h.drives[f.Drive]; known && int(f.Slot) == slot && f.Drive != drive {
				add(slot, f.Drive, missing)
			}
		}
	}
	return out
}

// listStats answers what each volume holds and misses.
func (v *View) listStats() (*metapb.VolumeStatsAnswer, error) {
	a := &metapb.VolumeStatsAnswer{AppliedIndex: record.Position(v.Applied)}
	err := record.ScanKind(v.Records, keys.KindVolumeStats, func(k keys.Key, value []byte) error {
		s := &metapb.VolumeStat{Volume: uint32(k.Volume), Stats: new(metapb.VolumeStats)}
		a.Volumes = append(a.Volumes, s)
		return record.Unmarshal(value, s.Stats)
	})
	return a, err
}
