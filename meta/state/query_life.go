package state

import (
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

// slotsOf tells which slots of volumes lie on a drive, or are on their way there.
type slotsOf struct {
	v       *view
	drive   uint64            // 0: any; all slots do.
	volumes map[uint32]uint32 // Slot sets by volume, as far as they were asked for.
}

// has reports whether all slots of a set lie there.
func (s slotsOf) has(volume, slots uint32) (bool, error) {
	if s.drive == 0 {
		return true, nil
	}
	set, known := s.volumes[volume]
	if !known {
		rec := new(metapb.Volume)
		if _, err := s.v.get(keys.AppendVolume(s.v.key(), shard.VolumeID(volume)), rec); err != nil {
			return false, err
		}
		for i, d := range rec.Slots {
			if d == s.drive || rec.Move.GetTo() == s.drive && int(rec.Move.Slot) == i {
				set |= 1 << i
			}
		}
		s.volumes[volume] = set
	}
	return slots&^set == 0, nil
}

// status answers sums over the state.
func (v *view) status() (*metapb.StatusAnswer, error) {
	a := &metapb.StatusAnswer{
		ClusterId: v.cluster.Id, AppliedIndex: v.applied.Index, Buckets: v.applied.Buckets,
		ExtentsMissing: v.applied.ExtentsMissing, ExtentsGc: v.applied.ExtentsGc,
		ExtentsDoomed: v.applied.ExtentsDoomed, ContentsDropped: v.applied.ContentsDropped,
		Volumes: v.cluster.LastVolume, Entries: v.applied.Entries,
	}
	topology, err := v.topology(&metapb.GetView{})
	if err != nil {
		return nil, err
	}
	stats, err := v.listStats()
	if err != nil {
		return nil, err
	}
	m := &memory{nodes: topology.Nodes}
	lives := map[uint64]metapb.Life{}
	for _, n := range topology.Nodes {
		for _, d := range n.Drives {
			lives[d.Id] = m.lifeOf(d.Id)
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
		countHealth(a, vol, s, lives)
	}
	return a, nil
}

// countHealth adds a volume to the sums. Slots on drives that are gone count as
// missing for all extents, whether that is recorded already or not.
func countHealth(a *metapb.StatusAnswer, v *metapb.Volume, s *metapb.VolumeStats, lives map[uint64]metapb.Life) {
	lost, missing := 0, 0 // Slots.
	for i, d := range v.Slots {
		life, known := lives[d]
		switch {
		case !known || gone(life):
			lost++
		case i < len(s.MissingSlots) && s.MissingSlots[i] > 0:
			missing++
		}
		switch {
		case life == metapb.Life_LIFE_DRAINING:
			a.SlotsDraining++
		}
	}
	a.SlotsLost += uint32(lost)
	if v.Move != nil {
		a.VolumesMoving++
	}
	if s.Extents == 0 {
		return
	}
	a.Extents += s.Extents
	a.PlainBytes += s.PlainBytes
	worst := lost + min(missing, len(s.Missing)) // Shards that an extent may miss, at most.
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
}
