package state

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
)

// Records read where only some of their fields are wanted: protowire skips the
// rest, which saves the allocations that a full decoding of each record costs
// lists and deletions. The numbers are those of records.proto; a test compares
// each of these with the full decoding.

// fields calls f with every field of a message: v holds a varint, b the bytes of
// a length-delimited field.
func fields(msg []byte, f func(num protowire.Number, v uint64, b []byte) error) error {
	for len(msg) > 0 {
		num, typ, n := protowire.ConsumeTag(msg)
		if n < 0 {
			return undecodable(protowire.ParseError(n))
		}
		msg = msg[n:]
		var v uint64
		var b []byte
		switch typ {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(msg)
		case protowire.BytesType:
			b, n = protowire.ConsumeBytes(msg)
		default:
			n = protowire.ConsumeFieldValue(num, typ, msg)
		}
		if n < 0 {
			return undecodable(protowire.ParseError(n))
		}
		msg = msg[n:]
		if err := f(num, v, b); err != nil {
			return err
		}
	}
	return nil
}

// head is what a command needs of the version that it replaces, keeps or deletes.
type head struct {
	content      keys.ID // Not of a delete marker.
	multipart    bool
	deleteMarker bool
	etag         string
	versionID    string // As stored.
	order        uint64
	restore      *metapb.Restore
	size         uint64
	modifiedMS   int64
	lock         lock
	transition   *metapb.Restore // As of Version.

	keepRaw bool
	raw     []byte // The record, if keepRaw is set: it may have to move.
}

func (h *head) unmarshal(version []byte) error {
	if h.keepRaw {
		h.raw = slices.Clone(version)
	}
	return fields(version, func(num protowire.Number, v uint64, b []byte) error {
		switch num {
		case 1:
			if len(b) != len(h.content) {
				return corrupt("a version has no content id")
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
			return unmarshal(b, h.restore)
		case 16:
			return h.lock.unmarshalRetention(b)
		case 17:
			h.lock.hold = v != 0
		case 24:
			h.transition = new(metapb.Restore)
			return unmarshal(b, h.transition)
		}
		return nil
	})
}

// isDeleteMarker reads just that of a version.
func isDeleteMarker(version []byte) (is bool, err error) {
	err = fields(version, func(num protowire.Number, v uint64, _ []byte) error {
		if num == 4 {
			is = v != 0
		}
		return nil
	})
	return is, err
}

// unmarshalPartExtents reads size and references of a part.
func unmarshalPartExtents(part []byte, p *metapb.Part) error {
	return fields(part, func(num protowire.Number, v uint64, b []byte) error {
		switch num {
		case 2:
			p.Size = v
		case 7:
			r := new(metapb.ExtentRef)
			p.Extents = append(p.Extents, r)
			return unmarshal(b, r)
		}
		return nil
	})
}

// unmarshalPartListing reads a part without what says where its bytes are.
func unmarshalPartListing(part []byte, p *metapb.Part) error {
	return fields(part, func(num protowire.Number, v uint64, b []byte) error {
		switch num {
		case 1:
			p.Number = uint32(v)
		case 2:
			p.Size = v
		case 3:
			p.Etag = string(b)
		case 4:
			p.ModifiedMs = int64(v)
		case 9:
			c := new(metapb.Checksum)
			p.Checksums = append(p.Checksums, c)
			return unmarshal(b, c)
		}
		return nil
	})
}

// lister makes list entries of versions. It allocates entries in runs and keeps
// strings that repeat.
type lister struct {
	run                            []metapb.ListEntry
	owner, storageClass, className string
	algorithms                     []string // Of the last entry that has one.
}

const listerRun = 64

// entry returns a new entry.
func (l *lister) entry() *metapb.ListEntry {
	if len(l.run) == 0 {
		l.run = make([]metapb.ListEntry, listerRun)
	}
	e := &l.run[0]
	l.run = l.run[1:]
	return e
}

// version fills e from a version.
func (l *lister) version(e *metapb.ListEntry, version []byte) error {
	return fields(version, func(num protowire.Number, v uint64, b []byte) error {
		switch num {
		case 5:
			e.Size = v
		case 6:
			e.Etag = string(b)
		case 7:
			e.ModifiedMs = int64(v)
		case 8:
			return l.attributes(e, b)
		case 11:
			return l.checksum(e, b)
		case 12:
			e.Owner = same(&l.owner, b)
		case 15:
			e.Restore = new(metapb.Restore)
			return unmarshal(b, e.Restore)
		}
		return nil
	})
}

// Fields of Attributes.
const (
	fieldStorageClass = 4
	fieldClassName    = 280
)

func (l *lister) attributes(e *metapb.ListEntry, b []byte) error {
	return fields(b, func(num protowire.Number, _ uint64, b []byte) error {
		switch num {
		case fieldStorageClass:
			e.StorageClass = same(&l.storageClass, b)
		case fieldClassName:
			e.ClassName = same(&l.className, b)
		}
		return nil
	})
}

func (l *lister) checksum(e *metapb.ListEntry, b []byte) error {
	return fields(b, func(num protowire.Number, v uint64, b []byte) error {
		switch num {
		case 1:
			if len(e.ChecksumAlgorithms) == 0 && len(l.algorithms) == 1 && l.algorithms[0] == string(b) {
				e.ChecksumAlgorithms = l.algorithms
				return nil
			}
			e.ChecksumAlgorithms = append(slices.Clip(e.ChecksumAlgorithms), string(b))
			l.algorithms = e.ChecksumAlgorithms
		case 3:
			e.ChecksumComposite = v != 0
		}
		return nil
	})
}

// same returns b as a string: *last, if that is equal.
func same(last *string, b []byte) string {
	if *last != string(b) {
		*last = string(b)
	}
	return *last
}

// unmarshalVersionListing reads what lists of versions show.
func unmarshalVersionListing(version []byte, ver *metapb.Version) error {
	if err := unmarshal(version, ver); err != nil {
		return err
	}
	if a := ver.Attributes; a != nil {
		ver.Attributes = &metapb.Attributes{StorageClass: a.StorageClass, ClassName: a.ClassName}
	}
	for _, c := range ver.Checksums {
		c.Value = nil
	}
	ver.Encryption, ver.Acl = nil, nil
	return nil
}
