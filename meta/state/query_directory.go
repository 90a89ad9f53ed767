package state

import (
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
)

// entriesPageBytes bounds the values of one page of the directory; a page has at
// least one entry.
const entriesPageBytes = 4 << 20

// listEntries answers a page of the directory. Pages belong together if they came
// with one config revision, or if a later query with the first one's as
// have_revision is answered `unchanged`.
func (v *view) listEntries(q *metapb.ListEntries) (*metapb.EntriesAnswer, error) {
	a := &metapb.EntriesAnswer{}
	if q.HaveRevision != 0 && q.HaveRevision >= v.applied.DirectoryRevision {
		a.Unchanged = true
		return a, nil
	}
	prefix := keys.AppendKind(nil, keys.KindEntry)
	if q.Kind > 0 && q.Kind <= entryKindMax {
		prefix = keys.AppendEntries(nil, uint8(q.Kind))
	}
	lower := prefix
	if q.AfterKind > 0 && q.AfterKind <= entryKindMax {
		lower = append(keys.AppendEntry(nil, uint8(q.AfterKind), q.AfterName), 0)
	}
	upper := keys.PrefixEnd(append([]byte(nil), prefix...))
	limit := int(min(q.Max, pageMax))
	if limit == 0 {
		limit = pageMax
	}
	size := 0
	err := scan(v.snap, lower, upper, func(_, value []byte) error {
		if len(a.Entries) == limit || size > entriesPageBytes {
			a.Truncated = true
			return errStop
		}
		size += len(value)
		e := new(metapb.Entry)
		a.Entries = append(a.Entries, e)
		return unmarshal(value, e)
	})
	return a, err
}

// bucketAnswer answers a bucket and, if asked for, its configuration and what it holds.
func (v *view) bucketAnswer(q *metapb.GetBucket, a *metapb.Answer) (err error) {
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
