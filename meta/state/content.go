package state

import (
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// How many references and parts a command removes itself if it drops contents. Upkeep removes
// the rest in steps (TrimContents), so that no command takes long because an object was large.
const (
	dropInline          = 256
	dropInlinePerObject = 8    // So many more for each object of a DeleteObjects or ExpireVersions.
	trimMax             = 4096 // For a TrimContents, whatever it asks for.
)

// dropContent drops a content that no version and no upload has any more. It removes as much of
// it as the budget allows, and records the content as dropped if something is left. multipart
// says whether the content may have more than one part.
func (t *tx) dropContent(id keys.ID, multipart bool) {
	if !multipart && t.dropSinglePart(id) {
		return
	}
	rec := new(metapb.DroppedContent)
	if t.get(keys.AppendDropped(t.key(), id), rec) {
		// The parts that its layout does not list were being removed. Now all of them go.
		rec.Reset()
	} else {
		t.applied.ContentsDropped++
	}
	rec.Index = t.position
	t.trim(id, rec)
}

// dropSinglePart removes a content of one part and reports whether it did: it does not if that
// is beyond the budget. Most deletions are of such contents, and this costs one read.
func (t *tx) dropSinglePart(id keys.ID) bool {
	p := new(metapb.Part)
	found := t.view(keys.AppendPart(t.key(), id, 1), func(v []byte) error {
		return unmarshalPartExtents(v, p)
	})
	if !found {
		t.fail(t.corrupt("a version has no part"))
		return true
	}
	cost := 1 + len(p.Extents)
	if cost > t.budget {
		return false
	}
	t.budget -= cost
	t.removePart(id, p, 1)
	return true
}

// removePart removes the record of a part and its references, which p must have. Other fields of p
// do not matter.
func (t *tx) removePart(id keys.ID, p *metapb.Part, number uint32) {
	t.del(keys.AppendPart(t.key(), id, number))
	t.release(record.ExtentsOf(p.Extents), keys.Owner{ID: id, Number: number})
}

// dropUnlisted drops the parts of a completed upload that its layout does not list.
func (t *tx) dropUnlisted(id keys.ID) {
	t.applied.ContentsDropped++
	t.trim(id, &metapb.DroppedContent{Index: t.position, Unlisted: true})
}

// trimContents goes on to remove what is left of dropped contents, and says whether there is
// more to do.
func (t *tx) trimContents(c *metapb.TrimContents) *metapb.Result {
	t.budget = int(min(c.Max, trimMax))
	r := &metapb.Result{}
	for _, b := range c.ContentIds {
		id, ok := keys.ParseID(b)
		rec := new(metapb.DroppedContent)
		if !ok || !t.get(keys.AppendDropped(t.key(), id), rec) {
			continue
		}
		if t.budget <= 0 || !t.trim(id, rec) {
			r.More = true
			break
		}
	}
	return r
}

// trim removes parts of a dropped content as far as the budget goes. It records where it stopped
// or, once nothing is left to do, forgets the content. It reports whether that is so.
func (t *tx) trim(id keys.ID, rec *metapb.DroppedContent) bool {
	var keep []uint32
	if rec.Unlisted {
		l := new(metapb.Layout)
		if !t.get(keys.AppendLayout(t.key(), id), l) {
			t.fail(t.corrupt("a completed upload has no layout"))
			return true
		}
		keep = l.Numbers
	}
	steps, done := t.trimSteps(id, rec.Next, keep)
	for _, s := range steps {
		if s.cost() > t.budget {
			rec.Next = s.number
			t.shortenPart(id, s)
			break
		}
		t.budget -= s.cost()
		if s.part != nil {
			t.removePart(id, s.part, s.number)
		}
	}
	if !done {
		t.set(keys.AppendDropped(t.key(), id), rec)
		return false
	}
	t.applied.ContentsDropped--
	t.del(keys.AppendDropped(t.key(), id))
	if !rec.Unlisted {
		t.del(keys.AppendLayout(t.key(), id))
	}
	return true
}

// trimStep is a part of a dropped content that trim comes to.
type trimStep struct {
	number uint32
	part   *metapb.Part // What unmarshalPartExtents reads of it; nil if the part is kept.
}

func (s trimStep) cost() int { return 1 + len(s.part.GetExtents()) }

// trimSteps returns the steps from part next on. If the budget suffices for all of them, it returns
// all, and done is true. Otherwise the last step that it returns is the first one for which the
// budget does not suffice. keep lists the numbers of the parts that are kept, ascending.
func (t *tx) trimSteps(id keys.ID, next uint32, keep []uint32) (steps []trimStep, done bool) {
	left := t.budget
	done = true
	lower := keys.AppendPart(nil, id, next)
	upper := keys.PrefixEnd(keys.AppendParts(nil, id))
	t.fail(record.Scan(t.batch, lower, upper, func(key, v []byte) error {
		number, err := record.PartNumber(key)
		if err != nil {
			return err
		}
		for len(keep) > 0 && keep[0] < number {
			keep = keep[1:]
		}
		s := trimStep{number: number}
		if len(keep) == 0 || keep[0] != number {
			s.part = new(metapb.Part)
			if err := unmarshalPartExtents(v, s.part); err != nil {
				return err
			}
		}
		steps = append(steps, s)
		if left -= s.cost(); left < 0 {
			done = false
			return record.ErrStop
		}
		return nil
	}))
	return steps, done
}

// shortenPart spends what is left of the budget on a part that costs more than that: it releases
// the first references and stores the part without them.
func (t *tx) shortenPart(id keys.ID, s trimStep) {
	n := min(t.budget, len(s.part.GetExtents()))
	t.budget = 0
	if n <= 0 {
		return
	}
	p := s.part
	gone, rest := record.ExtentsOf(p.Extents[:n]), p.Extents[n:]
	t.set(keys.AppendPart(t.key(), id, s.number), &metapb.Part{Number: s.number, Size: p.Size, Extents: rest})
	t.release(without(gone, record.ExtentsOf(rest)), keys.Owner{ID: id, Number: s.number})
}
