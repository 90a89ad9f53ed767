package query

import (
	"bytes"
	"slices"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// listNamedWork answers a page of the work that has a bucket and a key: restores that are due,
// and open uploads. The next page goes on after the index and the id of the last item.
func (v *View) listNamedWork(q *metapb.ListWork) (*metapb.WorkAnswer, error) {
	kind, item := keys.KindUploadState, v.uploadItem // Open uploads have a state, and no others.
	lower := keys.AppendKind(nil, kind)
	if q.Kind == metapb.WorkKind_WORK_RESTORES {
		kind, item = keys.KindRestore, v.restoreItem
		lower = keys.AppendKind(nil, kind)
	}
	upper := keys.PrefixEnd(slices.Clone(lower))
	switch {
	case len(q.AfterId) == 0:
	case kind == keys.KindRestore:
		lower = append(keys.AppendRestoreFrom(nil, q.AfterIndex, q.AfterId), 0)
	default:
		lower = append(append(lower, q.AfterId...), 0)
	}
	if kind == keys.KindRestore && q.BeforeIndex != 0 {
		upper = keys.AppendRestoreFrom(nil, q.BeforeIndex, nil)
	}
	limit := int(min(q.Max, PageMax))
	if limit == 0 {
		limit = PageMax
	}
	a := &metapb.WorkAnswer{AppliedIndex: record.Position(v.Applied)}
	if bytes.Compare(lower, upper) >= 0 {
		return a, nil
	}
	err := record.Scan(v.Records, lower, upper, func(key, value []byte) error {
		if len(a.Items) == limit {
			a.Truncated = true
			return record.ErrStop
		}
		i, err := item(key, value)
		a.Items = append(a.Items, i)
		return err
	})
	return a, err
}

// restoreItem describes a version whose restore is listed. The index of the item is the time in
// ms, and its id is the rest of the key, so that a page can go on there. The version is the
// latest or an older one: the list does not say which.
func (v *View) restoreItem(key, bucket []byte) (*metapb.WorkItem, error) {
	k, err := record.DecodeKey(key)
	if err != nil {
		return nil, err
	}
	item := &metapb.WorkItem{Index: k.Index, Id: slices.Clone(keys.RestoreRest(key)), Bucket: string(bucket),
		Key: k.Name, Version: new(metapb.Version)}
	ok, err := v.get(keys.AppendObject(v.key(), k.Bucket, k.Name), item.Version)
	if err != nil {
		return nil, err
	}
	if ok && item.Version.Order == k.Order {
		return item, nil
	}
	ok, err = v.get(keys.AppendOlder(v.key(), k.Bucket, k.Name, k.Order), item.Version)
	if !ok || err != nil {
		return nil, orCorrupt(err, "a version is listed by its restore and does not exist")
	}
	return item, nil
}

// uploadItem describes an open upload.
func (v *View) uploadItem(key, _ []byte) (*metapb.WorkItem, error) {
	k, err := record.DecodeKey(key)
	if err != nil {
		return nil, err
	}
	u := new(metapb.Upload)
	if ok, err := v.get(keys.AppendUpload(v.key(), k.ID), u); !ok || err != nil {
		return nil, orCorrupt(err, "an upload has a state and does not exist")
	}
	return &metapb.WorkItem{Id: u.Id, Bucket: u.Bucket, Key: u.Key, Upload: u}, nil
}
