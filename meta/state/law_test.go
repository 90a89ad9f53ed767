package state

import (
	"fmt"
	"math"
	"math/bits"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/shard"
)

// compareKnown asks for every drive whether it must keep the shards of all extents that
// exist, and compares with the law.
func compareKnown(t require.TestingT, machine *machine, m *model) {
	for _, drive := range allDrives {
		q := &metapb.KnownExtents{Drive: drive}
		var ids []shard.ID
		for id := range m.extents {
			for slot := range 3 {
				ids = append(ids, shard.ID{Extent: id, Slot: uint8(slot)})
				q.Extents = append(q.Extents, &metapb.ExtentSlots{Volume: uint32(id.Volume), Seq: id.Seq, Slots: 1 << slot})
			}
		}
		a := machine.query(&metapb.Query{Op: &metapb.Query_KnownExtents{KnownExtents: q}}).Known
		require.Equal(t, m.index, a.AppliedIndex)
		for i, id := range ids {
			v, slot := m.volumes[id.Extent.Volume-1], int(id.Slot)
			stays := m.mustStay(drive, id.Extent, slot)
			require.Equal(t, stays || m.cluster.OrphansHeld, a.Known[i], "shard %s on drive %d of %v", id, drive, v)
			here := v.Slots[slot] == drive || v.Move.GetTo() == drive && int(v.Move.GetSlot()) == slot
			lacks := m.extents[id.Extent].Missing>>slot&1 != 0 || m.isGone(v.Slots[slot])
			require.Equal(t, !here && lacks, a.Wanted[i], "shard %s on drive %d of %v", id, drive, v)
		}
	}
}

// compareDigests asks for the digests of what every drive must hold of every volume, some
// extents at a time, and compares with the law.
func compareDigests(t require.TestingT, machine *machine, m *model) {
	for _, drive := range allDrives {
		for i, v := range m.volumes {
			volume := shard.VolumeID(i + 1)
			var want, got shard.Digest
			for id, e := range m.extents {
				for slot := range v.Slots {
					here := v.Slots[slot] == drive || v.Move.GetTo() == drive && int(v.Move.GetSlot()) == slot
					if id.Volume == volume && here && e.Missing>>slot&1 == 0 {
						want.Add(id.Seq, shard.SlotSet(0).With(slot))
					}
				}
			}
			for seq, pages := uint64(0), 0; seq != math.MaxUint64; pages++ {
				require.LessOrEqual(t, pages, len(m.extents)/2+1)
				a := machine.query(&metapb.Query{Op: &metapb.Query_ShardDigest{ShardDigest: &metapb.DigestShards{
					Drive: drive, Volume: uint32(volume), AfterSeq: seq, Max: 2}}}).ShardDigest
				require.Greater(t, a.ThroughSeq, seq)
				seq = a.ThroughSeq
				got.Count, got.Sum = got.Count+a.Count, got.Sum+a.Sum
			}
			require.Equal(t, want, got, "drive %d, volume %d: %v", drive, volume, v)
		}
	}
}

// TestLawOfMoves: whatever extents a volume has and whichever of its drives are gone, a
// slot that may be taken leaves every extent with as many shards as it needs.
func TestLawOfMoves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scheme := rapid.SampledFrom([]shard.Scheme{{K: 1}, {K: 1, M: 1}, {K: 2, M: 2}, {K: 4, M: 2}, {K: 8, M: 4}}).Draw(t, "scheme")
		set := func(name string, likely int) (out uint32) {
			for slot := range scheme.N() {
				if rapid.IntRange(0, 9).Draw(t, name) < likely {
					out |= 1 << slot
				}
			}
			return out
		}
		gone, s := set("gone", 1), &metapb.VolumeStats{}
		missing := make([]uint32, rapid.IntRange(0, 4).Draw(t, "extents"))
		for i := range missing {
			missing[i] = set("missing", 1)
			s.Extents++
			record.CountMissing(s, missing[i], 1)
		}
		slot := rapid.IntRange(0, scheme.N()-1).Draw(t, "slot")
		worst := 0
		for _, e := range missing {
			worst = max(worst, bits.OnesCount32(e|gone|1<<slot))
		}
		bound := meta.WorstMissing(shard.SlotSet(gone).With(slot), s)
		if worst > bound {
			t.Fatalf("the worst extent lacks %d shards, more than %d", worst, bound)
		}
		if may := meta.MayBeTaken(scheme, shard.SlotSet(gone), slot, s); may && worst > int(scheme.M) {
			t.Fatalf("slot %d may be taken, and an extent of %s lacks %d shards", slot, scheme, worst)
		}
	})
}

