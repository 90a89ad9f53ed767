package state

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/shard"
)

const extentBytes = 10 // Plaintext of every extent in these tests.

// generator draws commands that are mostly sensible, given the model, and
// sometimes stale, repeated or wrong.
type generator struct {
	t        *rapid.T
	m        *model
	ids      int
	sessions []*client
	uploads  []*metapb.Upload
	history  []*metapb.Command
}

func (g *generator) int(label string, n int) int { return rapid.IntRange(0, n-1).Draw(g.t, label) }

// chance is true once in n times.
func (g *generator) chance(label string, n int) bool { return g.int(label, n) == n-1 }

func pick[T any](g *generator, label string, from []T) T { return from[g.int(label, len(from))] }

func (g *generator) newID() []byte { g.ids++; return id(g.ids) }

func (g *generator) owner() string { return pick(g, "owner", []string{"o", "o", "p"}) }

func (g *generator) bucket() string { return pick(g, "bucket", []string{"a", "a", "b"}) }
func (g *generator) name() string   { return pick(g, "key", []string{"k", "k/1", "\x00", "z"}) }

func sortedIDs[V any](m map[keys.ID]V) []keys.ID {
	return slices.SortedFunc(maps.Keys(m), func(a, b keys.ID) int { return slices.Compare(a[:], b[:]) })
}

func (g *generator) extents() []shard.ExtentID {
	ids := slices.Collect(maps.Keys(g.m.extents))
	for id := range g.m.doomed {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b shard.ExtentID) int {
		return slices.Compare([]uint64{uint64(a.Volume), a.Seq}, []uint64{uint64(b.Volume), b.Seq})
	})
	return ids
}

// freshID draws a number under a lease, most often one that is not used yet.
func (g *generator) freshID() (shard.ExtentID, bool) {
	leases := slices.Collect(maps.Keys(g.m.leases))
	if len(leases) == 0 {
		return shard.ExtentID{}, false
	}
	slices.SortFunc(leases, func(a, b record.LeaseName) int {
		return slices.Compare([]uint64{uint64(a.Volume), a.Block}, []uint64{uint64(b.Volume), b.Block})
	})
	l := pick(g, "lease", leases)
	id := shard.ExtentID{Volume: l.Volume, Seq: l.Block*256 + 1}
	for g.m.extents[id] != nil || g.m.doomed[id] != nil {
		id.Seq++
	}
	if g.chance("used number", 20) && id.Seq > l.Block*256+1 {
		id.Seq--
	}
	return id, true
}

func (g *generator) newExtent(id shard.ExtentID, missing uint32) *metapb.NewExtent {
	return &metapb.NewExtent{Volume: uint32(id.Volume), Seq: id.Seq, VolumeEpoch: g.epoch(uint32(id.Volume)),
		Extent: &metapb.Extent{PlainBytes: extentBytes, Missing: missing}}
}

// part draws a part: inline, of new extents, of existing ones, or of both.
func (g *generator) part(number uint32) (*metapb.Part, []*metapb.NewExtent) {
	p := &metapb.Part{Number: number, Etag: fmt.Sprint("e", g.int("etag", 3))}
	if g.chance("inline", 4) {
		p.Inline = make([]byte, g.int("size", 3))
		p.Size = uint64(len(p.Inline))
		return p, nil
	}
	var fresh []*metapb.NewExtent
	if g.chance("fresh", 2) {
		if id, ok := g.freshID(); ok {
			fresh = append(fresh, g.newExtent(id, uint32(g.int("missing", 3))))
			p.Extents = append(p.Extents, &metapb.ExtentRef{Volume: uint32(id.Volume), Seq: id.Seq, Length: extentBytes})
		}
	}
	p.Extents = append(p.Extents, g.refs(4)...)
	for _, r := range p.Extents {
		p.Size += r.Length
	}
	return p, fresh
}

// refs draws references to extents that exist or did.
func (g *generator) refs(n int) (refs []*metapb.ExtentRef) {
	existing := g.extents()
	for range g.int("refs", n) {
		if len(existing) > 0 {
			id := pick(g, "extent", existing)
			refs = append(refs, &metapb.ExtentRef{Volume: uint32(id.Volume), Seq: id.Seq, Offset: 2, Length: 3})
		}
	}
	return refs
}

func (g *generator) slots() (list []*metapb.ExtentSlots) {
	for _, r := range g.refs(5) {
		list = append(list, &metapb.ExtentSlots{Volume: r.Volume, Seq: r.Seq, Slots: uint32(g.int("slots", 16)), Epoch: g.epoch(r.Volume)})
	}
	return list
}

