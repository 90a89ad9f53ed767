package state

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/shard"
)

// Sessions, contents and a pin of the actors.
var (
	session1, session2, session3 = id(1), id(2), id(3)

	contentBase, contentOf1, contentOf2, contentCopied, contentWarm = id(10), id(11), id(12), id(13), id(14)

	pinOfCopier = id(20)
)

// exploredTruth says of which extents each content is, in order.
var exploredTruth = map[keys.ID][]int{
	keys.ID(contentBase): {0, 1, 0}, keys.ID(contentOf1): {2}, keys.ID(contentOf2): {3}, keys.ID(contentWarm): {0, 1, 0},
}

// truthOf returns the extents of a content that an actor has seen; nil if it has seen none.
func truthOf(saw string) []int {
	id, _ := keys.ParseID([]byte(saw))
	return exploredTruth[id]
}

func refsOf(extents []int) (refs []*metapb.ExtentRef) {
	for _, i := range extents {
		x := exploredExtents[i]
		refs = append(refs, &metapb.ExtentRef{Volume: uint32(x.Volume), Seq: x.Seq, Length: extentBytes})
	}
	return refs
}

func partOf(extents []int) *metapb.Part {
	return &metapb.Part{Number: 1, Size: uint64(len(extents) * extentBytes), Etag: "e", Extents: refsOf(extents)}
}

func freshExtent(i int, missing, epoch uint32) *metapb.NewExtent {
	x := exploredExtents[i]
	return &metapb.NewExtent{Volume: uint32(x.Volume), Seq: x.Seq, VolumeEpoch: epoch,
		Extent: &metapb.Extent{PlainBytes: extentBytes, Missing: missing}}
}

func putOf(key string, content []byte, extents []int, fresh ...*metapb.NewExtent) *metapb.Command {
	p := partOf(extents)
	return &metapb.Command{Op: &metapb.Command_PutObject{PutObject: &metapb.PutObject{Bucket: "b", Key: key,
		Version: &metapb.Version{ContentId: content, Size: p.Size, Etag: "e", ModifiedMs: 1, Owner: "me"}, Part: p, Extents: fresh}}}
}

// prepareExplored makes two volumes on three of four drives, two sessions of two nodes,
// and b/k: three references to two extents. It returns what lies on the drives.
func prepareExplored(t *testing.T, m *machine) (there disks) {
	node := &metapb.Node{Id: 1}
	for i := range exploredDrives {
		node.Drives = append(node.Drives, &metapb.Drive{Id: uint64(exploredDrive + i), CapacityBytes: 1 << 30})
	}
	slots := []uint64{exploredDrive, exploredDrive + 1, exploredDrive + 2}
	m.apply(&metapb.Command{Op: &metapb.Command_FormCluster{FormCluster: &metapb.FormCluster{Id: "c"}}})
	m.apply(&metapb.Command{Op: &metapb.Command_RegisterNode{RegisterNode: &metapb.RegisterNode{Node: node}}})
	m.apply(&metapb.Command{Op: &metapb.Command_RegisterNode{RegisterNode: &metapb.RegisterNode{Node: &metapb.Node{Id: 2}}}})
	one, two := &client{m: m, session: session1}, &client{m: m, session: session2}
	for i, s := range [][]byte{session1, session2} {
		m.apply(&metapb.Command{Op: &metapb.Command_OpenSession{OpenSession: &metapb.OpenSession{Node: uint64(i + 1), Session: s}}})
	}
	one.ok(t, &metapb.Command{Op: &metapb.Command_CreateVolumes{CreateVolumes: &metapb.CreateVolumes{ViewEpoch: m.s.cluster.ViewEpoch,
		Volumes: []*metapb.Volume{{K: 1, M: 2, Slots: slots}, {K: 1, M: 2, Slots: slots}}}}})
	one.ok(t, &metapb.Command{Op: &metapb.Command_LeaseExtents{LeaseExtents: &metapb.LeaseExtents{Volumes: []uint32{1, 2}}}})
	two.ok(t, &metapb.Command{Op: &metapb.Command_LeaseExtents{LeaseExtents: &metapb.LeaseExtents{Volumes: []uint32{1}}}})
	one.bucket(t, "b")
	one.ok(t, putOf("k", contentBase, exploredTruth[keys.ID(contentBase)], freshExtent(0, 0, 1), freshExtent(1, 0, 1)))
	for _, x := range exploredExtents[:2] {
		for slot, drive := range slots {
			there |= bit(x, slot, drive)
		}
	}
	require.NoError(t, m.s.Check())
	return there
}

