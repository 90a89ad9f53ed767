package object

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/alloc"
	"github.com/cairnstore/cairn/meta/metapb"
)

// Warm makes the warm copy of a cold version whose restore is due, as WORK_RESTORES lists it. Its
// extents are re-encoded under the standard scheme, packages as they are, so no key is needed. A
// large version is copied in steps. If a try ends halfway, the next one drops what it made. A
// version without extents is restored as it is. Warm returns nil if the version is gone.
func (s *Service) Warm(ctx context.Context, it *metapb.WorkItem) error {
	restore := proto.CloneOf(it.Version.Restore)
	restore.ContentId, restore.Parts = newID(), it.Version.Parts
	w := newRenewing(s, it, alloc.Standard)
	w.command = func(b brought) *metapb.Command {
		if b.nothing {
			restore.ContentId = nil // The bytes lie in the record, which is never cold.
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

// EndRestore makes a version cold again whose restore has expired, as WORK_RESTORES lists it. It
// returns nil if the version is gone or has another restore by now.
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

// nameOf returns the version id by which queries and commands find a version.
func nameOf(v *metapb.Version) string {
	if v.VersionId == "" {
		return nullVersion
	}
	return v.VersionId
}

// versionGone returns nil for the errors that say that a version is gone, or was overwritten:
// nothing is left to be done. Other errors come back as they are.
func versionGone(err error) error {
	for _, r := range []metapb.Refusal{metapb.Refusal_REFUSAL_NO_SUCH_BUCKET, metapb.Refusal_REFUSAL_NO_SUCH_KEY,
		metapb.Refusal_REFUSAL_NO_SUCH_VERSION, metapb.Refusal_REFUSAL_PRECONDITION_FAILED} {
		if isRefusal(err, r) {
			return nil
		}
	}
	return err
}
