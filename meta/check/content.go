package check

import (
	"slices"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/record"
)

// checkUploads proves I4, and counts the parts of open uploads for I7. It comes after
// whatever else ticks off keys that list something.
func (c *checker) checkUploads() {
	for id, u := range c.uploads {
		state := c.states[id]
		delete(c.states, id)
		if u.Completed != nil {
			if state != nil || !c.take(keys.AppendCompleted(nil, u.Completed.Index, id)) {
				c.wrong("completed upload %x has a state or is not listed", id)
			}
			continue
		}
		var bytes uint64
		for _, p := range c.parts[id] {
			bytes += p.Size
		}
		if state == nil || int(state.Parts) != len(c.parts[id]) || state.Bytes != bytes {
			c.wrong("upload %x has %d parts of %d bytes and state %v", id, len(c.parts[id]), bytes, state)
		}
		if bytes > 0 {
			c.count(u.BucketId).UploadBytes += bytes
		}
		if !c.take(keys.AppendOpenUpload(nil, u.BucketId, u.Key, u.Order, id)) || c.buckets[u.BucketId] == "" {
			c.wrong("open upload %x is not listed, or its bucket does not exist", id)
		}
	}
	for id := range c.states {
		c.wrong("the state of upload %x has no upload", id)
	}
	for key := range c.listed {
		c.wrong("a key of kind %q lists nothing", key[0])
	}
}

// checkContents proves I5, and that a warm copy whose restore is done is whole (I11).
func (c *checker) checkContents() {
	for id, v := range c.versions {
		c.checkParts(id, v.Size, v.Parts)
	}
	for id, v := range c.copies {
		if v.Transition == nil && !v.Restore.Ongoing {
			c.checkParts(id, v.Size, v.Restore.Parts)
		}
	}
	for id := range c.parts {
		u := c.uploads[id]
		if c.versions[id] == nil && c.copies[id] == nil && c.dropped[id] == nil && (u == nil || u.Completed != nil) {
			c.wrong("the parts of content %x belong to nothing", id)
		}
	}
	for id := range c.layouts {
		if d := c.dropped[id]; c.versions[id] == nil && c.copies[id] == nil && (d == nil || d.Unlisted) {
			c.wrong("the layout of content %x belongs to nothing", id)
		}
	}
	for id, d := range c.dropped {
		if d.Unlisted != (c.versions[id] != nil) || c.copies[id] != nil {
			c.wrong("content %x is dropped and has a version, or the other way round", id)
		}
	}
}

// checkParts proves that a content has the parts that its layout lists, each of the listed
// size, and size bytes in all. A content with a count of 0 is one part without a layout.
func (c *checker) checkParts(id keys.ID, size uint64, count uint32) {
	numbers, sizes := []uint32{1}, []uint64{size}
	if count > 0 {
		l := c.layouts[id]
		if l == nil || len(l.Numbers) != int(count) || len(l.Sizes) != int(count) {
			c.wrong("the layout of content %x is not of %d parts", id, count)
			return
		}
		numbers, sizes = l.Numbers, l.Sizes
	} else if c.layouts[id] != nil {
		c.wrong("content %x of one part has a layout", id)
	}
	var total uint64
	found := 0
	for _, p := range c.parts[id] {
		i, listed := slices.BinarySearch(numbers, p.Number)
		if !listed {
			if c.dropped[id] == nil {
				c.wrong("part %d of content %x is not listed and not dropped", p.Number, id)
			}
			continue
		}
		found++
		total += p.Size
		if p.Size != sizes[i] || record.PartFault(p) != "" {
			c.wrong("part %d of content %x is not of its size", p.Number, id)
		}
	}
	if found != len(numbers) || total != size {
		c.wrong("content %x has %d of %d parts and %d of %d bytes", id, found, len(numbers), total, size)
	}
}
