package query

import (
	"math/bits"
	"slices"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// object answers a version and a page of the content of the range that is asked for.
func (v *View) object(q *metapb.GetObject, a *metapb.Answer) (*metapb.ObjectAnswer, error) {
	b, err := v.bucket(q.Bucket, a)
	if b == nil || err != nil {
		return nil, err
	}
	o := &metapb.ObjectAnswer{Bucket: b}
	if err := v.findVersion(q, o); err != nil {
		return nil, err
	}
	switch {
	case o.Version == nil && q.VersionId != "":
		a.Refusal = metapb.Refusal_REFUSAL_NO_SUCH_VERSION
	case o.Version == nil || o.Version.DeleteMarker && q.VersionId == "":
		a.Refusal = metapb.Refusal_REFUSAL_NO_SUCH_KEY
	case !o.Version.DeleteMarker:
		return o, v.fillRange(q, o)
	}
	return o, nil
}

// findVersion puts into o the version that is asked for, under the key or, if there is none,
// under the alternate key; nil if there is neither. A delete marker that is the latest version
// does not keep the alternate key from being tried. It is answered if that is not there either.
func (v *View) findVersion(q *metapb.GetObject, o *metapb.ObjectAnswer) error {
	for _, name := range [...]string{q.Key, q.AlternateKey} {
		if name == "" {
			continue
		}
		ver, err := v.version(o.Bucket, name, q.VersionId)
		if err != nil {
			return err
		}
		if ver != nil && (!ver.DeleteMarker || q.VersionId != "") {
			o.Version = ver
			return nil
		}
		if o.Version == nil {
			o.Version = ver
		}
		o.Alternate = true
	}
	o.Alternate = false
	return nil
}

// fillRange finds out which bytes the range means, and adds a page of their content. The
// content is that of the warm copy if one is asked for and there is one.
func (v *View) fillRange(q *metapb.GetObject, o *metapb.ObjectAnswer) error {
	id, ok := keys.ParseID(o.Version.ContentId)
	if !ok {
		return record.Corrupt("a version has no content id")
	}
	c := content{id: id, size: o.Version.Size}
	if r := o.Version.Restore; q.Restored && !r.GetOngoing() && len(r.GetContentId()) > 0 {
		o.Restored = true
		if c.id, ok = keys.ParseID(r.ContentId); !ok {
			return record.Corrupt("a warm copy has no content id")
		}
	}
	if q.Range == metapb.RangeKind_RANGE_NONE {
		o.Length = o.Version.Size
		return nil
	}
	if o.Version.Parts > 0 {
		found, err := v.loadLayout(&c)
		if err == nil && (!found || c.size != o.Version.Size) {
			err = record.Corrupt("a multipart version has no layout of its size")
		}
		if err != nil {
			return err
		}
	}
	if o.First, o.Length, ok = c.resolve(q); !ok {
		o.Unsatisfiable = true
		return nil
	}
	if q.Range == metapb.RangeKind_RANGE_PART {
		o.PartSize = o.Length
	}
	page, err := v.pieces(&c, o.First, o.Length, q.MaxRefs)
	if err != nil {
		return err
	}
	o.Content = page.answer
	if p := page.whole; p != nil {
		o.WholePart, o.PartEtag, o.PartChecksums = true, p.Etag, p.Checksums
	}
	return nil
}

// content is what a reader needs to find its way in a content, which was not dropped.
type content struct {
	id     keys.ID
	size   uint64
	layout *metapb.Layout // Nil: it has one part.
	only   *metapb.Part   // That one part, if it was read already.
}

// parts returns how many parts the content has.
func (c *content) parts() int {
	if c.layout == nil {
		return 1
	}
	return len(c.layout.Numbers)
}

// partAt returns the number and the size of the i-th part.
func (c *content) partAt(i int) (number uint32, size uint64) {
	if c.layout == nil {
		return 1, c.size
	}
	return c.layout.Numbers[i], c.layout.Sizes[i]
}

// loadLayout reads the layout of a content, and its size from that. It reports false if there
// is no layout.
func (v *View) loadLayout(c *content) (bool, error) {
	l := new(metapb.Layout)
	if ok, err := v.get(keys.AppendLayout(v.key(), c.id), l); !ok || err != nil {
		return false, err
	}
	if len(l.Numbers) != len(l.Sizes) {
		return false, record.Corrupt("the layout of content %x has %d numbers and %d sizes",
			c.id, len(l.Numbers), len(l.Sizes))
	}
	c.layout, c.size = l, 0
	for _, size := range l.Sizes {
		sum, over := bits.Add64(c.size, size, 0)
		if over != 0 {
			return false, record.Corrupt("the layout of content %x is of more bytes than can be", c.id)
		}
		c.size = sum
	}
	return true, nil
}

// resolve returns which bytes a range means, and false if it means none: it is unsatisfiable.
func (c *content) resolve(q *metapb.GetObject) (first, length uint64, ok bool) {
	switch q.Range {
	case metapb.RangeKind_RANGE_ALL:
		return 0, c.size, true
	case metapb.RangeKind_RANGE_FIRST_LAST:
		if q.First > q.Last || q.First >= c.size {
			return 0, 0, false
		}
		return q.First, min(q.Last, c.size-1) - q.First + 1, true
	case metapb.RangeKind_RANGE_FROM:
		if q.First >= c.size {
			return 0, 0, false
		}
		return q.First, c.size - q.First, true
	case metapb.RangeKind_RANGE_SUFFIX:
		if q.Last == 0 || c.size == 0 {
			return 0, 0, false
		}
		n := min(q.Last, c.size)
		return c.size - n, n, true
	case metapb.RangeKind_RANGE_PART:
		return c.part(q.Part)
	}
	return 0, 0, false
}

// part returns where the bytes of a part lie, and false if the content has no such part.
func (c *content) part(number uint32) (first, length uint64, ok bool) {
	if c.layout == nil {
		return 0, c.size, number == 1
	}
	i, found := slices.BinarySearch(c.layout.Numbers, number)
	if !found {
		return 0, 0, false
	}
	for _, size := range c.layout.Sizes[:i] {
		first += size
	}
	return first, c.layout.Sizes[i], true
}

// contentPage answers a page of a content that is known by its id: a reader whose first page
// came with an object goes on so.
func (v *View) contentPage(q *metapb.GetContent, a *metapb.Answer) (*metapb.ContentAnswer, error) {
	c, err := v.contentByID(q.ContentId, q.Multipart)
	switch {
	case err != nil:
		return nil, err
	case c == nil:
		a.Refusal = metapb.Refusal_REFUSAL_NO_SUCH_VERSION
		return nil, nil
	case q.Offset > c.size || q.Length > c.size-q.Offset:
		a.Refusal = metapb.Refusal_REFUSAL_INVALID
		return nil, nil
	}
	page, err := v.pieces(c, q.Offset, q.Length, q.MaxRefs)
	if err != nil {
		return nil, err
	}
	return page.answer, nil
}

// contentByID finds a content by its id; nil if it is gone. A content is gone from the command
// on that drops it, although parts of it are there for a while: they go away piece by piece,
// and a reader that found what is left would take it for the whole.
func (v *View) contentByID(name []byte, multipart bool) (*content, error) {
	id, ok := keys.ParseID(name)
	if !ok {
		return nil, nil
	}
	if dropped, err := v.isDropped(id); dropped || err != nil {
		return nil, err
	}
	c := &content{id: id}
	if multipart {
		if ok, err := v.loadLayout(c); !ok || err != nil {
			return nil, err
		}
		return c, nil
	}
	only := new(metapb.Part)
	if ok, err := v.get(keys.AppendPart(v.key(), id, 1), only); !ok || err != nil {
		return nil, err
	}
	c.only, c.size = only, only.Size
	return c, nil
}

// isDropped reports whether a content was dropped. It was not if only those of its parts are
// to go that its layout does not list.
func (v *View) isDropped(id keys.ID) (bool, error) {
	rec := new(metapb.DroppedContent)
	ok, err := v.get(keys.AppendDropped(v.key(), id), rec)
	return ok && !rec.Unlisted, err
}