// spare is drives that could take slots.
var spare = []uint64{200, 201}

// law is a cluster of a volume of 2+1 with an extent, and two spare drives.
func law(t *testing.T) (*machine, *client) {
	m := newMachine(t, nil)
	c := newClient(t, m, 1, 2, 1)
	m.apply(&metapb.Command{Op: &metapb.Command_RegisterNode{RegisterNode: &metapb.RegisterNode{
		Node: &metapb.Node{Id: 2, Drives: []*metapb.Drive{{Id: spare[0]}, {Id: spare[1]}}}}}})
	c.bucket(t, "b")
	c.ok(t, putExtent("b", "k", 1, 1, 1, 10))
	return m, c
}

// A drain that leaves enough places is taken without force; one that does not is refused,
// changes nothing, and is taken by force. Of a cluster of several nodes, nodes are counted.
func TestDrainKeepsRedundancy(t *testing.T) {
	drain := func(node, drive uint64, force bool) *metapb.Command {
		if drive != 0 {
			return &metapb.Command{Op: &metapb.Command_SetDriveState{SetDriveState: &metapb.SetDriveState{
				Drive: drive, State: metapb.Life_LIFE_DRAINING, Force: force}}}
		}
		return &metapb.Command{Op: &metapb.Command_SetNodeState{SetNodeState: &metapb.SetNodeState{
			Node: node, State: metapb.Life_LIFE_DRAINING, Force: force}}}
	}
	for _, drive := range []bool{false, true} {
		m := newMachine(t, nil)
		c := newClient(t, m, 1, 2, 1)
		for n := range uint64(2) {
			m.apply(&metapb.Command{Op: &metapb.Command_RegisterNode{RegisterNode: &metapb.RegisterNode{
				Node: &metapb.Node{Id: 2 + n, Drives: []*metapb.Drive{{Id: spare[n], CapacityBytes: 1 << 30}}}}}})
		}
		c.bucket(t, "b")
		c.ok(t, putExtent("b", "k", 1, 1, 1, 10))
		state := func(node int) metapb.Life {
			n := m.query(&metapb.Query{Op: &metapb.Query_View{View: &metapb.GetView{}}}).View.Nodes[node-1]
			if drive {
				return n.Drives[0].State
			}
			return n.State
		}
		first, second := func(force bool) *metapb.Command { return drain(1, 0, force) }, drain(2, 0, false)
		if drive {
			first, second = func(force bool) *metapb.Command { return drain(0, 100, force) }, drain(0, spare[0], false)
		}
		c.ok(t, second)
		require.Equal(t, metapb.Life_LIFE_DRAINING, state(2), "no volume lies there")
		require.Equal(t, metapb.Refusal_REFUSAL_REDUNDANCY, c.do(first(false)).Refusal)
		require.Equal(t, metapb.Life_LIFE_ACTIVE, state(1))
		c.ok(t, first(true))
		require.Equal(t, metapb.Life_LIFE_DRAINING, state(1))
		m.close()
	}
}

// A status counts what volumes have lost: nothing where all is well, a slot of a drive that
// is gone, and again nothing once that is back.
func TestStatusCountsLostSlots(t *testing.T) {
	m, c := law(t)
	defer m.close()
	set := func(drive uint64, to metapb.Life) *metapb.StatusAnswer {
		c.ok(t, &metapb.Command{Op: &metapb.Command_SetDriveState{SetDriveState: &metapb.SetDriveState{
			Drive: drive, State: to, Force: true}}})
		return m.status()
	}
	whole := func(s *metapb.StatusAnswer) {
		require.Zero(t, s.SlotsLost)
		require.Zero(t, s.SlotsDraining)
		require.EqualValues(t, 1, s.VolumesWhole)
		require.Zero(t, s.VolumesRebuilding+s.VolumesEndangered+s.VolumesDegraded+s.VolumesLost+s.VolumesUnreadable)
	}
	whole(m.status())
	s := set(100, metapb.Life_LIFE_FAILED)
	require.EqualValues(t, 1, s.SlotsLost)
	require.EqualValues(t, 1, s.VolumesEndangered)
	require.EqualValues(t, 1, s.VolumesRebuilding)
	require.Zero(t, s.VolumesUnreadable)
	s = set(101, metapb.Life_LIFE_FAILED)
	require.EqualValues(t, 2, s.SlotsLost)
	require.EqualValues(t, 1, s.VolumesLost)
	require.EqualValues(t, 1, s.VolumesUnreadable)
	set(101, metapb.Life_LIFE_ACTIVE)
	whole(set(100, metapb.Life_LIFE_ACTIVE))
	require.EqualValues(t, 1, set(102, metapb.Life_LIFE_DRAINING).SlotsDraining)
}

