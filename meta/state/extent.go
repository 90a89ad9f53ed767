package state

import (
	"bytes"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/shard"
)

// What one ReplaceExtent rewrites at most. It writes the record of each owner anew, and the record
// of a part with very many references is large. So the bytes are bounded too. At least one owner
// is served, or there would be no progress.
const (
	replaceMax   = 4096    // Owners.
	replaceBytes = 4 << 20 // Bytes of their records.
)

// setMissing records which shards were found to be missing, and which were repaired. It passes
// over extents that do not exist any more.
func (t *tx) setMissing(c *metapb.SetMissing) *metapb.Result {
	for _, e := range c.Add {
		t.changeMissing(e, e.Slots, 0)
	}
	for _, e := range c.Remove {
		t.changeMissing(e, 0, e.Slots)
	}
	return &metapb.Result{}
}

// changeMissing adds slots to those that an extent misses, or removes some. It leaves out slots
// that have moved since e's epoch: what was found there is about another drive.
func (t *tx) changeMissing(e *metapb.ExtentSlots, add, remove uint32) {
	id := record.ExtentID(e.Volume, e.Seq)
	rec := new(metapb.Extent)
	v := t.mem.volume(id.Volume)
	if v == nil || !t.get(keys.AppendExtent(t.key(), id), rec) {
		return
	}
	meant := record.SlotMask(v) &^ movedSince(v, e.Epoch)
	was := rec.Missing
	rec.Missing = was | add&meant
	rec.Missing &^= remove & meant
	if rec.Missing == was {
		return
	}
	t.setExtent(id, rec)
	t.recount(id, was, rec.Missing)
	t.arrived(id.Volume, was&^rec.Missing)
	switch {
	case was == 0:
		t.applied.ExtentsMissing++
		t.setBytes(keys.AppendMissing(t.key(), id), nil)
	case rec.Missing == 0:
		t.forgetMissing(id)
	}
}

// forgetMissing takes an extent out of the list of those that miss shards.
func (t *tx) forgetMissing(id shard.ExtentID) {
	t.applied.ExtentsMissing--
	t.del(keys.AppendMissing(t.key(), id))
}

// doomExtents dooms those of the extents that have been in the gc queue since before the index
// that the command names. A doomed extent can never be referred to again.
func (t *tx) doomExtents(c *metapb.DoomExtents) *metapb.Result {
	for _, e := range c.Extents {
		id := record.ExtentID(e.Volume, e.Seq)
		rec := new(metapb.Extent)
		if !t.get(keys.AppendExtent(t.key(), id), rec) || rec.GcIndex == 0 || rec.GcIndex >= c.BeforeIndex {
			continue
		}
		if t.referenced(id) {
			t.fail(t.corrupt("extent %s is in the gc queue and referenced", id))
			break
		}
		t.doom(id, rec)
	}
	return &metapb.Result{}
}

// doom replaces the record of an extent by one that says only which of its shards may still lie
// on drives. These are all of them, since one that counts as missing may be there after all.
func (t *tx) doom(id shard.ExtentID, rec *metapb.Extent) {
	v := t.mem.volume(id.Volume)
	if v == nil {
		t.fail(t.corrupt("extent %s lies in no volume", id))
		return
	}
	t.del(keys.AppendExtent(t.key(), id))
	t.count(id, rec, -1)
	t.del(keys.AppendUnreferenced(t.key(), rec.GcIndex, id))
	t.applied.ExtentsGc--
	if rec.Missing != 0 {
		t.forgetMissing(id)
	}
	t.applied.ExtentsDoomed++
	t.set(keys.AppendDoomed(t.key(), id), &metapb.Doomed{Slots: record.SlotMask(v), Epoch: v.Epoch})
}

// forgetExtents records which shards of doomed extents were deleted. An extent of which none is
// left is forgotten.
func (t *tx) forgetExtents(c *metapb.ForgetExtents) *metapb.Result {
	for _, e := range c.Extents {
		id := record.ExtentID(e.Volume, e.Seq)
		rec := new(metapb.Doomed)
		if !t.get(keys.AppendDoomed(t.key(), id), rec) {
			continue
		}
		if rec.Slots &^= e.Slots; rec.Slots != 0 {
			t.set(keys.AppendDoomed(t.key(), id), rec)
			continue
		}
		t.applied.ExtentsDoomed--
		t.del(keys.AppendDoomed(t.key(), id))
	}
	return &metapb.Result{}
}

