package state

import (
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/shard"
)

const (
	refsMax  = 16384 // References that one command brings, of a part, a pin or a copy.
	freshMax = 1024  // Extents that one command makes known.
)

// referent is an extent that a part or pin is to refer to.
type referent struct {
	id    shard.ExtentID
	rec   *metapb.Extent
	fresh bool // This command makes it known.
}

// without returns those of ids that are not in others.
func without(ids, others []shard.ExtentID) []shard.ExtentID {
	if len(others) == 0 || len(ids) == 0 {
		return ids
	}
	seen := make(map[shard.ExtentID]struct{}, len(others))
	for _, id := range others {
		seen[id] = struct{}{}
	}
	var rest []shard.ExtentID
	for _, id := range ids {
		if _, found := seen[id]; !found {
			rest = append(rest, id)
		}
	}
	return rest
}

// referents returns the extents that refs name, each once: those that exist, and those that the
// command makes known (fresh). It refuses if one is gone or may not be made known, if a reference
// reaches beyond its extent, or if an extent is made known that nothing refers to. It changes no
// record: hold does, once nothing else can refuse the command.
func (t *tx) referents(refs []*metapb.ExtentRef, fresh []*metapb.NewExtent) ([]referent, *metapb.Result) {
	if len(refs) > refsMax || len(fresh) > freshMax {
		return nil, invalid("too many extents in one command")
	}
	ids := record.ExtentsOf(refs)
	held := make([]referent, len(ids))
	used := 0
	for i, id := range ids {
		c := &held[i]
		c.id = id
		if n := findFresh(fresh, id); n != nil {
			if refusal := t.checkFresh(id, n); refusal != nil {
				return nil, refusal
			}
			c.rec, c.fresh = n.Extent, true
			used++
			continue
		}
		c.rec = new(metapb.Extent)
		if !t.get(keys.AppendExtent(t.key(), id), c.rec) {
			return nil, refuse(metapb.Refusal_REFUSAL_EXTENT_GONE)
		}
	}
	if used != len(fresh) {
		return nil, invalid("a new extent is given twice or not referred to")
	}
	return held, checkRanges(refs, held)
}

// findFresh returns what the command says of an extent that it makes known; nil if it does not.
func findFresh(fresh []*metapb.NewExtent, id shard.ExtentID) *metapb.NewExtent {
	for _, n := range fresh {
		if n.Volume == uint32(id.Volume) && n.Seq == id.Seq {
			return n
		}
	}
	return nil
}

// checkFresh refuses an extent that the command may not make known: one whose number its session
// has not leased, or that is in use. It also corrects what the extent misses: see missMoved.
func (t *tx) checkFresh(id shard.ExtentID, n *metapb.NewExtent) *metapb.Result {
	v := t.mem.volume(id.Volume)
	switch {
	case v == nil:
		return refuse(metapb.Refusal_REFUSAL_NO_SUCH_VOLUME)
	case id.Seq == 0 || n.Extent == nil:
		return invalid("a new extent needs a number and a description")
	case t.mem.leases[record.LeaseOf(id)] != t.session:
		return refuse(metapb.Refusal_REFUSAL_LEASE_GONE)
	case t.has(keys.AppendExtent(t.key(), id)) || t.has(keys.AppendDoomed(t.key(), id)):
		return invalid("a new extent has the number of one that exists")
	}
	n.Extent.GcIndex = 0
	n.Extent.Missing &= record.SlotMask(v)
	return missMoved(v, n)
}

// checkRanges refuses references that reach beyond their extents. held has the extents of all
// of them.
func checkRanges(refs []*metapb.ExtentRef, held []referent) *metapb.Result {
	var byID map[shard.ExtentID]*metapb.Extent // Made only where a search of held would be slow.
	if len(held) > 32 {
		byID = make(map[shard.ExtentID]*metapb.Extent, len(held))
		for i := range held {
			byID[held[i].id] = held[i].rec
		}
	}
	for _, r := range refs {
		id := shard.ExtentID{Volume: shard.VolumeID(r.Volume), Seq: r.Seq}
		rec := byID[id]
		for i := 0; rec == nil && i < len(held); i++ {
			if held[i].id == id {
				rec = held[i].rec
			}
		}
		if !record.Within(r, rec) {
			return invalid("a reference reaches past the end of its extent")
		}
	}
	return nil
}

// hold writes the references of an owner to the extents of held. One that the command makes
// known gets its record; one that is in the gc queue is taken out of it.
func (t *tx) hold(held []referent, owner keys.Owner) {
	for _, c := range held {
		switch {
		case c.fresh:
			t.setExtent(c.id, c.rec)
			t.count(c.id, c.rec, 1)
			t.arrived(c.id.Volume, ^c.rec.Missing)
			if c.rec.Missing != 0 {
				t.applied.ExtentsMissing++
				t.setBytes(keys.AppendMissing(t.key(), c.id), nil)
			}
		case c.rec.GcIndex != 0:
			t.del(keys.AppendUnreferenced(t.key(), c.rec.GcIndex, c.id))
			t.applied.ExtentsGc--
			c.rec.GcIndex = 0
			t.setExtent(c.id, c.rec)
		}
		t.setBytes(keys.AppendRef(t.key(), c.id, owner), nil)
	}
}

// release removes the references of an owner to extents. Those that nothing else refers to go into
// the gc queue.
func (t *tx) release(ids []shard.ExtentID, owner keys.Owner) {
	for _, id := range ids {
		t.del(keys.AppendRef(t.key(), id, owner))
		if t.referenced(id) {
			continue
		}
		rec := new(metapb.Extent)
		if !t.get(keys.AppendExtent(t.key(), id), rec) {
			t.fail(t.corrupt("extent %s was referenced and does not exist", id))
			return
		}
		t.enqueue(id, rec)
	}
}

// enqueue puts an extent that nothing refers to into the gc queue, under the index of this command.
func (t *tx) enqueue(id shard.ExtentID, rec *metapb.Extent) {
	rec.GcIndex = t.position
	t.applied.ExtentsGc++
	t.setExtent(id, rec)
	t.setBytes(keys.AppendUnreferenced(t.key(), t.position, id), nil)
}

func (t *tx) setExtent(id shard.ExtentID, rec *metapb.Extent) {
	t.set(keys.AppendExtent(t.key(), id), rec)
}
