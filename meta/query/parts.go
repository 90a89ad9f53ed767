package query

import (
	"slices"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// objectParts answers a page of the parts of a multipart version: those that its layout lists.
// The content may have others for a while, which are being removed.
func (v *View) objectParts(q *metapb.ObjectParts, a *metapb.Answer) (*metapb.ObjectPartsAnswer, error) {
	c, err := v.contentByID(q.ContentId, true)
	if err != nil {
		return nil, err
	}
	if c == nil {
		a.Refusal = metapb.Refusal_REFUSAL_NO_SUCH_VERSION
		return nil, nil
	}
	from, found := slices.BinarySearch(c.layout.Numbers, q.After)
	if found {
		from++
	}
	r := &metapb.ObjectPartsAnswer{}
	for _, n := range c.layout.Numbers[from:] {
		if len(r.Parts) == int(min(q.Max, PageMax)) {
			r.Truncated = true
			break
		}
		p := new(metapb.Part)
		ok, err := record.View(v.Records, keys.AppendPart(v.key(), c.id, n), func(value []byte) error {
			return unmarshalPartListing(value, p)
		})
		if !ok || err != nil {
			return nil, orCorrupt(err, "a part of a version does not exist")
		}
		r.Parts = append(r.Parts, p)
	}
	return r, nil
}
