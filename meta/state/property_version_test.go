package state

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// newVersionID draws none, a new one, or one that may be in use.
func (g *generator) newVersionID() string {
	switch g.int("version id", 4) {
	case 0:
		return ""
	case 1:
		return fmt.Sprint("v", g.int("which", 8))
	}
	g.ids++
	return fmt.Sprint("v", g.ids)
}

// versionsOf returns the versions of a key, as the model has them.
func (g *generator) versionsOf(bucket, key string) []*metapb.Version {
	b := g.m.buckets[bucket]
	if b == nil {
		return nil
	}
	return g.m.versions[objectName{b.Id, key}]
}

// versionOf draws how a client names a version of a key: not, or one that most
// often exists.
func (g *generator) versionOf(bucket, key string) string {
	names := []string{"", "", "null", "other"}
	for _, v := range g.versionsOf(bucket, key) {
		if v.VersionId != "" {
			names = append(names, v.VersionId)
		}
	}
	return pick(g, "version", names)
}

// restorable draws a version to restore, most often one that is being restored.
func (g *generator) restorable() (bucket, key string, v *metapb.Version) {
	type place struct {
		bucket, key string
		v           *metapb.Version
	}
	var all, restoring []place
	for _, bucket := range []string{"a", "b"} {
		for _, key := range []string{"k", "k/1", "\x00", "z"} {
			for _, v := range g.versionsOf(bucket, key) {
				p := place{bucket, key, v}
				if v.DeleteMarker {
					continue
				}
				all = append(all, p)
				if v.Restore != nil {
					restoring = append(restoring, p)
				}
			}
		}
	}
	if len(restoring) > 0 && !g.chance("another", 4) {
		all = restoring
	}
	if len(all) == 0 {
		return g.bucket(), g.name(), nil
	}
	p := pick(g, "restorable", all)
	return p.bucket, p.key, p.v
}

func (g *generator) updateOp() *metapb.Command {
	op := &metapb.UpdateVersion{}
	var v *metapb.Version
	if op.Bucket, op.Key, v = g.restorable(); v == nil || g.chance("any", 12) {
		op.VersionId = g.versionOf(op.Bucket, op.Key)
	} else {
		op.VersionId, op.ContentId = record.ShownVersionID(v.VersionId), v.ContentId
		if g.chance("other content", 12) {
			op.ContentId = g.newID()
		}
	}
	switch g.int("update", 12) {
	case 10, 11:
		op.Lock = g.versionLock()
	case 0:
		op.Acl = &metapb.Acl{Grants: []*metapb.Grant{{Account: "x"}}}
	case 1:
		op.SetTags = true
		if g.chance("tags", 2) {
			op.Tags = []*metapb.Pair{{Name: "n"}}
		}
	case 2:
		op.ClearRestore = true
	case 3:
		op.Restore = &metapb.Restore{Ongoing: true, DueMs: int64(g.int("due", 5))}
	default:
		if v != nil {
			g.bringCopy(op, v)
		}
	}
	return &metapb.Command{Op: &metapb.Command_UpdateVersion{UpdateVersion: op}}
}

// bringCopy draws a step of the copy of a version: the next part of it, or its end.
func (g *generator) bringCopy(op *metapb.UpdateVersion, v *metapb.Version) {
	old := v.Restore
	r := &metapb.Restore{Ongoing: g.chance("more", 3), ContentId: old.GetContentId(),
		Parts: v.Parts, ExpiresMs: int64(g.int("expires", 5)), DueMs: int64(g.int("due", 5))}
	op.Restore = r
	whole := old != nil && !old.Ongoing && len(old.ContentId) > 0
	if len(r.ContentId) == 0 || g.chance("new copy", 8) {
		r.ContentId, whole = g.newID(), false
	}
	if whole && !g.chance("more of it", 6) {
		return
	}
	numbers := []uint32{1}
	content := keys.ID(v.ContentId)
	if v.Parts > 0 {
		l := g.m.layouts[content]
		if numbers = slices.Clone(l.Numbers); !r.Ongoing {
			op.Layout = proto.Clone(l).(*metapb.Layout)
		}
	}
	fresh := map[uint64]bool{}
	for _, n := range numbers {
		if g.chance("not this part", 8) {
			continue
		}
		p, extents := g.part(n)
		if src := g.m.parts[partName{content, n}]; src != nil && p.Size != src.Size && !g.chance("other size", 12) {
			p, extents = proto.Clone(src).(*metapb.Part), nil // Of the same extents.
			p.ModifiedMs = 0
		}
		if len(extents) > 0 && fresh[extents[0].Seq] {
			continue
		}
		if len(extents) > 0 {
			fresh[extents[0].Seq] = true
		}
		op.Parts, op.Extents = append(op.Parts, p), append(op.Extents, extents...)
	}
}
