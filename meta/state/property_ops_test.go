package state

import (
	"fmt"
	"maps"
	"slices"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

func (g *generator) uploadOp(u *metapb.Upload) *metapb.Command {
	id := keys.ID(u.Id)
	switch g.int("upload op", 10) {
	case 0:
		return &metapb.Command{Op: &metapb.Command_AbortUpload{AbortUpload: &metapb.AbortUpload{
			UploadId: u.Id, Bucket: u.Bucket, Key: u.Key}}}
	case 1, 2, 3:
		numbers := slices.Sorted(maps.Keys(g.m.numbersOf(id)))
		l := &metapb.Layout{}
		var size uint64
		for i, n := range numbers {
			if i == 0 || !g.chance("unlisted", 4) {
				l.Numbers = append(l.Numbers, n)
				l.Sizes = append(l.Sizes, g.m.parts[partName{id, n}].Size)
				size += l.Sizes[len(l.Sizes)-1]
			}
		}
		if len(numbers) > 0 || g.m.states[id] == nil {
			state := g.m.states[id]
			return &metapb.Command{Op: &metapb.Command_CompleteUpload{CompleteUpload: &metapb.CompleteUpload{
				UploadId: u.Id, Bucket: u.Bucket, Key: u.Key, Initiator: pick(g, "initiator", []string{"i", "i", "i", "j"}),
				Revision: state.GetRevision() - uint64(g.int("stale", 5)/4), Layout: l, Conditions: g.conditions(),
				ListDigest: []byte{byte(g.int("digest", 2))},
				Version:    &metapb.Version{VersionId: g.newVersionID(), Size: size, Parts: uint32(len(l.Numbers)), Etag: fmt.Sprint("e", g.int("etag", 3))}}}}
		}
	}
	p, fresh := g.part(uint32(1 + g.int("number", 5)))
	c := &metapb.PutPart{UploadId: u.Id, Bucket: u.Bucket, Key: u.Key,
		Initiator: pick(g, "initiator", []string{"i", "i", "i", "", "j"}), Part: p, Extents: fresh}
	if pins := sortedIDs(g.m.pins); len(pins) > 0 && g.chance("drop pin", 2) {
		pin := pick(g, "pin", pins)
		c.Pin = pin[:]
	}
	return &metapb.Command{Op: &metapb.Command_PutPart{PutPart: c}}
}

func (g *generator) sessionOp() *metapb.Command {
	switch g.int("session op", 8) {
	case 0:
		s := &client{session: g.newID()}
		g.sessions = append(g.sessions, s)
		return &metapb.Command{Op: &metapb.Command_OpenSession{OpenSession: &metapb.OpenSession{
			Node: uint64(1 + g.int("node", 2)), Session: s.session}}}
	case 1:
		c := &metapb.ReleaseLeases{}
		c.Blocks = []*metapb.LeaseBlock{{Volume: uint32(1 + g.int("volume", 3)), Block: uint64(g.int("block", 4))}}
		return &metapb.Command{Op: &metapb.Command_ReleaseLeases{ReleaseLeases: c}}
	case 2:
		pins := sortedIDs(g.m.pins)
		c := &metapb.DropPins{Pins: [][]byte{id(999999)}}
		if len(pins) > 0 {
			pin := pick(g, "pin", pins)
			c.Pins = append(c.Pins, pin[:])
		}
		return &metapb.Command{Op: &metapb.Command_DropPins{DropPins: c}}
	case 3, 4, 5:
		return &metapb.Command{Op: &metapb.Command_AddPin{AddPin: &metapb.AddPin{Pin: g.newID(), Extents: g.refs(4)}}}
	}
	return &metapb.Command{Op: &metapb.Command_LeaseExtents{LeaseExtents: &metapb.LeaseExtents{
		Volumes: []uint32{uint32(1 + g.int("volume", 2+g.int("bad volume", 2)))}}}}
}

func (g *generator) upkeepOp() *metapb.Command {
	switch g.int("upkeep", 7) {
	case 0:
		return &metapb.Command{Op: &metapb.Command_SetMissing{SetMissing: &metapb.SetMissing{Add: g.slots(), Remove: g.slots()}}}
	case 1, 2:
		return &metapb.Command{Op: &metapb.Command_DoomExtents{DoomExtents: &metapb.DoomExtents{
			Extents: g.slots(), BeforeIndex: g.m.index - uint64(min(g.int("young", 3), int(g.m.index)))}}}
	case 3:
		return &metapb.Command{Op: &metapb.Command_ForgetExtents{ForgetExtents: &metapb.ForgetExtents{Extents: g.slots()}}}
	case 4:
		c := &metapb.ForgetUploads{}
		for _, u := range g.uploads {
			if g.chance("forget", 4) {
				c.UploadIds = append(c.UploadIds, u.Id)
			}
		}
		return &metapb.Command{Op: &metapb.Command_ForgetUploads{ForgetUploads: c}}
	case 5:
		old, fresh := g.refs(2), g.newExtent(shard.ExtentID{Volume: 1, Seq: 1}, 0)
		if id, ok := g.freshID(); ok {
			fresh = g.newExtent(id, uint32(g.int("missing", 3)))
		}
		if len(old) > 0 {
			return &metapb.Command{Op: &metapb.Command_ReplaceExtent{ReplaceExtent: &metapb.ReplaceExtent{
				OldVolume: old[0].Volume, OldSeq: old[0].Seq, Extent: fresh}}}
		}
	}
	c := &metapb.TrimContents{Max: uint32(g.int("max", 8))}
	for _, id := range sortedIDs(g.m.dropped) {
		c.ContentIds = append(c.ContentIds, id[:])
	}
	return &metapb.Command{Op: &metapb.Command_TrimContents{TrimContents: c}}
}
