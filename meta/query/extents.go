package query

import (
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/shard"
)

// ownersPageMax is how many owners an answer has at most, of all its extents together.
const ownersPageMax = 10000

// extents answers the records of extents and their owners: the parts and pins that refer to
// them. An extent that is not there has no record in the answer.
func (v *View) extents(q *metapb.GetExtents, a *metapb.Answer) (*metapb.ExtentsAnswer, error) {
	if len(q.Extents) > PageMax {
		a.Refusal = metapb.Refusal_REFUSAL_INVALID
		return nil, nil
	}
	r := &metapb.ExtentsAnswer{}
	left := ownersPageMax
	for _, ref := range q.Extents {
		info := &metapb.ExtentInfo{Volume: ref.Volume, Seq: ref.Seq}
		r.Extents = append(r.Extents, info)
		id := record.ExtentID(ref.Volume, ref.Seq)
		rec := new(metapb.Extent)
		ok, err := v.get(keys.AppendExtent(v.key(), id), rec)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		info.Extent = rec
		if err := v.owners(info, id, min(left, int(min(q.MaxOwners, PageMax)))); err != nil {
			return nil, err
		}
		left -= len(info.Owners)
	}
	return r, nil
}

// owners adds the owners of an extent, at most limit of them, and notes if there are more.
func (v *View) owners(info *metapb.ExtentInfo, id shard.ExtentID, limit int) error {
	prefix := keys.AppendRefs(nil, id)
	return record.Scan(v.Records, prefix, keys.PrefixEnd(keys.AppendRefs(nil, id)), func(key, _ []byte) error {
		if len(info.Owners) == limit {
			info.MoreOwners = true
			return record.ErrStop
		}
		k, err := record.DecodeKey(key)
		if err != nil {
			return err
		}
		o := &metapb.ExtentOwner{Id: append([]byte(nil), k.Owner.ID[:]...), Number: k.Owner.Number}
		if k.Owner.Pin {
			o.Kind = metapb.OwnerKind_OWNER_PIN
		}
		info.Owners = append(info.Owners, o)
		return nil
	})
}