func (g *generator) conditions() *metapb.Conditions {
	switch g.int("conditions", 8) {
	case 0:
		return &metapb.Conditions{IfMatch: pick(g, "match", []string{"*", "e1", "e0, \"e2\""})}
	case 1:
		return &metapb.Conditions{IfNoneMatch: pick(g, "none", []string{"*", "e1"})}
	}
	return nil
}

// command draws one command with its identity.
func (g *generator) command() *metapb.Command {
	if len(g.history) > 0 && g.chance("repeat", 12) {
		return pick(g, "which", g.history)
	}
	c := g.op()
	if c.GetOpenSession() == nil {
		s := g.sessions[len(g.sessions)-1-min(g.int("session", 8)/3, len(g.sessions)-1)]
		s.seq++
		c.Session, c.Seq, c.TimeMs = s.session, s.seq, int64(1000+g.int("time", 5))
		c.Floor = c.Seq - uint64(min(g.int("window", 4), int(c.Seq)-1))
	}
	if g.chance("decided", 8) {
		c.Decided = []*metapb.Decided{{Bucket: g.bucket(), Owner: g.owner()}}
	}
	g.history = append(g.history, c)
	return c
}

func (g *generator) op() *metapb.Command {
	switch g.int("kind", 42) {
	case 0, 1, 2, 3, 4:
		p, fresh := g.part(1)
		return &metapb.Command{Op: &metapb.Command_PutObject{PutObject: &metapb.PutObject{Bucket: g.bucket(), Key: g.name(),
			Version: &metapb.Version{ContentId: g.newID(), Size: p.Size, Etag: p.Etag, VersionId: g.newVersionID(),
				Retention: g.retention(), LegalHold: g.chance("hold", 20)}, Part: p, Extents: fresh,
			Conditions: g.conditions()}}}
	case 5, 6:
		d := &metapb.DeleteObjects{Bucket: g.bucket()}
		for range g.int("objects", 4) {
			d.Objects = append(d.Objects, g.deletion(d.Bucket))
			if g.chance("new id", 2) {
				d.NewVersionIds = append(d.NewVersionIds, g.newVersionID())
			}
		}
		return &metapb.Command{Op: &metapb.Command_DeleteObjects{DeleteObjects: d}}
	case 7:
		u := &metapb.Upload{Id: g.newID(), Bucket: g.bucket(), Key: g.name(), Initiator: "i",
			Retention: g.retention(), LegalHold: g.chance("hold", 20)}
		if g.chance("tags", 2) {
			u.Tags = []*metapb.Pair{{Name: "t"}}
			u.Acl = &metapb.Acl{}
		}
		g.uploads = append(g.uploads, u)
		return &metapb.Command{Op: &metapb.Command_CreateUpload{CreateUpload: &metapb.CreateUpload{Upload: u}}}
	case 8, 9, 10, 11, 12, 13, 14, 15, 16:
		if len(g.uploads) > 0 {
			return g.uploadOp(pick(g, "upload", g.uploads))
		}
	case 17, 18:
		return g.sessionOp()
	case 19:
		if g.chance("delete bucket", 3) {
			return &metapb.Command{Op: &metapb.Command_DeleteBucket{DeleteBucket: &metapb.DeleteBucket{Name: g.bucket()}}}
		}
		return &metapb.Command{Op: &metapb.Command_CreateBucket{CreateBucket: &metapb.CreateBucket{
			Bucket: &metapb.Bucket{Name: g.bucket(), Owner: g.owner()}, Config: g.configParts(), OwnedMax: uint32(g.int("owned max", 3))}}}
	case 22, 23, 24, 25:
		return g.updateOp()
	case 20, 21:
		return g.configOp()
	case 30, 31, 32, 33, 34, 35:
		return g.lifeOp()
	case 36, 37:
		return g.expireOp()
	case 38, 39, 40:
		return g.transitionOp()
	case 41:
		return g.dropEventsOp()
	case 26:
		return g.levelOp()
	}
	return g.upkeepOp()
}