func everyActor() []actor {
	return []actor{
		{"writer 1", writerOf(session1, contentOf1, 2, 0b111)},
		{"writer 2", writerOf(session2, contentOf2, 3, 0b011)},
		{"reader", stepReader}, {"copier", stepCopier}, {"restorer", stepRestorer}, {"mover", stepMover},
		{"gc", stepGC}, {"deleter of shards", stepDoomed}, {"trimmer", stepTrimmer}, {"session end", stepSession},
		{"deletion", stepDeletion}, {"sweeper of 100", sweeperOf(100)}, {"sweeper of 103", sweeperOf(103)},
	}
}

// writerOf writes an extent to the slots of a set, as its volume is then, and commits it
// as b/k. One that is refused deletes what it wrote; one whose session has ended is a
// process that is no more.
func writerOf(session, content []byte, extent int, slots shard.SlotSet) func(*scene) bool {
	x := exploredExtents[extent]
	return func(w *scene) bool {
		switch w.memo.phase {
		case 0:
			v := w.volume(uint32(x.Volume))
			var to []string
			for slot, drive := range v.Slots {
				if slots.Has(slot) {
					w.write(x, slot, drive)
					to = append(to, strconv.FormatUint(drive, 10))
				}
			}
			w.memo.epoch, w.memo.saw = v.Epoch, strings.Join(to, " ")
			w.say("writes extent %s to %s", x, w.memo.saw)
		case 1:
			w.say("commits")
			r := w.do(session, putOf("k", content, []int{extent}, freshExtent(extent, 0b111&^uint32(slots), w.memo.epoch)))
			switch r.Refusal {
			case metapb.Refusal_REFUSAL_NONE, metapb.Refusal_REFUSAL_STALE_SESSION:
			default:
				for slot, drive := range strings.Fields(w.memo.saw) {
					d, _ := strconv.ParseUint(drive, 10, 64)
					w.remove(x, slot, d)
				}
			}
			w.memo.saw = ""
		default:
			return false
		}
		w.memo.phase++
		return true
	}
}

// stepReader reads b/k, a reference a page. Every page is of the content that the first
// one was of, and of the place in it that it should be.
func stepReader(w *scene) bool {
	var page *metapb.ContentAnswer
	switch w.memo.phase {
	case 0:
		a := w.ask(&metapb.Query{Op: &metapb.Query_Object{Object: &metapb.GetObject{Bucket: "b", Key: "k", MaxRefs: 1, Restored: true}}})
		if a.Refusal != metapb.Refusal_REFUSAL_NONE {
			return false
		}
		page = a.Object.Content
		w.memo.saw = string(page.ContentId)
	case -1:
		return false
	default:
		whole := uint64(len(truthOf(w.memo.saw)) * extentBytes)
		offset := uint64(w.memo.phase * extentBytes)
		a := w.ask(&metapb.Query{Op: &metapb.Query_Content{Content: &metapb.GetContent{ContentId: []byte(w.memo.saw), Offset: offset,
			Length: whole - offset, MaxRefs: 1}}})
		if a.Refusal == metapb.Refusal_REFUSAL_NO_SUCH_VERSION {
			w.say("finds it gone")
			w.memo = memo{phase: -1}
			return true
		}
		page = a.Content
	}
	truth := truthOf(w.memo.saw)
	if len(page.GetPieces()) != 1 {
		w.wrong = fmt.Sprintf("page %d has %d pieces", w.memo.phase, len(page.GetPieces()))
		return true
	}
	got := page.Pieces[0].Ref
	want := exploredExtents[truth[w.memo.phase]]
	w.say("page %d is extent %d/%d", w.memo.phase, got.Volume, got.Seq)
	if record.ExtentID(got.Volume, got.Seq) != want || got.Offset != 0 || got.Length != extentBytes {
		w.wrong = fmt.Sprintf("page %d of content %x does not continue it: it is of extent %d/%d, not of %s", w.memo.phase, w.memo.saw,
			got.Volume, got.Seq, want)
	}
	if w.memo.phase++; w.memo.phase == len(truth) {
		w.memo = memo{phase: -1}
	}
	return true
}

