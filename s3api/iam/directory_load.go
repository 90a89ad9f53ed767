package iam

import (
	"cmp"
	"context"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// load returns the directory as of one revision, and whether it has changed. It reads what has
// changed since the current snapshot, or all of the directory if the metadata do not know that.
//
// Each page is answered from the state at that time, so changes that are made while load reads do
// not disturb it. But several pages may be of several states. So after the last of several pages
// load reads what has changed since the first one was answered, until one page has all of that.
// This page is of one state, and what it does not mention has not changed since it was read.
// Errors: Unavailable.
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

// loadChanges returns s with what has changed since, and how many pages it read: 0 if nothing has
// changed. After more than one page the snapshot may mix several states; its revision is that of
// the first page, and the caller has to load what has changed since then.
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
			return newSnapshot(0, nil), pages, nil // The metadata have forgotten what has changed: read all.
		}
		put, removed = append(put, page.GetEntries()...), append(removed, page.GetRemoved()...)
		if kind, name := lastOf(page); page.GetTruncated() && kind != 0 {
			q.AfterKind, q.AfterName = kind, name
			continue
		}
		return s.changed(revision, put, removed), pages, nil
	}
}

// lastOf returns the kind and name of the last entry of a page, in the order of the directory; 0
// and "" if the page is empty.
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
