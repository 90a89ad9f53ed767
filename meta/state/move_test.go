package state

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/metapb"
)

// moving is a volume of 2+2 with one extent, and a fifth drive to which its slot 1 moves.
type moving struct {
	*client
	t testing.TB
}

const movesTo = 200

func newMoving(t testing.TB) moving {
	m := newMachine(t, nil)
	t.Cleanup(m.close)
	c := moving{newClient(t, m, 1, 2, 2), t}
	node := proto.Clone(m.s.mem.nodes[0]).(*metapb.Node)
	node.Drives = append(node.Drives, &metapb.Drive{Id: movesTo, CapacityBytes: 1 << 30})
	c.ok(t, &metapb.Command{Op: &metapb.Command_RegisterNode{RegisterNode: &metapb.RegisterNode{Node: node}}})
	c.bucket(t, "b")
	c.put(1, 0)
	return c
}

func (c moving) volume() *metapb.Volume { return c.m.s.mem.volume(1) }

// put commits an extent whose writer knew the volume at an epoch.
func (c moving) put(seq uint64, epoch uint32) *metapb.Result {
	cmd := putExtent("b", "k"+string(rune('0'+seq)), int(seq), 1, seq, 10)
	cmd.GetPutObject().Extents[0].VolumeEpoch = epoch
	return c.do(cmd)
}

func (c moving) start() {
	c.ok(c.t, &metapb.Command{Op: &metapb.Command_StartMove{StartMove: &metapb.StartMove{
		Volume: 1, Epoch: c.volume().Epoch, Slot: 1, To: movesTo}}})
}

func (c moving) finish(seen uint64) metapb.Refusal {
	return c.do(&metapb.Command{Op: &metapb.Command_FinishMove{FinishMove: &metapb.FinishMove{
		Volume: 1, Epoch: c.volume().Epoch, Slot: 1, To: movesTo, SeenIndex: seen}}}).Refusal
}

func (c moving) setMissing(add, remove uint32, epoch uint32) {
	slots := func(s uint32) []*metapb.ExtentSlots {
		return []*metapb.ExtentSlots{{Volume: 1, Seq: 1, Slots: s, Epoch: epoch}}
	}
	c.ok(c.t, &metapb.Command{Op: &metapb.Command_SetMissing{SetMissing: &metapb.SetMissing{
		Add: slots(add), Remove: slots(remove)}}})
}

func (c moving) missing(seq uint64) uint32 {
	items := c.m.query(&metapb.Query{Op: &metapb.Query_ListWork{ListWork: &metapb.ListWork{
		Kind: metapb.WorkKind_WORK_VOLUME, Volume: 1, AfterSeq: seq - 1, Max: 1}}}).Work.Items
	require.Len(c.t, items, 1)
	return items[0].Extent.Missing
}

// An extent that was written to where the slot was before it moved misses that shard.
func TestCommitAfterAMove(t *testing.T) {
	c := newMoving(t)
	was := c.volume().Epoch
	c.start()
	require.Equal(t, metapb.Refusal_REFUSAL_NONE, c.finish(uint64(len(c.m.log))))
	require.Greater(t, c.volume().Epoch, was)

	require.Equal(t, metapb.Refusal_REFUSAL_NONE, c.put(2, was).Refusal)
	require.Equal(t, uint32(0b010), c.missing(2), "its shard lies on the old drive")
	require.Equal(t, metapb.Refusal_REFUSAL_NONE, c.put(3, c.volume().Epoch).Refusal)
	require.Zero(t, c.missing(3))
	require.Zero(t, c.missing(1), "the mover brought it")
	require.NoError(t, c.m.s.Check())
}

// What somebody found on the drive that the slot was on says nothing of the drive that
// it is on: neither that a shard is missing nor that it is there.
func TestMissingOfAnEarlierEpoch(t *testing.T) {
	c := newMoving(t)
	was := c.volume().Epoch
	c.start()
	require.Equal(t, metapb.Refusal_REFUSAL_NONE, c.finish(uint64(len(c.m.log))))

	c.setMissing(0b011, 0, was)
	require.Equal(t, uint32(0b001), c.missing(1), "slot 1 has moved since, slot 0 has not")
	c.setMissing(0b010, 0, c.volume().Epoch)
	require.Equal(t, uint32(0b011), c.missing(1))
	c.setMissing(0, 0b011, was)
	require.Equal(t, uint32(0b010), c.missing(1), "the one that was found lies on the old drive")
	c.setMissing(0, 0b010, c.volume().Epoch)
	require.Zero(t, c.missing(1))
	require.NoError(t, c.m.s.Check())
}

// A move ends only when its mover has seen every extent that may have a shard on the
// old drive alone: those committed meanwhile, and those repaired there.
func TestMoveBehind(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(c moving)
		behind bool
	}{
		{"nothing", func(moving) {}, false},
		{"an extent is committed", func(c moving) { c.put(2, c.volume().Epoch) }, true},
		{"a shard of the slot is there again", func(c moving) { c.setMissing(0, 0b010, c.volume().Epoch) }, true},
		{"a shard of another slot is there again", func(c moving) { c.setMissing(0, 0b001, c.volume().Epoch) }, false},
		{"a shard of the slot is missing", func(c moving) { c.setMissing(0b010, 0, c.volume().Epoch) }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newMoving(t)
			c.setMissing(0b011, 0, c.volume().Epoch)
			c.start()
			seen := uint64(len(c.m.log))
			test.change(c)
			want := metapb.Refusal_REFUSAL_NONE
			if test.behind {
				want = metapb.Refusal_REFUSAL_MOVE_BEHIND
				require.Equal(t, want, c.finish(seen))
				require.Equal(t, want, c.finish(uint64(len(c.m.log))-2), "one entry too early")
				seen = uint64(len(c.m.log))
				want = metapb.Refusal_REFUSAL_NONE
			}
			require.Equal(t, want, c.finish(seen))
			require.Equal(t, uint64(movesTo), c.volume().Slots[1])
			require.NoError(t, c.m.s.Check())
		})
	}
}

// A sweep may delete what is neither known nor under a lease that somebody holds.
func TestKnownUnderALease(t *testing.T) {
	c := newMoving(t)
	known := func(seq uint64) bool {
		return c.m.query(&metapb.Query{Op: &metapb.Query_KnownExtents{KnownExtents: &metapb.KnownExtents{
			Extents: []*metapb.ExtentSlots{{Volume: 1, Seq: seq}}}}}).Known.Known[0]
	}
	require.True(t, known(1), "committed")
	require.True(t, known(2), "leased: its writer may commit it yet")
	require.True(t, known(256))
	require.False(t, known(257), "nobody's")
	c.m.apply(&metapb.Command{Op: &metapb.Command_OpenSession{OpenSession: &metapb.OpenSession{Node: 1, Session: id(2)}}})
	require.True(t, known(1))
	require.False(t, known(2), "its node runs anew, and a commit by the run before is refused")
}
