package record

import (
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

// ExtentID makes the id of an extent from the two numbers that messages name it by.
func ExtentID(volume uint32, seq uint64) shard.ExtentID {
	return shard.ExtentID{Volume: shard.VolumeID(volume), Seq: seq}
}

// Within reports whether a reference reaches no further than its extent, which is e.
func Within(r *metapb.ExtentRef, e *metapb.Extent) bool {
	return r.Offset <= e.PlainBytes && r.Length <= e.PlainBytes-r.Offset
}

// LeaseOf returns the block of extent numbers in which an extent lies.
func LeaseOf(e shard.ExtentID) LeaseName {
	return LeaseName{e.Volume, (e.Seq - 1) / meta.LeaseBlockExtents}
}

// LeaseName names a block of extent numbers of a volume.
type LeaseName struct {
	Volume shard.VolumeID
	Block  uint64
}

// ExtentsOf returns the extents that refs name, each once, in the order in which they first
// occur.
func ExtentsOf(refs []*metapb.ExtentRef) []shard.ExtentID {
	ids := make([]shard.ExtentID, 0, len(refs))
	var seen map[shard.ExtentID]struct{} // Made once ids is so long that a search would be slow.
	for _, r := range refs {
		id := ExtentID(r.Volume, r.Seq)
		if seen == nil && len(ids) >= 32 {
			seen = make(map[shard.ExtentID]struct{}, len(refs))
			for _, id := range ids {
				seen[id] = struct{}{}
			}
		}
		if contains(ids, seen, id) {
			continue
		}
		if seen != nil {
			seen[id] = struct{}{}
		}
		ids = append(ids, id)
	}
	return ids
}

// contains reports whether id is in ids. If seen is not nil, it is the set of all ids.
func contains(ids []shard.ExtentID, seen map[shard.ExtentID]struct{}, id shard.ExtentID) bool {
	if seen != nil {
		_, found := seen[id]
		return found
	}
	for _, other := range ids {
		if other == id {
			return true
		}
	}
	return false
}
