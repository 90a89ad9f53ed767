package query

import (
	"slices"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// EntriesPageBytes bounds the values of a page of the directory: the page ends with the entry
// that passes it. So each page has an entry.
const EntriesPageBytes = 4 << 20

// listEntries answers a page of the directory or, if the asker has one and its revision is
// remembered, of what has changed in it since.
//
// Each page is of the state of its moment. So after the last of several pages the asker asks
// once more, with the config revision of the first page as have_revision: if the answer is
// `unchanged`, the pages are one directory; if it is differences, they are one together with
// these.
func (v *View) listEntries(q *metapb.ListEntries) (*metapb.EntriesAnswer, error) {
	a := &metapb.EntriesAnswer{}
	if q.HaveRevision != 0 && q.HaveRevision >= v.Applied.DirectoryRevision {
		a.Unchanged = true
		return a, nil
	}
	if q.HaveRevision != 0 && q.Differences {
		if names, ok := v.Directory.after(q.HaveRevision); ok {
			return a, v.changedEntries(q, names, a)
		}
	}
	prefix := keys.AppendKind(nil, keys.KindEntry)
	if q.Kind > 0 && q.Kind <= record.EntryKindMax {
		prefix = keys.AppendEntries(nil, uint8(q.Kind))
	}
	lower := prefix
	if q.AfterKind > 0 && q.AfterKind <= record.EntryKindMax {
		lower = append(keys.AppendEntry(nil, uint8(q.AfterKind), q.AfterName), 0)
	}
	upper := keys.PrefixEnd(append([]byte(nil), prefix...))
	limit, size := entriesLimit(q), 0
	err := record.Scan(v.Records, lower, upper, func(_, value []byte) error {
		if len(a.Entries) == limit || size > EntriesPageBytes {
			a.Truncated = true
			return record.ErrStop
		}
		size += len(value)
		e := new(metapb.Entry)
		a.Entries = append(a.Entries, e)
		return record.Unmarshal(value, e)
	})
	return a, err
}

// entriesLimit returns how many entries a page may have.
func entriesLimit(q *metapb.ListEntries) int {
	if q.Max == 0 {
		return PageMax
	}
	return int(min(q.Max, PageMax))
}

// changedEntries answers a page of what has become of the entries with these names: each is
// answered as it is now, or as removed.
func (v *View) changedEntries(q *metapb.ListEntries, names []record.EntryName, a *metapb.EntriesAnswer) error {
	a.Differences = true
	first := 0
	if q.AfterKind != 0 {
		last := record.EntryName{Kind: q.AfterKind, Name: q.AfterName}
		at, found := slices.BinarySearchFunc(names, last, record.EntryName.Compare)
		if first = at; found {
			first++
		}
	}
	limit, size := entriesLimit(q), 0
	for _, n := range names[first:] {
		if q.Kind > 0 && q.Kind <= record.EntryKindMax && n.Kind != q.Kind {
			continue
		}
		if len(a.Entries)+len(a.Removed) == limit || size > EntriesPageBytes {
			a.Truncated = true
			return nil
		}
		e := new(metapb.Entry)
		switch there, err := v.get(n.Key(v.key()), e); {
		case err != nil:
			return err
		case there:
			a.Entries = append(a.Entries, e)
			size += len(e.Value)
		default:
			a.Removed = append(a.Removed, &metapb.EntryName{Kind: n.Kind, Name: n.Name})
		}
	}
	return nil
}

// bucketAnswer answers a bucket, with its configuration and with what it holds if these are
// asked for.
func (v *View) bucketAnswer(q *metapb.GetBucket, a *metapb.Answer) (err error) {
	a.Bucket, err = v.bucket(q.Name, a)
	if a.Bucket == nil || err != nil {
		return err
	}
	if q.WithUsage {
		if a.BucketUsage, err = v.usage(a.Bucket.Id); err != nil {
			return err
		}
	}
	if !q.WithConfig {
		return nil
	}
	a.BucketConfig = new(metapb.BucketConfig)
	_, err = v.get(keys.AppendConfig(v.key(), a.Bucket.Id), a.BucketConfig)
	return err
}