// stepCopier copies b/k to b/copy by reference, and holds its extents by a pin
// meanwhile. It ends with its session, as the pin does.
func stepCopier(w *scene) bool {
	var refusal metapb.Refusal
	ends := func(c *metapb.Command) bool {
		if refusal = w.do(session1, c).Refusal; refusal == metapb.Refusal_REFUSAL_NONE {
			return false
		}
		w.memo = memo{phase: -1}
		return true
	}
	truth := truthOf(w.memo.saw)
	switch w.memo.phase {
	case 0:
		a := w.ask(&metapb.Query{Op: &metapb.Query_Object{Object: &metapb.GetObject{Bucket: "b", Key: "k"}}})
		if a.Refusal != metapb.Refusal_REFUSAL_NONE {
			return false
		}
		w.memo.saw = string(a.Object.Version.ContentId)
		w.say("looks at content %s", w.memo.saw)
	case 1:
		w.say("pins")
		refs := refsOf(truth)
		for _, r := range refs {
			r.Length = 0
		}
		if ends(&metapb.Command{Op: &metapb.Command_AddPin{AddPin: &metapb.AddPin{Pin: pinOfCopier, Extents: refs}}}) {
			return true
		}
	case 2:
		w.say("commits")
		if ends(putOf("copy", contentCopied, truth)) {
			if refusal != metapb.Refusal_REFUSAL_STALE_SESSION {
				w.wrong = "what is pinned cannot be referred to: " + refusal.String()
			}
			return true
		}
	case 3:
		w.say("drops the pin")
		w.do(session1, &metapb.Command{Op: &metapb.Command_DropPins{DropPins: &metapb.DropPins{Pins: [][]byte{pinOfCopier}}}})
		w.memo = memo{phase: -1}
		return true
	default:
		return false
	}
	w.memo.phase++
	return true
}

// stepRestorer makes a warm copy of what b/k is at first, in two commands, and drops it.
func stepRestorer(w *scene) bool {
	truth := exploredTruth[keys.ID(contentBase)]
	u := &metapb.UpdateVersion{Bucket: "b", Key: "k", ContentId: contentBase}
	switch w.memo.phase {
	case 0:
		w.say("begins")
		u.Restore = &metapb.Restore{Ongoing: true, ContentId: contentWarm, DueMs: 5}
		u.Parts = []*metapb.Part{partOf(truth[:1])}
	case 1:
		w.say("is done")
		u.Restore = &metapb.Restore{ContentId: contentWarm, ExpiresMs: 900}
		u.Parts = []*metapb.Part{partOf(truth)}
	case 2:
		w.say("ends the restore")
		u.ClearRestore = true
	default:
		return false
	}
	w.memo.phase++
	if r := w.do(session2, &metapb.Command{Op: &metapb.Command_UpdateVersion{UpdateVersion: u}}); r.Refusal != metapb.Refusal_REFUSAL_NONE {
		w.memo = memo{phase: -1}
	}
	return true
}

// stepMover moves the first slot of volume 1 to the spare drive, as upkeep does: it
// copies what is listed, and again if more came meanwhile.
func stepMover(w *scene) bool {
	const slot, to = 0, exploredDrive + exploredDrives - 1
	v := w.volume(1)
	switch w.memo.phase {
	case 0:
		w.say("begins")
		w.do(session2, &metapb.Command{Op: &metapb.Command_StartMove{StartMove: &metapb.StartMove{Volume: 1, Slot: slot, To: to, Epoch: v.Epoch}}})
	case 1:
		a := w.ask(&metapb.Query{Op: &metapb.Query_ListWork{ListWork: &metapb.ListWork{Kind: metapb.WorkKind_WORK_VOLUME, Volume: 1}}}).Work
		for _, it := range a.GetItems() {
			x := record.ExtentID(it.Volume, it.Seq)
			if !shard.SlotSet(it.Extent.Missing).Has(slot) && w.has(x, slot, v.Slots[slot]) {
				w.write(x, slot, to)
			}
		}
		w.memo.index = a.GetAppliedIndex()
		w.say("copies %d shards", len(a.GetItems()))
	case 2:
		w.say("ends")
		r := w.do(session2, &metapb.Command{Op: &metapb.Command_FinishMove{FinishMove: &metapb.FinishMove{Volume: 1, Slot: slot, To: to,
			Epoch: v.Epoch, SeenIndex: w.memo.index}}})
		w.memo.index = 0
		if r.Refusal == metapb.Refusal_REFUSAL_MOVE_BEHIND {
			w.memo.phase = 1
			return true
		}
	default:
		return false
	}
	w.memo.phase++
	return true
}