func (m *machine) firstVolume() *metapb.Volume {
	return m.query(&metapb.Query{Op: &metapb.Query_View{View: &metapb.GetView{}}}).View.Volumes[0]
}

// A slot is not taken from a drive that is gone where the extents could not be made anew
// without it; drives that were removed by force never come back, so theirs are.
func TestMovesKeepTheLaw(t *testing.T) {
	m, c := law(t)
	defer m.close()
	v := m.firstVolume()
	set := func(drive uint64, l metapb.Life) {
		c.ok(t, &metapb.Command{Op: &metapb.Command_SetDriveState{SetDriveState: &metapb.SetDriveState{Drive: drive, State: l}}})
	}
	start := func(slot uint32, to uint64) *metapb.Result {
		return c.do(&metapb.Command{Op: &metapb.Command_StartMove{StartMove: &metapb.StartMove{
			Volume: 1, Epoch: m.firstVolume().Epoch, Slot: slot, To: to, Rebuild: true}}})
	}
	finish := func(slot uint32, to uint64) *metapb.Result {
		return c.do(&metapb.Command{Op: &metapb.Command_FinishMove{FinishMove: &metapb.FinishMove{
			Volume: 1, Epoch: m.firstVolume().Epoch, Slot: slot, To: to, SeenIndex: 1 << 40}}})
	}
	unreadable := func(down ...uint64) *metapb.StatusAnswer {
		return m.query(&metapb.Query{Op: &metapb.Query_Status{Status: &metapb.GetStatus{Down: down}}}).Status
	}
	set(v.Slots[0], metapb.Life_LIFE_LOST)
	require.Equal(t, metapb.Refusal_REFUSAL_NONE, start(0, spare[0]).Refusal)
	set(v.Slots[1], metapb.Life_LIFE_LOST)
	r := finish(0, spare[0])
	require.Equal(t, metapb.Refusal_REFUSAL_NOT_REBUILDABLE, r.Refusal, "more was lost while the slot was on its way")
	require.Contains(t, r.Detail, "bring back the drives")
	c.ok(t, &metapb.Command{Op: &metapb.Command_CancelMove{CancelMove: &metapb.CancelMove{Volume: 1, Slot: 0, To: spare[0]}}})
	require.Equal(t, metapb.Refusal_REFUSAL_NOT_REBUILDABLE, start(0, spare[0]).Refusal)
	require.Equal(t, metapb.Refusal_REFUSAL_NOT_REBUILDABLE, start(1, spare[1]).Refusal)
	st := unreadable()
	require.Equal(t, []uint64{1, 10, 1}, []uint64{st.ExtentsUnreadable, st.BytesUnreadable, uint64(st.VolumesUnreadable)})
	require.Len(t, st.Unreadable[0].Slots, 2)
	require.Equal(t, v.Slots[0], st.Unreadable[0].Slots[0].Drive)

	set(v.Slots[1], metapb.Life_LIFE_ACTIVE) // It is back.
	require.Zero(t, unreadable().ExtentsUnreadable)
	require.Equal(t, metapb.Refusal_REFUSAL_NONE, start(0, spare[0]).Refusal)
	c.ok(t, &metapb.Command{Op: &metapb.Command_SetMissing{SetMissing: &metapb.SetMissing{
		Add: []*metapb.ExtentSlots{{Volume: 1, Seq: 1, Slots: 1, Epoch: m.firstVolume().Epoch}}}}})
	require.Equal(t, metapb.Refusal_REFUSAL_NONE, finish(0, spare[0]).Refusal)
	former := m.firstVolume().Former
	require.Len(t, former, 1)
	require.Equal(t, v.Slots[0], former[0].Drive, "it may come back with what the extent lacks")
	set(v.Slots[1], metapb.Life_LIFE_LOST)
	require.Equal(t, metapb.Refusal_REFUSAL_NOT_REBUILDABLE, start(1, spare[1]).Refusal, "slot 0 is not made anew yet")
	st = unreadable()
	require.Equal(t, uint64(1), st.ExtentsUnreadable)
	var named []string
	for _, s := range st.Unreadable[0].Slots {
		named = append(named, fmt.Sprintf("%d:%d", s.Slot, s.Drive))
	}
	require.Equal(t, []string{fmt.Sprintf("0:%d", v.Slots[0]), fmt.Sprintf("1:%d", v.Slots[1])}, named, "either would do")

	c.ok(t, &metapb.Command{Op: &metapb.Command_RemoveDrive{RemoveDrive: &metapb.RemoveDrive{Drive: v.Slots[1], Force: true}}})
	require.Equal(t, metapb.Refusal_REFUSAL_NONE, start(1, spare[1]).Refusal, "nothing of it can come back")
	require.NoError(t, m.s.Check())
}

