package query

import (
	"math/bits"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/shard"
)

// known tells a drive which of its shards must stay, and which of them another drive
// should have and lacks. This is where the law of deletion holds: a shard of an extent
// that exists goes only where its slot lies on another drive and the extent is whole
// without it. While orphans are held all stay: they may be of writes that came after
// the backup that the metadata were restored from.
func (v *View) known(q *metapb.KnownExtents) (*metapb.KnownAnswer, error) {
	a := &metapb.KnownAnswer{Known: make([]bool, len(q.Extents)), Wanted: make([]bool, len(q.Extents)),
		AppliedIndex: v.Applied.Index}
	k := knower{v: v, drive: q.Drive, volumes: map[uint32]*places{}}
	for i, e := range q.Extents {
		var err error
		if a.Known[i], a.Wanted[i], err = k.look(e); err != nil {
			return nil, err
		}
		a.Known[i] = a.Known[i] || v.Cluster.OrphansHeld
	}
	return a, nil
}

// knower answers one drive's question.
type knower struct {
	v       *View
	drive   uint64 // 0: none is told; all slots lie there.
	lives   map[uint64]metapb.Life
	volumes map[uint32]*places // As far as they were asked for.
}

// places is what matters of where a volume's slots lie.
type places struct {
	here uint32 // Slots that lie on the drive that asks, or are on their way there.
	gone uint32 // Slots that lie on drives that are gone.
}

// look says of one shard whether it must stay, and whether another drive wants it.
func (k *knower) look(e *metapb.ExtentSlots) (known, wanted bool, err error) {
	id := record.ExtentID(e.Volume, e.Seq)
	if id.Volume == 0 || id.Seq == 0 {
		return false, false, nil
	}
	p, err := k.places(e.Volume)
	if err != nil {
		return false, false, err
	}
	here := k.drive == 0 || e.Slots&^p.here == 0
	rec := new(metapb.Extent)
	exists, err := k.v.get(keys.AppendExtent(k.v.key(), id), rec)
	switch {
	case err != nil:
		return false, false, err
	case exists && here:
		return true, false, nil
	case exists:
		lacks := rec.Missing | p.gone
		return lacks != 0, e.Slots&lacks != 0 && bits.OnesCount32(e.Slots) == 1, nil
	}
	l := record.LeaseOf(id)
	// A leased one may be committed yet, whatever has moved since its shards were written.
	if leased, err := k.v.has(keys.AppendLease(k.v.key(), l.Volume, l.Block)); leased || err != nil {
		return leased, false, err
	}
	if !here {
		return false, false, nil
	}
	doomed, err := k.v.has(keys.AppendDoomed(k.v.key(), id)) // Its shards are deleted slot by slot.
	return doomed, false, err
}

func (k *knower) places(volume uint32) (*places, error) {
	if p := k.volumes[volume]; p != nil {
		return p, nil
	}
	if k.lives == nil {
		var err error
		if k.lives, err = k.v.lives(); err != nil {
			return nil, err
		}
	}
	rec := new(metapb.Volume)
	if _, err := k.v.get(keys.AppendVolume(k.v.key(), shard.VolumeID(volume)), rec); err != nil {
		return nil, err
	}
	p := &places{}
	for i, d := range rec.Slots {
		if d == k.drive || rec.Move.GetTo() == k.drive && int(rec.Move.GetSlot()) == i {
			p.here |= 1 << i
		}
		if life, belongs := k.lives[d]; !belongs || record.IsGone(life) {
			p.gone |= 1 << i
		}
	}
	k.volumes[volume] = p
	return p, nil
}

// lives returns the state of every drive, its node's included.
func (v *View) lives() (map[uint64]metapb.Life, error) {
	lives := map[uint64]metapb.Life{}
	err := record.ScanKind(v.Records, keys.KindNode, func(_ keys.Key, value []byte) error {
		n := new(metapb.Node)
		if err := record.Unmarshal(value, n); err != nil {
			return err
		}
		for _, d := range n.Drives {
			lives[d.Id] = record.LifeOf(n, d)
		}
		return nil
	})
	return lives, err
}
