package query

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// Lists read very many records and want few of their fields, so they do not decode them whole
// (record.Fields). Tests compare what they read with the whole.

// unmarshalPartListing reads what lists show of a part into p: all but where its bytes are.
func unmarshalPartListing(part []byte, p *metapb.Part) error {
	return record.Fields(part, func(num protowire.Number, v uint64, b []byte) error {
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
			return record.Unmarshal(b, c)
		}
		return nil
	})
}

// lister makes list entries of versions. To save allocations it makes entries in runs, and uses
// a string again if the next entry has an equal one: most have the same owner and class.
type lister struct {
	run                            []metapb.ListEntry
	owner, storageClass, className string
	algorithms                     []string // Of the last entry that has a checksum.
}

const listerRun = 64

// entry returns an empty entry.
func (l *lister) entry() *metapb.ListEntry {
	if len(l.run) == 0 {
		l.run = make([]metapb.ListEntry, listerRun)
	}
	e := &l.run[0]
	l.run = l.run[1:]
	return e
}

// version fills e with what lists show of a version, given its record.
func (l *lister) version(e *metapb.ListEntry, version []byte) error {
	return record.Fields(version, func(num protowire.Number, v uint64, b []byte) error {
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
			return record.Unmarshal(b, e.Restore)
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
	return record.Fields(b, func(num protowire.Number, _ uint64, b []byte) error {
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
	return record.Fields(b, func(num protowire.Number, v uint64, b []byte) error {
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

// same returns b as a string. If *last is equal it returns that, else it also becomes *last.
func same(last *string, b []byte) string {
	if *last != string(b) {
		*last = string(b)
	}
	return *last
}

// unmarshalVersionListing reads what lists of versions show into ver.
func unmarshalVersionListing(version []byte, ver *metapb.Version) error {
	if err := record.Unmarshal(version, ver); err != nil {
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
