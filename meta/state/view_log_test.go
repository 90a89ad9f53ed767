package state

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
)

func (m *machine) view(q *metapb.GetView) *metapb.ViewAnswer {
	return m.query(&metapb.Query{Op: &metapb.Query_View{View: q}}).View
}

// TestViewDifferencesMakeTheWhole: what has changed since any earlier view makes of it the one of
// now, whatever was changed. Only a state that was opened meanwhile, or has begun another era,
// answers the whole.
func TestViewDifferencesMakeTheWhole(t *testing.T) {
	told, whole := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		m := newMachine(rt, nil)
		defer func() { m.close() }()
		m.apply(&metapb.Command{Op: &metapb.Command_FormCluster{FormCluster: &metapb.FormCluster{Id: "c1"}}})
		c := &client{m: m}
		do := func(cmd *metapb.Command) { // In a session of its own, since an era ends all.
			c.seq++
			c.session = id(int(c.seq))
			open := &metapb.OpenSession{Node: 7, Session: c.session}
			m.apply(&metapb.Command{Op: &metapb.Command_OpenSession{OpenSession: open}})
			c.do(cmd)
		}
		for n := range uint64(7) {
			m.apply(registerForView(n+1, "at"))
		}
		for v := range uint64(2) {
			do(volumeForView(m.view(&metapb.GetView{}).Epoch, v+1))
		}
		require.Len(rt, m.view(&metapb.GetView{}).Volumes, 2)
		var known []*meta.Topology
		opened, era := m.view(&metapb.GetView{}).Epoch, uint64(0)
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			switch op := rapid.IntRange(0, 20).Draw(rt, "op"); op {
			case 0:
				m.close()
				m.open()
				opened = m.view(&metapb.GetView{}).Epoch
			case 1, 2, 3:
				known = append(known, meta.NewTopology(m.view(&metapb.GetView{})))
			default:
				do(changeOfView(rt, m, op))
			}
			now := meta.NewTopology(m.view(&metapb.GetView{}))
			if now.Era != era {
				opened, era = now.View.Epoch, now.Era
			}
			for _, old := range known {
				a := m.view(&metapb.GetView{HaveEpoch: old.View.Epoch, HaveEra: old.Era, Differences: true})
				switch {
				case old.View.Epoch == now.View.Epoch:
					require.Zero(rt, proto.Size(a), "the asker has this view")
				case a.Since != 0:
					require.Equal(rt, old.View.Epoch, a.Since)
					require.Equal(rt, now, old.Advanced(a))
					told++
				default:
					require.LessOrEqual(rt, old.View.Epoch, opened, "it was there all the time")
					require.Equal(rt, now, meta.NewTopology(a))
					whole++
				}
			}
		}
	})
	require.Positive(t, told)
	require.Positive(t, whole)
}

// changeOfView returns a command that may change nodes or volumes.
func changeOfView(rt *rapid.T, m *machine, op int) *metapb.Command {
	node := rapid.Uint64Range(1, 6).Draw(rt, "node")
	drive := 10*node + rapid.Uint64Range(0, 1).Draw(rt, "drive")
	view := m.view(&metapb.GetView{})
	var v *metapb.Volume
	if len(view.Volumes) > 0 {
		v = rapid.SampledFrom(view.Volumes).Draw(rt, "volume")
	}
	switch {
	case op == 4:
		return &metapb.Command{Op: &metapb.Command_SetNodeState{SetNodeState: &metapb.SetNodeState{
			Node: node, State: metapb.Life(rapid.IntRange(0, 2).Draw(rt, "life")), Force: true}}}
	case op == 5:
		return &metapb.Command{Op: &metapb.Command_SetDriveState{SetDriveState: &metapb.SetDriveState{
			Drive: drive, State: metapb.Life(rapid.IntRange(0, 3).Draw(rt, "life")), Force: true}}}
	case op == 6 || op == 7:
		return &metapb.Command{Op: &metapb.Command_ReportDrive{ReportDrive: &metapb.ReportDrive{
			Drive: drive, UsedBytes: rapid.Uint64Range(1, 9).Draw(rt, "used"), Full: rapid.Bool().Draw(rt, "full")}}}
	case op == 8 && rapid.Bool().Draw(rt, "seldom"):
		return &metapb.Command{Op: &metapb.Command_RemoveNode{RemoveNode: &metapb.RemoveNode{Node: node, Force: true}}}
	case op == 9 && rapid.Bool().Draw(rt, "seldom"):
		return &metapb.Command{Op: &metapb.Command_RemoveDrive{RemoveDrive: &metapb.RemoveDrive{Drive: drive, Force: true}}}
	case op == 10 && rapid.Bool().Draw(rt, "seldom"):
		return &metapb.Command{Op: &metapb.Command_BeginEra{BeginEra: &metapb.BeginEra{Era: view.Era + 1, SkipBlocks: 1}}}
	case op >= 11 && op <= 14 && v != nil && v.Move == nil:
		return &metapb.Command{Op: &metapb.Command_StartMove{StartMove: &metapb.StartMove{
			Volume: v.Id, Epoch: v.Epoch, Slot: rapid.Uint32Range(0, 2).Draw(rt, "slot"), To: drive}}}
	case op == 11 && v != nil:
		return &metapb.Command{Op: &metapb.Command_CancelMove{CancelMove: &metapb.CancelMove{
			Volume: v.Id, Slot: v.Move.Slot, To: v.Move.To}}}
	case op >= 12 && op <= 14 && v != nil:
		return &metapb.Command{Op: &metapb.Command_FinishMove{FinishMove: &metapb.FinishMove{
			Volume: v.Id, Epoch: v.Epoch, Slot: v.Move.Slot, To: v.Move.To, SeenIndex: 1 << 60}}}
	case op == 15 || op == 16:
		return volumeForView(view.Epoch, rapid.Uint64Range(1, 4).Draw(rt, "first"))
	}
	return registerForView(node, fmt.Sprint("at", rapid.IntRange(0, 2).Draw(rt, "address")))
}

func registerForView(node uint64, addr string) *metapb.Command {
	return &metapb.Command{Op: &metapb.Command_RegisterNode{RegisterNode: &metapb.RegisterNode{Node: &metapb.Node{
		Id: node, RpcAddr: addr, Drives: []*metapb.Drive{{Id: 10 * node}, {Id: 10*node + 1}}}}}}
}

// volumeForView makes a volume on the first drives of three nodes.
func volumeForView(epoch, first uint64) *metapb.Command {
	return &metapb.Command{Op: &metapb.Command_CreateVolumes{CreateVolumes: &metapb.CreateVolumes{ViewEpoch: epoch,
		Volumes: []*metapb.Volume{{K: 2, M: 1, Slots: []uint64{10 * first, 10*first + 10, 10*first + 20}}}}}}
}
