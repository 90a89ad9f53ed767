package query

import (
	"slices"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/shard"
)

// listWork answers a page of what upkeep has to do. The next page goes on after the last item:
// after its index, volume, seq and id, as far as items of that kind have them.
func (v *View) listWork(q *metapb.ListWork) (*metapb.WorkAnswer, error) {
	if q.Kind == metapb.WorkKind_WORK_RESTORES || q.Kind == metapb.WorkKind_WORK_UPLOADS {
		return v.listNamedWork(q)
	}
	lower, kind, err := workStart(q)
	if err != nil {
		return nil, err
	}
	upper := keys.PrefixEnd(keys.AppendKind(nil, kind))
	switch {
	case q.Kind == metapb.WorkKind_WORK_MISSING && q.Volume != 0:
		after := shard.ExtentID{Volume: shard.VolumeID(q.Volume), Seq: q.AfterSeq}
		lower = append(keys.AppendMissing(nil, after), 0)
		upper = keys.AppendMissing(nil, shard.ExtentID{Volume: after.Volume + 1})
	case q.Kind == metapb.WorkKind_WORK_VOLUME:
		upper = keys.PrefixEnd(keys.AppendVolumeExtents(nil, shard.VolumeID(q.Volume)))
	}
	limit := int(min(q.Max, PageMax))
	if limit == 0 {
		limit = PageMax
	}
	a := &metapb.WorkAnswer{AppliedIndex: record.Position(v.Applied)}
	err = record.Scan(v.Records, lower, upper, func(key, value []byte) error {
		k, err := record.DecodeKey(key)
		if err != nil {
			return err
		}
		if q.BeforeIndex != 0 && k.Index >= q.BeforeIndex &&
			(kind == keys.KindUnreferenced || kind == keys.KindCompleted) {
			return record.ErrStop
		}
		if len(a.Items) == limit {
			a.Truncated = true
			return record.ErrStop
		}
		item, err := v.workItem(k, value)
		a.Items = append(a.Items, item)
		return err
	})
	return a, err
}

// workStart returns the least key that a page may begin at, and the kind of the keys. Errors:
// Invalid if the kind of work is of a newer release.
func workStart(q *metapb.ListWork) ([]byte, keys.Kind, error) {
	after := record.ExtentID(q.AfterVolume, q.AfterSeq)
	var id keys.ID
	copy(id[:], q.AfterId)
	fresh := q.AfterVolume == 0 && q.AfterSeq == 0 && q.AfterIndex == 0 && len(q.AfterId) == 0
	var key []byte
	var kind keys.Kind
	switch q.Kind {
	case metapb.WorkKind_WORK_GC:
		kind, key = keys.KindUnreferenced, keys.AppendUnreferenced(nil, q.AfterIndex, after)
	case metapb.WorkKind_WORK_DOOMED:
		kind, key = keys.KindDoomed, keys.AppendDoomed(nil, after)
	case metapb.WorkKind_WORK_MISSING:
		kind, key = keys.KindMissing, keys.AppendMissing(nil, after)
	case metapb.WorkKind_WORK_COMPLETED:
		kind, key = keys.KindCompleted, keys.AppendCompleted(nil, q.AfterIndex, id)
	case metapb.WorkKind_WORK_DROPPED:
		kind, key = keys.KindDropped, keys.AppendDropped(nil, id)
	case metapb.WorkKind_WORK_VOLUME:
		key = keys.AppendExtent(nil, shard.ExtentID{Volume: shard.VolumeID(q.Volume), Seq: q.AfterSeq})
		return append(key, 0), keys.KindExtent, nil
	default:
		return nil, 0, errs.Newf("state", errs.Invalid, "unknown kind of work: it was asked for by a newer release")
	}
	if fresh {
		return keys.AppendKind(nil, kind), kind, nil
	}
	return append(key, 0), kind, nil
}

// workItem describes the work that a record stands for.
func (v *View) workItem(k keys.Key, value []byte) (*metapb.WorkItem, error) {
	item := &metapb.WorkItem{Volume: uint32(k.Extent.Volume), Seq: k.Extent.Seq, Index: k.Index}
	switch k.Kind {
	case keys.KindDoomed:
		item.Doomed = new(metapb.Doomed)
		return item, record.Unmarshal(value, item.Doomed)
	case keys.KindExtent:
		item.Extent = new(metapb.Extent)
		return item, record.Unmarshal(value, item.Extent)
	case keys.KindCompleted:
		item.Id = slices.Clone(k.ID[:])
		return item, nil
	case keys.KindDropped:
		rec := new(metapb.DroppedContent)
		err := record.Unmarshal(value, rec)
		item.Id, item.Index = slices.Clone(k.ID[:]), rec.Index
		return item, err
	}
	item.Extent = new(metapb.Extent)
	ok, err := v.get(keys.AppendExtent(v.key(), k.Extent), item.Extent)
	if err == nil && !ok {
		err = record.Corrupt("extent %s is listed for upkeep and does not exist", k.Extent)
	}
	return item, err
}
