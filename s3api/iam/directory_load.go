package iam

import (
	"cmp"
	"context"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// load returns the directory as of one revision, and whether it has changed. It reads
// what has changed since the snapshot that there is; where the metadata cannot tell, all
// of it. Each page is answered by the state that there is at the time, so nobody who
// changes something meanwhile disturbs the reading. After the last of several pages, what
// has changed since the first was answered is read too, until one page has all of that:
// that page is of one state, and what was not changed until then is as it was read.
func (d *Directory) load(ctx context.Context) (_ *snapshot, changed bool, _ error) {
	s := d.current.Load()
	for range maxLoadRounds {
		next, pages, err := d.loadChanges(ctx, s)
		if err != nil {
			return nil, false, err
		}
		changed = changed || pages > 0
		if s = next; pages <= 1 {
			return s, changed, nil
		}
	}
	return nil, false, errs.Newf("iam.load", errs.Unavailable,
		"the directory could not be read, in %d tries, as fast as it changes", maxLoadRounds)
}

// loadChanges returns a snapshot with what has changed since, and in how many pages that
// was read: none if nothing has; if several, it is to be asked again what has changed
// since the revision that the snapshot has then.
func (d *Directory) loadChanges(ctx context.Context, s *snapshot) (_ *snapshot, pages int, _ error) {
	var put []*metapb.Entry
	var removed []*metapb.EntryName
	q := &metapb.ListEntries{Max: d.page, HaveRevision: s.revision, Differences: true}
	revision := uint64(0)
	for pages = 1; ; pages++ {
		a, err := d.read(ctx, q)
		if err != nil {
			return nil, 0, err
		}
		page := a.GetDirectory()
		switch {
		case pages == 1 && page.GetUnchanged():
			same := *s
			same.revision = max(s.revision, a.ConfigRevision)
			return &same, 0, nil
		case pages == 1:
			revision = max(a.ConfigRevision, 1)
			if !page.GetDifferences() {
				s, q.HaveRevision = newSnapshot(0, nil), 0
			}
		case page.GetUnchanged() || page.GetDifferences() != (q.HaveRevision != 0):
			return newSnapshot(0, nil), pages, nil // What has changed was forgotten meanwhile: all of it is to be read.
		}
		put, removed = append(put, page.GetEntries()...), append(removed, page.GetRemoved()...)
		if kind, name := lastOf(page); page.GetTruncated() && kind != 0 {
			q.AfterKind, q.AfterName = kind, name
			continue
		}
		return s.changed(revision, put, removed), pages, nil
	}
}

// lastOf returns what a page ends with, in the order of the directory; 0 of an empty one.
func lastOf(page *metapb.EntriesAnswer) (kind metapb.EntryKind, name string) {
	if n := len(page.GetEntries()); n > 0 {
		kind, name = page.Entries[n-1].Kind, page.Entries[n-1].Name
	}
	if n := len(page.GetRemoved()); n > 0 {
		if last := page.Removed[n-1]; cmp.Or(cmp.Compare(last.Kind, kind), cmp.Compare(last.Name, name)) > 0 {
			kind, name = last.Kind, last.Name
		}
	}
	return kind, name
}
