package state

import (
	"bytes"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/shard"
)

// The warm copy of a cold version is a content of its own, with the layout of the version. It
// may be brought by several commands. All but the last have a restore that is ongoing; with the
// last one the copy must be whole.

// addCopy writes what c brings of the warm copy of v. If something is wrong with it, it writes
// nothing and returns a refusal.
func (t *tx) addCopy(c *metapb.UpdateVersion, v *metapb.Version) *metapb.Result {
	old, r := v.Restore, c.Restore
	id, ok := keys.ParseID(r.ContentId)
	if !ok || bytes.Equal(r.ContentId, v.ContentId) || r.Parts != v.Parts {
		return invalid("a copy needs a content id of its own and the parts of its version")
	}
	known := bytes.Equal(old.GetContentId(), r.ContentId)
	if known && !old.Ongoing {
		if r.Ongoing || len(c.Parts) > 0 || len(c.Extents) > 0 || c.Layout != nil {
			return invalid("nothing can be added to a copy that is whole")
		}
		return nil
	}
	if refusal := t.checkCopy(c, id, known); refusal != nil {
		return refusal
	}
	if !r.Ongoing && !t.copyIsWhole(c, v, id) {
		return invalid("the copy is done and has not all parts of its version")
	}
	var refs []*metapb.ExtentRef
	for _, p := range c.Parts {
		refs = append(refs, p.Extents...)
	}
	held, refusal := t.referents(refs, c.Extents)
	if refusal != nil {
		return refusal
	}
	t.writeCopy(c, id, held)
	return nil
}

// checkCopy refuses parts and a layout that cannot be those of a copy. known says whether an
// earlier command has brought some of it.
func (t *tx) checkCopy(c *metapb.UpdateVersion, id keys.ID, known bool) *metapb.Result {
	if !known {
		if len(c.Parts) == 0 {
			return invalid("a copy begins with a part")
		}
		if t.has(keys.AppendUpload(t.key(), id)) || t.has(keys.AppendLayout(t.key(), id)) ||
			t.has(keys.AppendDropped(t.key(), id)) || t.hasAny(keys.AppendParts(nil, id)) {
			return invalid("the content id is in use")
		}
	}
	most := uint32(record.PartNumberMax)
	if c.Restore.Parts == 0 {
		most = 1
	}
	var last uint32
	for _, p := range c.Parts {
		if p.GetNumber() <= last || p.Number > most {
			return invalid("the numbers of a copy's parts do not ascend, or are not its version's")
		}
		last = p.Number
		if refusal := checkPart(p); refusal != nil {
			return refusal
		}
	}
	if (c.Layout != nil) != (c.Restore.Parts > 0 && !c.Restore.Ongoing) {
		return invalid("a copy of several parts needs its layout when it is done")
	}
	return nil
}

// copyIsWhole reports whether a copy has, together with what the command brings, just the parts
// of its version, each of the right size.
func (t *tx) copyIsWhole(c *metapb.UpdateVersion, v *metapb.Version, id keys.ID) bool {
	want := &metapb.Layout{Numbers: []uint32{1}, Sizes: []uint64{v.Size}}
	if v.Parts > 0 {
		content, _ := keys.ParseID(v.ContentId)
		if !t.get(keys.AppendLayout(t.key(), content), want) {
			t.fail(t.corrupt("a multipart version has no layout"))
			return false
		}
		if !proto.Equal(want, c.Layout) {
			return false
		}
	}
	sizes := make(map[uint32]uint64, len(want.Numbers))
	prefix := keys.AppendParts(nil, id)
	t.fail(record.Scan(t.batch, prefix, keys.PrefixEnd(keys.AppendParts(nil, id)), func(key, value []byte) error {
		number, err := record.PartNumber(key)
		if err != nil {
			return err
		}
		sizes[number], err = partSize(value)
		return err
	}))
	for _, p := range c.Parts {
		sizes[p.Number] = p.Size
	}
	for i, n := range want.Numbers {
		if size, found := sizes[n]; !found || size != want.Sizes[i] {
			return false
		}
	}
	return len(sizes) == len(want.Numbers)
}

// partSize reads the size of a part from its record.
func partSize(part []byte) (size uint64, err error) {
	err = record.Fields(part, func(num protowire.Number, v uint64, _ []byte) error {
		if num == 2 {
			size = v
		}
		return nil
	})
	return size, err
}

// writeCopy writes the parts and the layout that c brings of a copy. Several parts may refer to
// the same new extent: the first of them makes it known.
func (t *tx) writeCopy(c *metapb.UpdateVersion, id keys.ID, held []referent) {
	byID := make(map[shard.ExtentID]*referent, len(held))
	for i := range held {
		byID[held[i].id] = &held[i]
	}
	for _, p := range c.Parts {
		var own []referent
		for _, e := range record.ExtentsOf(p.Extents) {
			own = append(own, *byID[e])
			byID[e].fresh = false // This part makes it known.
		}
		if p.ModifiedMs == 0 {
			p.ModifiedMs = t.cmd.TimeMs
		}
		old, _ := t.part(id, p.Number)
		t.replacePart(id, p, old, own)
	}
	if c.Layout != nil {
		t.set(keys.AppendLayout(t.key(), id), c.Layout)
	}
}
