package state

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// Nearly every command reads the latest version of a key, and every deletion a part, of which few
// fields matter. So these are not decoded as a whole (record.Fields). The numbers are those of
// records.proto. The model proves them: it decodes whole records.

// head is what a command needs of the version that it replaces, keeps or deletes.
type head struct {
	content      keys.ID // A delete marker has none.
	multipart    bool
	deleteMarker bool
	etag         string
	versionID    string // As records have it.
	order        uint64
	restore      *metapb.Restore
	size         uint64
	modifiedMS   int64
	lock         lock
	transition   *metapb.Restore

	keepRaw bool
	raw     []byte // The record, if keepRaw is set, to be written under another key.
}

// unmarshal reads h from the record of a version.
func (h *head) unmarshal(version []byte) error {
	if h.keepRaw {
		h.raw = slices.Clone(version)
	}
	return record.Fields(version, func(num protowire.Number, v uint64, b []byte) error {
		switch num {
		case 1:
			if len(b) != len(h.content) {
				return record.Corrupt("a version has no content id")
			}
			h.content = keys.ID(b)
		case 2:
			h.versionID = string(b)
		case 3:
			h.order = v
		case 4:
			h.deleteMarker = v != 0
		case 5:
			h.size = v
		case 6:
			h.etag = string(b)
		case 7:
			h.modifiedMS = int64(v)
		case 9:
			h.multipart = v != 0
		case 15:
			h.restore = new(metapb.Restore)
			return record.Unmarshal(b, h.restore)
		case 16:
			return h.lock.unmarshalRetention(b)
		case 17:
			h.lock.hold = v != 0
		case 24:
			h.transition = new(metapb.Restore)
			return record.Unmarshal(b, h.transition)
		}
		return nil
	})
}

// unmarshalPartExtents reads the size and the references of a part into p.
func unmarshalPartExtents(part []byte, p *metapb.Part) error {
	return record.Fields(part, func(num protowire.Number, v uint64, b []byte) error {
		switch num {
		case 2:
			p.Size = v
		case 7:
			r := new(metapb.ExtentRef)
			p.Extents = append(p.Extents, r)
			return record.Unmarshal(b, r)
		}
		return nil
	})
}