// replaceExtent makes the owners of an extent refer to another one, which holds the same. If there
// are very many owners it serves some of them and says that there are more. The proposer then
// repeats it with the same two extents.
func (t *tx) replaceExtent(c *metapb.ReplaceExtent) *metapb.Result {
	if c.Extent == nil {
		return invalid("a replacement needs an extent")
	}
	oldID, newID := record.ExtentID(c.OldVolume, c.OldSeq), record.ExtentID(c.Extent.Volume, c.Extent.Seq)
	old := new(metapb.Extent)
	if !t.get(keys.AppendExtent(t.key(), oldID), old) || old.GcIndex != 0 {
		return refuse(metapb.Refusal_REFUSAL_EXTENT_GONE)
	}
	if oldID == newID {
		return invalid("an extent cannot replace itself")
	}
	into, refusal := t.replacement(newID, c.Extent)
	if refusal != nil {
		return refusal
	}
	if !samePackages(old, into.rec) {
		return invalid("the new extent has not the plaintext and packages of the old one")
	}
	owners, more := t.ownersOf(oldID)
	bytes := 0
	for _, o := range owners {
		if bytes >= t.replaceBytes {
			more = true
			break
		}
		bytes += t.rewriteOwner(o, oldID, newID)
		t.hold([]referent{into}, o)
		t.release([]shard.ExtentID{oldID}, o)
		into.fresh = false
	}
	return &metapb.Result{More: more}
}

// replacement returns the extent that is to replace another, as a referent. This command makes the
// extent known, or the one that began the replacement did.
func (t *tx) replacement(id shard.ExtentID, n *metapb.NewExtent) (referent, *metapb.Result) {
	rec := new(metapb.Extent)
	if t.get(keys.AppendExtent(t.key(), id), rec) {
		if n.Extent == nil || !samePackages(n.Extent, rec) {
			return referent{}, invalid("the new extent has the number of another that exists")
		}
		return referent{id: id, rec: rec}, nil
	}
	if refusal := t.checkFresh(id, n); refusal != nil {
		return referent{}, refusal
	}
	return referent{id: id, rec: n.Extent, fresh: true}, nil
}

// samePackages reports whether two extents hold the same plaintext in the same packages, whatever
// their schemes are: a reference to the one means the same bytes of the other.
func samePackages(a, b *metapb.Extent) bool {
	return a.PlainBytes == b.PlainBytes && a.Overhead == b.Overhead && a.FullBlocks == b.FullBlocks &&
		a.TailBlockBytes == b.TailBlockBytes && a.Crc64 == b.Crc64 && bytes.Equal(a.SealId, b.SealId)
}

// ownersOf returns the first replaceMax owners of an extent, and whether it has more.
func (t *tx) ownersOf(id shard.ExtentID) (owners []keys.Owner, more bool) {
	prefix := keys.AppendRefs(nil, id)
	t.fail(record.Scan(t.batch, prefix, keys.PrefixEnd(keys.AppendRefs(nil, id)), func(key, _ []byte) error {
		if len(owners) == replaceMax {
			more = true
			return record.ErrStop
		}
		k, err := record.DecodeKey(key)
		owners = append(owners, k.Owner)
		return err
	}))
	return owners, more
}

// rewriteOwner makes the references of a part or pin that name one extent name another. It returns
// the size of the record that it has written.
func (t *tx) rewriteOwner(o keys.Owner, from, to shard.ExtentID) int {
	if o.Pin {
		pin := new(metapb.Pin)
		if !t.get(keys.AppendPin(t.key(), o.ID), pin) {
			t.fail(t.corrupt("extent %s is referred to by a pin that does not exist", from))
			return 0
		}
		rewriteRefs(pin.Extents, from, to)
		return t.set(keys.AppendPin(t.key(), o.ID), pin)
	}
	p := new(metapb.Part)
	if !t.get(keys.AppendPart(t.key(), o.ID, o.Number), p) {
		t.fail(t.corrupt("extent %s is referred to by a part that does not exist", from))
		return 0
	}
	rewriteRefs(p.Extents, from, to)
	return t.set(keys.AppendPart(t.key(), o.ID, o.Number), p)
}

func rewriteRefs(refs []*metapb.ExtentRef, from, to shard.ExtentID) {
	for _, r := range refs {
		if record.ExtentID(r.Volume, r.Seq) == from {
			r.Volume, r.Seq = uint32(to.Volume), to.Seq
		}
	}
}
