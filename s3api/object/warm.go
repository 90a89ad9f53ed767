package object

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/alloc"
	"github.com/cairnstore/cairn/meta/metapb"
)

// Warm makes the warm copy of a cold version whose restore is due, as WORK_RESTORES
// lists it: its extents are re-encoded under the standard scheme, packages as they
// are, so no key is needed. The copy of a large version is committed in steps; one
// that is given up halfway is dropped when the next try begins. A version without
// extents is restored as it is. Nil too where the version is gone.
func (s *Service) Warm(ctx context.Context, it *metapb.WorkItem) error {
	restore := proto.CloneOf(it.Version.Restore)
	restore.ContentId, restore.Parts = newID(), it.Version.Parts
	w := newRenewing(s, it, alloc.Standard)
	w.command = func(b brought) *metapb.Command {
		if b.nothing {
			restore.ContentId = nil // It lies in its record: nothing is cold about it.
		}
		if b.done {
			restore.Ongoing, restore.ExpiresMs = false, restoreExpiry(time.Now(), restore.Days)
		}
		return &metapb.Command{Op: &metapb.Command_UpdateVersion{UpdateVersion: &metapb.UpdateVersion{
			Bucket: it.Bucket, Key: it.Key, VersionId: nameOf(it.Version), ContentId: it.Version.ContentId,
			Restore: restore, Parts: b.parts, Extents: b.extents, Layout: b.layout}}}
	}
	return versionGone(w.run(ctx))
}

// EndRestore makes a version cold again whose restore has expired, as WORK_RESTORES
// lists it. Nil too where its restore is another by now.
func (s *Service) EndRestore(ctx context.Context, it *metapb.WorkItem) error {
	a, err := s.query(ctx, Request{}, &metapb.Query{Op: &metapb.Query_Object{Object: versionOf(it)}})
	if err != nil {
		return versionGone(err)
	}
	if !proto.Equal(a.Object.Version.GetRestore(), it.Version.Restore) {
		return nil
	}
	_, err = s.commit(ctx, Request{}, &metapb.Command{Op: &metapb.Command_UpdateVersion{UpdateVersion: &metapb.UpdateVersion{
		Bucket: it.Bucket, Key: it.Key, VersionId: nameOf(it.Version), ContentId: it.Version.ContentId, ClearRestore: true}}})
	return versionGone(err)
}

// versionOf returns the query for the version of a work item, without content.
func versionOf(it *metapb.WorkItem) *metapb.GetObject {
	return &metapb.GetObject{Bucket: it.Bucket, Key: it.Key, VersionId: nameOf(it.Version), Range: metapb.RangeKind_RANGE_NONE}
}

// nameOf returns the name under which queries and commands find a version.
func nameOf(v *metapb.Version) string {
	if v.VersionId == "" {
		return nullVersion
	}
	return v.VersionId
}

// versionGone turns the errors of a version that is gone, or was overwritten, into
// success: nothing is left to do.
func versionGone(err error) error {
	for _, r := range []metapb.Refusal{metapb.Refusal_REFUSAL_NO_SUCH_BUCKET, metapb.Refusal_REFUSAL_NO_SUCH_KEY,
		metapb.Refusal_REFUSAL_NO_SUCH_VERSION, metapb.Refusal_REFUSAL_PRECONDITION_FAILED} {
		if isRefusal(err, r) {
			return nil
		}
	}
	return err
}
