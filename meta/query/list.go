package query

import (
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// listObjects answers a page of the objects of a bucket, in the order of their keys. The page
// ends early, perhaps empty, when it has looked at ListSteps records. It then says where to go
// on, and whether that is right behind a key (Exact) or behind a common prefix.
func (v *View) listObjects(q *metapb.ListObjects, a *metapb.Answer) (*metapb.ListAnswer, error) {
	b, err := v.bucket(q.Bucket, a)
	if b == nil || err != nil {
		return nil, err
	}
	l := &metapb.ListAnswer{Bucket: b}
	limit := int(min(q.MaxKeys, PageMax))
	if limit == 0 {
		return l, nil
	}
	w := walk{kind: keys.KindObject, bucket: b.Id, prefix: q.Prefix, delimiter: q.Delimiter,
		after: q.After, inclusive: q.Inclusive, exact: q.Exact, steps: v.ListSteps,
		markers: b.Versioning != metapb.Versioning_VERSIONING_OFF}
	var ls lister
	err = w.run(v.Records, func(name, value, key []byte) error {
		e := ls.entry()
		if key == nil {
			e.Prefix = true
		} else if err := ls.version(e, value); err != nil {
			return err
		}
		if len(l.Entries) == limit {
			l.Truncated = true
			return record.ErrStop
		}
		e.Key = string(name)
		l.Entries, l.Next = append(l.Entries, e), e.Key
		return nil
	})
	if w.stopped {
		l.Truncated, l.Next, l.Exact = true, string(w.name), true
		if w.rolledUp > 0 {
			l.Next, l.Exact = string(w.name[:w.rolledUp]), false
		}
	}
	if !l.Truncated {
		l.Next = ""
	}
	return l, err
}

// upload answers an upload. If it is open, its state belongs to the answer, and its parts if
// these are asked for.
func (v *View) upload(q *metapb.GetUpload, a *metapb.Answer) (*metapb.UploadAnswer, error) {
	b, id, u, err := v.findUpload(q.Bucket, q.Key, q.UploadId, a)
	if u == nil || err != nil {
		return nil, err
	}
	r := &metapb.UploadAnswer{Bucket: b, Upload: u}
	if u.Completed != nil {
		return r, nil
	}
	r.State = new(metapb.UploadState)
	if ok, err := v.get(keys.AppendUploadState(v.key(), id), r.State); !ok || err != nil {
		return nil, orCorrupt(err, "an open upload has no state")
	}
	if q.WithParts {
		r.Parts, _, err = v.parts(id, 0, record.PartNumberMax)
	}
	return r, err
}

// orCorrupt returns err or, if it is nil, that a record is missing which another one needs.
func orCorrupt(err error, what string) error {
	if err != nil {
		return err
	}
	return record.Corrupt("%s", what)
}

// findUpload returns the upload of that id, with its bucket. If there is none of that bucket
// and key, it puts the refusal into a and returns no upload.
func (v *View) findUpload(bucket, key string, uploadID []byte, a *metapb.Answer) (
	*metapb.Bucket, keys.ID, *metapb.Upload, error,
) {
	b, err := v.bucket(bucket, a)
	if b == nil || err != nil {
		return nil, keys.ID{}, nil, err
	}
	u := new(metapb.Upload)
	id, ok := keys.ParseID(uploadID)
	if ok {
		if ok, err = v.get(keys.AppendUpload(v.key(), id), u); err != nil {
			return nil, id, nil, err
		}
	}
	if !ok || u.BucketId != b.Id || u.Key != key {
		a.Refusal = metapb.Refusal_REFUSAL_NO_SUCH_UPLOAD
		return b, id, nil, nil
	}
	return b, id, u, nil
}

// parts returns the parts of a content whose numbers are above after, at most limit of them,
// and whether there are more. Where their bytes are is left out.
func (v *View) parts(id keys.ID, after uint32, limit int) (parts []*metapb.Part, more bool, err error) {
	if after >= record.PartNumberMax || limit == 0 {
		return nil, false, nil
	}
	lower := keys.AppendPart(nil, id, after+1)
	upper := keys.PrefixEnd(keys.AppendParts(nil, id))
	var run []metapb.Part
	err = record.Scan(v.Records, lower, upper, func(_, value []byte) error {
		if len(parts) == limit {
			more = true
			return record.ErrStop
		}
		if len(run) == 0 {
			run = make([]metapb.Part, listerRun)
		}
		p := &run[0]
		run = run[1:]
		parts = append(parts, p)
		return unmarshalPartListing(value, p)
	})
	return parts, more, err
}

// listParts answers a page of the parts of an open upload.
func (v *View) listParts(q *metapb.ListParts, a *metapb.Answer) (*metapb.PartsAnswer, error) {
	b, id, u, err := v.findUpload(q.Bucket, q.Key, q.UploadId, a)
	if u == nil || err != nil {
		return nil, err
	}
	if u.Completed != nil {
		a.Refusal = metapb.Refusal_REFUSAL_NO_SUCH_UPLOAD
		return nil, nil
	}
	r := &metapb.PartsAnswer{Bucket: b, Upload: u}
	r.Parts, r.Truncated, err = v.parts(id, q.After, int(min(q.MaxParts, PageMax)))
	return r, err
}

// listUploads answers a page of the open uploads of a bucket, in the order of their keys, and
// for one key in the order in which they were begun.
func (v *View) listUploads(q *metapb.ListUploads, a *metapb.Answer) (*metapb.UploadsAnswer, error) {
	b, err := v.bucket(q.Bucket, a)
	if b == nil || err != nil {
		return nil, err
	}
	r := &metapb.UploadsAnswer{Bucket: b}
	limit := int(min(q.MaxUploads, PageMax))
	if limit == 0 {
		return r, nil
	}
	w := walk{kind: keys.KindOpenUpload, bucket: b.Id, prefix: q.Prefix, delimiter: q.Delimiter, after: q.KeyMarker}
	if w.from, err = v.uploadMarker(b.Id, q); err != nil {
		return nil, err
	}
	err = w.run(v.Records, func(name, _, key []byte) error {
		if len(r.Entries) == limit {
			r.Truncated = true
			return record.ErrStop
		}
		if key == nil {
			r.Entries = append(r.Entries, &metapb.UploadEntry{Prefix: string(name)})
			return nil
		}
		k, err := record.DecodeKey(key)
		if err != nil {
			return err
		}
		u := new(metapb.Upload)
		if ok, err := v.get(keys.AppendUpload(v.key(), k.ID), u); !ok || err != nil {
			return orCorrupt(err, "a listed upload does not exist")
		}
		r.Entries = append(r.Entries, &metapb.UploadEntry{Upload: u})
		return nil
	})
	return r, err
}

// uploadMarker returns the least key after the upload that the markers name; nil if they name
// none. If that upload is gone, nothing says any more where it was among those of its key. So
// all of these are listed again: a client can bear to see one twice, and not to miss one.
func (v *View) uploadMarker(bucket uint64, q *metapb.ListUploads) ([]byte, error) {
	id, ok := keys.ParseID(q.UploadIdMarker)
	if !ok || q.KeyMarker == "" {
		return nil, nil
	}
	u := new(metapb.Upload)
	found, err := v.get(keys.AppendUpload(v.key(), id), u)
	if err != nil {
		return nil, err
	}
	if !found || u.BucketId != bucket || u.Key != q.KeyMarker {
		return keys.AppendName(nil, keys.KindOpenUpload, bucket, q.KeyMarker), nil
	}
	return append(keys.AppendOpenUpload(nil, bucket, u.Key, u.Order, id), 0), nil
}