// A status names, of a volume that cannot be read, the drives that would bring it back: those
// that are away, and those that had a slot before, as long as something of the slot is missing.
func TestStatusNamesWhatWouldHelp(t *testing.T) {
	m, c := law(t)
	defer m.close()
	v := m.firstVolume()
	set := func(drive uint64, l metapb.Life) {
		c.ok(t, &metapb.Command{Op: &metapb.Command_SetDriveState{SetDriveState: &metapb.SetDriveState{
			Drive: drive, State: l, Force: true}}})
	}
	missing := func(change *metapb.SetMissing) {
		for _, e := range append(change.Add, change.Remove...) {
			e.Volume, e.Seq, e.Epoch = 1, 1, m.firstVolume().Epoch
		}
		c.ok(t, &metapb.Command{Op: &metapb.Command_SetMissing{SetMissing: change}})
	}
	named := func() (out []string) {
		st := m.status()
		require.Len(t, st.Unreadable, 1)
		for _, s := range st.Unreadable[0].Slots {
			out = append(out, fmt.Sprintf("%d:%d on %d misses %d", s.Slot, s.Drive, s.Node, s.Missing))
		}
		return out
	}
	// Slot 0 is made anew on a spare drive, with the extent's shard still missing there.
	set(v.Slots[0], metapb.Life_LIFE_LOST)
	c.ok(t, &metapb.Command{Op: &metapb.Command_StartMove{StartMove: &metapb.StartMove{
		Volume: 1, Epoch: v.Epoch, To: spare[0], Rebuild: true}}})
	missing(&metapb.SetMissing{Add: []*metapb.ExtentSlots{{Slots: 1}}})
	c.ok(t, &metapb.Command{Op: &metapb.Command_FinishMove{FinishMove: &metapb.FinishMove{
		Volume: 1, Epoch: m.firstVolume().Epoch, To: spare[0], SeenIndex: 1 << 40}}})
	set(v.Slots[1], metapb.Life_LIFE_LOST)
	require.Equal(t, []string{"0:100 on 1 misses 1", "1:101 on 1 misses 0"}, named(), "either would do")
	missing(&metapb.SetMissing{Remove: []*metapb.ExtentSlots{{Slots: 1}}})
	require.Empty(t, m.status().Unreadable, "the shard was made")
	set(v.Slots[2], metapb.Life_LIFE_LOST)
	require.Equal(t, []string{"1:101 on 1 misses 0", "2:102 on 1 misses 0"}, named(), "the drive of before has nothing")
	missing(&metapb.SetMissing{Add: []*metapb.ExtentSlots{{Slots: 1}}})
	require.Equal(t, []string{"0:100 on 1 misses 1", "1:101 on 1 misses 0", "2:102 on 1 misses 0"}, named())
	require.NoError(t, m.s.Check())
}

// A move that began again after it was cancelled is not finished by what was seen before.
func TestMoveBeginsAfresh(t *testing.T) {
	m, c := law(t)
	defer m.close()
	to := spare[0]
	start := func() *metapb.Command {
		return &metapb.Command{Op: &metapb.Command_StartMove{StartMove: &metapb.StartMove{
			Volume: 1, Epoch: m.firstVolume().Epoch, Slot: 0, To: to}}}
	}
	seen := c.ok(t, start()).Index
	c.ok(t, &metapb.Command{Op: &metapb.Command_CancelMove{CancelMove: &metapb.CancelMove{Volume: 1, Slot: 0, To: to}}})
	again := c.ok(t, start()).Index
	finish := func(seen uint64) metapb.Refusal {
		return c.do(&metapb.Command{Op: &metapb.Command_FinishMove{FinishMove: &metapb.FinishMove{
			Volume: 1, Epoch: m.firstVolume().Epoch, Slot: 0, To: to, SeenIndex: seen}}}).Refusal
	}
	require.Equal(t, metapb.Refusal_REFUSAL_MOVE_BEHIND, finish(seen))
	require.Equal(t, metapb.Refusal_REFUSAL_NONE, finish(again))
}