// stepGC dooms what is unreferenced, without any grace.
func stepGC(w *scene) bool {
	if w.memo.phase == 0 {
		a := w.ask(&metapb.Query{Op: &metapb.Query_ListWork{ListWork: &metapb.ListWork{Kind: metapb.WorkKind_WORK_GC}}}).Work
		if len(a.GetItems()) == 0 {
			return false
		}
		for _, it := range a.Items {
			w.memo.saw += fmt.Sprintf("%d/%d ", it.Volume, it.Seq)
		}
		w.memo.phase, w.memo.index = 1, a.AppliedIndex+1
		w.say("finds %s", w.memo.saw)
		return true
	}
	c := &metapb.DoomExtents{BeforeIndex: w.memo.index}
	for _, x := range strings.Fields(w.memo.saw) {
		s := new(metapb.ExtentSlots)
		_, _ = fmt.Sscanf(x, "%d/%d", &s.Volume, &s.Seq)
		c.Extents = append(c.Extents, s)
	}
	w.say("dooms")
	w.do(session2, &metapb.Command{Op: &metapb.Command_DoomExtents{DoomExtents: c}})
	w.memo = memo{}
	return true
}

// stepDoomed deletes the shards of a doomed extent, where its volume says that they
// are, and then says so.
func stepDoomed(w *scene) bool {
	if w.memo.phase == 0 {
		a := w.ask(&metapb.Query{Op: &metapb.Query_ListWork{ListWork: &metapb.ListWork{Kind: metapb.WorkKind_WORK_DOOMED, Max: 1}}}).Work
		if len(a.GetItems()) == 0 {
			return false
		}
		it := a.Items[0]
		for slot, drive := range w.volume(it.Volume).Slots {
			if shard.SlotSet(it.Doomed.Slots).Has(slot) {
				w.remove(record.ExtentID(it.Volume, it.Seq), slot, drive)
			}
		}
		w.memo = memo{phase: 1, saw: fmt.Sprintf("%d/%d/%d", it.Volume, it.Seq, it.Doomed.Slots)}
		w.say("deletes %s", w.memo.saw)
		return true
	}
	s := new(metapb.ExtentSlots)
	_, _ = fmt.Sscanf(w.memo.saw, "%d/%d/%d", &s.Volume, &s.Seq, &s.Slots)
	w.say("forgets")
	w.do(session2, &metapb.Command{Op: &metapb.Command_ForgetExtents{ForgetExtents: &metapb.ForgetExtents{Extents: []*metapb.ExtentSlots{s}}}})
	w.memo = memo{}
	return true
}

// stepTrimmer goes on with one dropped content, by one reference.
func stepTrimmer(w *scene) bool {
	a := w.ask(&metapb.Query{Op: &metapb.Query_ListWork{ListWork: &metapb.ListWork{Kind: metapb.WorkKind_WORK_DROPPED, Max: 1}}}).Work
	if len(a.GetItems()) == 0 {
		return false
	}
	w.say("trims %s", a.Items[0].Id)
	w.do(session2, trimOnce(a.Items[0].Id, 1))
	return true
}

// stepSession starts the first node again.
func stepSession(w *scene) bool {
	if w.memo.phase != 0 {
		return false
	}
	w.memo.phase = 1
	w.say("opens another")
	w.do(nil, &metapb.Command{Op: &metapb.Command_OpenSession{OpenSession: &metapb.OpenSession{Node: 1, Session: session3}}})
	return true
}

func stepDeletion(w *scene) bool {
	if w.memo.phase != 0 {
		return false
	}
	w.memo.phase = 1
	w.do(session2, deleteKeys("b", "k"))
	return true
}

// sweeperOf asks which shards on a drive are known, and later deletes those that were
// not.
func sweeperOf(drive uint64) func(*scene) bool {
	return func(w *scene) bool {
		if w.memo.phase == 0 {
			q := &metapb.KnownExtents{Drive: drive}
			w.on(drive, func(x shard.ExtentID, slot int) {
				q.Extents = append(q.Extents, &metapb.ExtentSlots{Volume: uint32(x.Volume), Seq: x.Seq, Slots: 1 << slot})
			})
			a := w.ask(&metapb.Query{Op: &metapb.Query_KnownExtents{KnownExtents: q}}).Known
			var unknown []string
			for i, x := range q.Extents {
				if !a.GetKnown()[i] {
					unknown = append(unknown, fmt.Sprintf("%d/%d/%d", x.Volume, x.Seq, x.Slots))
				}
			}
			if len(unknown) == 0 {
				return false
			}
			w.memo = memo{phase: 1, saw: strings.Join(unknown, " ")}
			w.say("hears that nobody knows %s", w.memo.saw)
			return true
		}
		for _, x := range strings.Fields(w.memo.saw) {
			var s metapb.ExtentSlots
			_, _ = fmt.Sscanf(x, "%d/%d/%d", &s.Volume, &s.Seq, &s.Slots)
			slot := slices.Index([]uint32{1, 2, 4}, s.Slots)
			w.remove(record.ExtentID(s.Volume, s.Seq), slot, drive)
		}
		w.say("deletes them")
		w.memo = memo{}
		return true
	}
}
