package query

import (
	"math/bits"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/shard"
)

// known tells a drive which of its shards must stay (Known), and which of them another drive
// should have and lacks (Wanted).
//
// This is the one place that decides what may be deleted, so the law is kept here
// (docs/architecture.md, "The law"): a shard of an extent that exists may go only if its slot
// lies on another drive and the extent is whole without the shard. While orphans are held
// every shard stays, known or not: it may be of a write that came after the backup from which
// the metadata were restored.
func (v *View) known(q *metapb.KnownExtents) (*metapb.KnownAnswer, error) {
	a := &metapb.KnownAnswer{Known: make([]bool, len(q.Extents)), Wanted: make([]bool, len(q.Extents)),
		AppliedIndex: record.Position(v.Applied)}
	k := knower{v: v, drive: q.Drive, volumes: map[uint32]*slotsAt{}}
	for i, e := range q.Extents {
		var err error
		if a.Known[i], a.Wanted[i], err = k.look(e); err != nil {
			return nil, err
		}
		a.Known[i] = a.Known[i] || v.Cluster.OrphansHeld
	}
	return a, nil
}

// knower answers the question of one drive.
type knower struct {
	v       *View
	drive   uint64                 // 0: the asker names none. Every slot then counts as lying there.
	lives   map[uint64]metapb.Life // The state of each drive; nil: not read yet.
	volumes map[uint32]*slotsAt    // Of the volumes that were asked for.
}

// slotsAt says where the slots of a volume lie, as far as it matters here.
type slotsAt struct {
	here uint32 // The slots that lie on the drive that asks, or are on their way there.
	gone uint32 // The slots that lie on drives that are gone.
}

// look says of one shard whether it must stay (known), and whether another drive lacks it
// (wanted).
func (k *knower) look(e *metapb.ExtentSlots) (known, wanted bool, err error) {
	id := record.ExtentID(e.Volume, e.Seq)
	if id.Volume == 0 || id.Seq == 0 {
		return false, false, nil
	}
	p, err := k.slots(e.Volume)
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
	// An extent that does not exist yet, but whose number is leased, may still be committed, even
	// if slots have moved since its shards were written. So they stay.
	if leased, err := k.v.has(keys.AppendLease(k.v.key(), l.Volume, l.Block)); leased || err != nil {
		return leased, false, err
	}
	if !here {
		return false, false, nil
	}
	// Upkeep deletes the shards of a doomed extent slot by slot, and keeps account of it.
	doomed, err := k.v.has(keys.AppendDoomed(k.v.key(), id))
	return doomed, false, err
}

// slots returns where the slots of a volume lie.
func (k *knower) slots(volume uint32) (*slotsAt, error) {
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
	p := &slotsAt{}
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

// lives returns the state of every drive, with its node's taken into account.
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
