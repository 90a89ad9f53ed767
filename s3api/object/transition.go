package object

import (
	"context"

	"github.com/cairnstore/cairn/meta/metapb"
)

// TransitionInput is a version whose class is to change, as it was when that was decided.
type TransitionInput struct {
	Bucket, Key string
	Version     *metapb.Version
	Class       string // The new class, as Attributes.StorageClass has it.
	CheckTags   bool   // The decision depends on the version's tags: they must be the same.
}

// Transition changes the storage class of a version. If the new class has another scheme, the
// extents are re-encoded, packages as they are, so no key is needed. A large version comes in
// steps. The last one puts the new content in place of the old one, all at once. It returns false
// if the version is gone, or is another one by now.
func (s *Service) Transition(ctx context.Context, in *TransitionInput) (bool, error) {
	v := in.Version
	it := &metapb.WorkItem{Bucket: in.Bucket, Key: in.Key, Version: v}
	cmd := func(b brought, content []byte) *metapb.Command {
		return &metapb.Command{Op: &metapb.Command_TransitionVersion{TransitionVersion: &metapb.TransitionVersion{
			Bucket: in.Bucket, Key: in.Key, VersionId: nameOf(v), ContentId: v.ContentId, StorageClass: in.Class,
			CheckTags: in.CheckTags, Tags: v.Tags, NewContentId: content, Parts: b.parts, Extents: b.extents, Layout: b.layout, Done: b.done}}}
	}
	to := placementOf(&metapb.Attributes{StorageClass: in.Class})
	same, err := s.alloc.SameScheme(ctx, placementOf(v.Attributes), to)
	if err != nil {
		return false, err
	}
	if same {
		_, err = s.commit(ctx, Request{}, cmd(brought{done: true}, nil))
	} else {
		w, content := newRenewing(s, it, to), newID()
		w.command = func(b brought) *metapb.Command {
			if b.nothing {
				return cmd(b, nil)
			}
			return cmd(b, content)
		}
		err = w.run(ctx)
	}
	if err == nil {
		return true, nil
	}
	return false, versionGone(err)
}