// start makes the cluster that all sequences begin with.
func (g *generator) start() []*metapb.Command {
	var cmds []*metapb.Command
	var drives []*metapb.Drive
	for i := range 3 {
		drives = append(drives, &metapb.Drive{Id: uint64(10 + i)})
	}
	volumes := &metapb.CreateVolumes{ViewEpoch: 2}
	for range 2 {
		volumes.Volumes = append(volumes.Volumes, &metapb.Volume{K: 2, M: 1, Slots: []uint64{10, 11, 12}})
	}
	ops := []*metapb.Command{
		{Op: &metapb.Command_FormCluster{FormCluster: &metapb.FormCluster{Id: "c"}}},
		{Op: &metapb.Command_RegisterNode{RegisterNode: &metapb.RegisterNode{Node: &metapb.Node{Id: 1, Drives: drives}}}},
		{Op: &metapb.Command_OpenSession{OpenSession: &metapb.OpenSession{Node: 1, Session: g.newID()}}},
		{Op: &metapb.Command_CreateVolumes{CreateVolumes: volumes}},
		{Op: &metapb.Command_CreateBucket{CreateBucket: &metapb.CreateBucket{
			Bucket: &metapb.Bucket{Name: "a", Versioning: metapb.Versioning(g.int("versioning", 3))}}}},
		{Op: &metapb.Command_LeaseExtents{LeaseExtents: &metapb.LeaseExtents{Volumes: []uint32{1, 2}}}},
		{Op: &metapb.Command_RegisterNode{RegisterNode: &metapb.RegisterNode{Node: &metapb.Node{Id: 2, Drives: drives[:1]}}}},
		{Op: &metapb.Command_RegisterNode{RegisterNode: &metapb.RegisterNode{Node: &metapb.Node{Id: 3, Drives: []*metapb.Drive{{Id: 20}, {Id: 21}}}}}},
	}
	g.sessions = []*client{{session: ops[2].GetOpenSession().Session}}
	for i, c := range ops {
		if i >= 3 {
			g.sessions[0].seq++
			c.Session, c.Seq, c.Floor, c.TimeMs = g.sessions[0].session, g.sessions[0].seq, 1, 1
		}
		cmds = append(cmds, c)
	}
	return cmds
}

// TestModel applies random commands to a State and to the model, with the State
// closed, crashed and restored in between: answers and records are the same, the
// State agrees with itself, and a second State that is fed the same log in other
// batches ends up the same.
func TestModel(t *testing.T) {
	steps := effort.Of(60, 60, 600)
	rapid.Check(t, func(rt *rapid.T) { checkModel(rt, steps) })
}

func checkModel(t *rapid.T, steps int) {
	limits := dropLimits{inline: rapid.IntRange(0, 6).Draw(t, "inline"), perObject: rapid.IntRange(0, 2).Draw(t, "per object"),
		eventsMax: uint64(rapid.IntRange(0, 8).Draw(t, "events"))}
	machine := newMachine(t, &limits)
	defer func() { _ = machine.s.Close() }()
	g := &generator{t: t, m: newModel(limits)}
	for _, c := range g.start() {
		step(t, machine, g, c)
	}
	n := rapid.IntRange(1, steps).Draw(t, "steps")
	for range n {
		switch g.int("disturb", 30) {
		case 0:
			machine.close()
			machine.open()
		case 1:
			machine.crash(uint64(g.int("seed", 100)), pick(g, "percent", []int{0, 50, 100}))
			machine.catchUp()
		case 2:
			machine.restore()
		case 3:
			require.NoError(t, machine.s.Flush())
		}
		step(t, machine, g, g.command())
		if g.chance("look", 8) {
			compare(t, machine, g.m)
			compareContents(t, machine, g.m, g.ids)
		}
	}
	compare(t, machine, g.m)
	checkBatches(t, machine, limits, g)
}

// step applies a command to both and compares the answers.
func step(t *rapid.T, machine *machine, g *generator, c *metapb.Command) {
	got := machine.apply(proto.Clone(c).(*metapb.Command))
	want := g.m.apply(c, got)
	got, want = proto.Clone(got).(*metapb.Result), proto.Clone(want).(*metapb.Result)
	got.Detail, want.Detail = "", ""
	if !proto.Equal(got, want) {
		t.Fatalf("entry %d %v:\ngot  %v\nwant %v", g.m.index, c, got, want)
	}
}

func compare(t require.TestingT, machine *machine, m *model) {
	if diff := cmp.Diff(m.dump(), machine.dump()); diff != "" {
		t.Errorf("records differ (-model +state):\n%s", diff)
		t.FailNow()
	}
	require.NoError(t, machine.s.Check())
	compareQueries(t, machine, m)
}

// checkBatches feeds the log to another State in batches of random sizes, some of
// them overlapping what is applied.
func checkBatches(t *rapid.T, machine *machine, limits dropLimits, g *generator) {
	other := newMachine(t, &limits)
	defer other.close()
	for from := 0; from < len(machine.log); {
		to := min(from+1+g.int("batch", 40), len(machine.log))
		back := max(from-g.int("overlap", 3), 0)
		_, err := other.s.Apply(machine.log[back:to])
		require.NoError(t, err)
		from = to
	}
	want, err := machine.s.Hash()
	require.NoError(t, err)
	got, err := other.s.Hash()
	require.NoError(t, err)
	require.Equal(t, want, got, "batches of another size end in another state")
	checkShared(t, machine, limits, g)
}
