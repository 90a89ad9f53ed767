package admin

import (
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/cluster/place"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/shardtest"
)

// zoned gives the nodes zones, one letter for each node (a capital letter for a node that drains),
// and this many drives. It stores data in volumes of 4+2, one of which is on the drives of the
// given nodes.
func (w *world) zoned(zones string, drives []int, on ...int) {
	for i, z := range strings.ToLower(zones) {
		n := &metapb.Node{Id: uint64(testNode(i + 1)), Zone: string(z)}
		for d := range drives[i] {
			id := uint64(testDrive + i + 50*d)
			n.Drives = append(n.Drives, &metapb.Drive{Id: id, CapacityBytes: 1 << 40})
			if w.drives[cluster.DriveID(id)] == nil {
				w.drives[cluster.DriveID(id)] = shardtest.NewFaulty(shardtest.NewMemory())
			}
		}
		w.meta.must(&metapb.Command{Op: &metapb.Command_RegisterNode{RegisterNode: &metapb.RegisterNode{Node: n}}})
		if rune(zones[i]) != z {
			w.set(i+1, metapb.Life_LIFE_DRAINING)
		}
	}
	var slots []uint64
	for _, i := range on {
		slots = append(slots, uint64(testDrive+i-1))
	}
	topo, err := w.meta.Topology(w.t.Context())
	require.NoError(w.t, err)
	w.meta.must(&metapb.Command{Op: &metapb.Command_CreateVolumes{CreateVolumes: &metapb.CreateVolumes{ViewEpoch: topo.View.Epoch,
		Volumes: []*metapb.Volume{{K: 4, M: 2, Slots: slots}}}}})
	w.upload("owner", "bucket", "key")
	w.put("bucket", "big", testExtent)
}

// settled moves every slot to where a plan says that it will be.
func (w *world) settled(t *testing.T) {
	for {
		topo, err := w.meta.Topology(t.Context())
		require.NoError(t, err)
		p := &picture{topo: topo}
		moved := false
		for id, slots := range p.settle(nil, false) {
			v := topo.Volumes[id]
			for i, to := range slots {
				if to == v.Slots[i] {
					continue
				}
				at := &metapb.StartMove{Volume: uint32(id), Epoch: v.Epoch, Slot: uint32(i), To: uint64(to)}
				w.meta.must(&metapb.Command{Op: &metapb.Command_StartMove{StartMove: at}})
				w.meta.must(&metapb.Command{Op: &metapb.Command_FinishMove{FinishMove: &metapb.FinishMove{
					Volume: at.Volume, Epoch: at.Epoch, Slot: at.Slot, To: at.To, SeenIndex: w.meta.index}}})
				moved = true
				break
			}
		}
		if !moved {
			return
		}
	}
}

// A drain is refused if it leaves one node of a zone with two slots of each volume, because two
// dead nodes would then make data unreadable. If it is forced, status tells of it.
func TestDrainThatLowersTolerance(t *testing.T) {
	w := newWorld(t)
	w.zoned("aabbbccc", []int{2, 1, 1, 1, 1, 1, 1, 1}, 1, 2, 3, 4, 6, 7)
	ctx, api := t.Context(), w.as(root)
	s, err := api.Status(ctx, &adminpb.StatusRequest{})
	require.NoError(t, err)
	require.Equal(t, healthy, s.Health, s.Warnings)
	require.NotZero(t, s.Tolerance.Volumes)
	require.Equal(t, "any 2 nodes, any 2 drives or any zone may be lost; the metadata would stop sooner: "+
		"of its voters any node may be lost, but no zone", s.Tolerance.Text)
	require.EqualValues(t, 1, s.Tolerance.MetadataNodes)

	p, err := api.ShowPlan(ctx, &adminpb.PlanRequest{Node: "02"})
	require.NoError(t, err)
	require.True(t, p.Refused)
	require.EqualValues(t, 2, p.Before.Nodes)
	require.EqualValues(t, 1, p.After.Nodes)
	require.EqualValues(t, 1, p.After.Zones)
	require.Contains(t, p.Why, "could lose less than now: any node, any 2 drives or any zone may be lost then, "+
		"for node 0100000000000000 of zone a would have two or more slots")
	for _, drain := range []func() error{
		func() error { _, err := api.DrainNode(ctx, &adminpb.ChangeNodeRequest{Node: "02"}); return err },
		func() error {
			_, err := api.DrainDrive(ctx, &adminpb.ChangeDriveRequest{Drive: cluster.DriveID(testDrive + 1).String()})
			return err
		},
	} {
		err := drain()
		require.Equal(t, connect.CodeFailedPrecondition, connect.CodeOf(err))
		require.ErrorContains(t, err, "could lose less than now")
	}
	p, err = api.ShowPlan(ctx, &adminpb.PlanRequest{Node: "05"})
	require.NoError(t, err)
	require.False(t, p.Refused, "zone b has nodes enough: %s", p.Why)

	_, err = api.DrainNode(ctx, &adminpb.ChangeNodeRequest{Node: "02", Force: true})
	require.NoError(t, err)
	w.settled(t)
	p, err = api.ShowPlan(ctx, &adminpb.PlanRequest{Node: "02", Remove: true})
	require.NoError(t, err)
	require.False(t, p.Refused, p.Why)
	require.EqualValues(t, 1, p.After.Nodes, "what the plan said")
	_, err = api.RemoveNode(ctx, &adminpb.ChangeNodeRequest{Node: "02"})
	require.NoError(t, err)
	h, err := api.ShowHealth(ctx, &adminpb.ShowHealthRequest{})
	require.NoError(t, err)
	require.Equal(t, warning, h.State)
	require.Contains(t, h.Reason, "too close together: any node, any 2 drives or any zone may be lost, where its coding promises: any 2 nodes")
	require.Contains(t, h.Reason, "node 0100000000000000 of zone a has two or more slots")
	topo, err := w.meta.Topology(ctx)
	require.NoError(t, err)
	a, err := w.meta.Read(ctx, &metapb.Query{Op: &metapb.Query_VolumeStats{VolumeStats: &metapb.ListVolumeStats{}}})
	require.NoError(t, err)
	for _, d := range topo.Volumes[shard.VolumeID(a.GetVolumeStats().Volumes[0].Volume)].Slots {
		n := topo.View.NodeOf(d).ID
		if n != testNode(1) && len(w.states) == 0 {
			w.states[n] = gossip.Down
		} else if n != testNode(1) {
			w.config.Node = n // That answers.
		}
	}
	w.states[testNode(1)] = gossip.Down
	api = w.as(root)
	s, err = api.Status(ctx, &adminpb.StatusRequest{})
	require.NoError(t, err)
	require.NotZero(t, s.Tolerance.Unreadable)
	require.Contains(t, s.Tolerance.Text, "cannot be read now")
	h, err = api.ShowHealth(ctx, &adminpb.ShowHealthRequest{})
	require.NoError(t, err)
	require.Equal(t, 1, saidUnreadable(h), "%v", h.Checks)
}

// Two drains are safe one by one. The second is refused, although nothing has moved yet.
func TestDrainCountsOtherDrains(t *testing.T) {
	w := newWorld(t)
	w.zoned("aaabbbccc", []int{2, 1, 1, 1, 1, 1, 1, 1, 1}, 1, 2, 4, 5, 7, 8)
	ctx, api := t.Context(), w.as(root)
	_, err := api.DrainNode(ctx, &adminpb.ChangeNodeRequest{Node: "02"})
	require.NoError(t, err)
	_, err = api.DrainNode(ctx, &adminpb.ChangeNodeRequest{Node: "03"})
	require.ErrorContains(t, err, "could lose less than now")
	p, err := api.ShowPlan(ctx, &adminpb.PlanRequest{Node: "02", Undrain: true})
	require.NoError(t, err)
	require.EqualValues(t, 2, p.After.Nodes)
	_, err = api.UndrainNode(ctx, &adminpb.ChangeNodeRequest{Node: "02"})
	require.NoError(t, err)
	_, err = api.DrainNode(ctx, &adminpb.ChangeNodeRequest{Node: "03"})
	require.NoError(t, err)
}

// If the view changes between plan and command, the drain is planned again.
func TestDrainIsDecidedOnTheViewAsItIs(t *testing.T) {
	w := newWorld(t)
	w.zoned("aaabbbccc", []int{2, 1, 1, 1, 1, 1, 1, 1, 1}, 1, 2, 4, 5, 7, 8)
	var once bool
	w.meta.onRead = func(q *metapb.Query) {
		if q.GetVolumeStats() != nil && !once { // After the topology was read.
			once = true
			w.meta.must(&metapb.Command{Op: &metapb.Command_SetNodeState{SetNodeState: &metapb.SetNodeState{
				Node: uint64(testNode(3)), State: metapb.Life_LIFE_DRAINING}}})
		}
	}
	_, err := w.as(root).DrainNode(t.Context(), &adminpb.ChangeNodeRequest{Node: "02"})
	require.True(t, once)
	require.ErrorContains(t, err, "could lose less than now")
}

// Using a node again may cost as much: a zone with one node gets its share of slots.
func TestUndrainTellsWhatItCosts(t *testing.T) {
	w := newWorld(t)
	w.zoned("Abbbccc", []int{2, 1, 1, 1, 1, 1, 1}, 2, 3, 4, 5, 6, 7)
	ctx, api := t.Context(), w.as(root)
	p, err := api.ShowPlan(ctx, &adminpb.PlanRequest{Node: "01", Undrain: true})
	require.NoError(t, err)
	require.Equal(t, []uint32{2, 0}, []uint32{p.Before.Nodes, p.Before.Zones})
	require.Equal(t, []uint32{1, 1}, []uint32{p.After.Nodes, p.After.Zones})
	_, err = api.ShowPlan(ctx, &adminpb.PlanRequest{Node: "01", Undrain: true, Remove: true})
	require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(err))
}

func TestToleranceInWords(t *testing.T) {
	for want, of := range map[string]struct {
		t     place.Tolerance
		zoned bool
	}{
		"any 2 nodes, any 2 drives or any zone may be lost":    {place.Tolerance{Nodes: 2, Drives: 2, Zones: 1}, true},
		"any node or any drive may be lost":                    {place.Tolerance{Nodes: 1, Drives: 1}, false},
		"any node or any 2 drives may be lost, but no zone":    {place.Tolerance{Nodes: 1, Drives: 2}, true},
		"any 2 drives may be lost, but no node and no zone":    {place.Tolerance{Drives: 2}, true},
		"no node and no drive may be lost":                     {place.Tolerance{}, true},
		"any 4 nodes, any 4 drives or any 2 zones may be lost": {place.Tolerance{Nodes: 4, Drives: 4, Zones: 2}, true},
	} {
		require.Equal(t, want, bears(of.t, of.zoned))
	}
}

// TestDomainsWithout: a node without drives does not make the drives of the only other node one
// failure domain, so one of them may be drained if the others take its slots.
func TestDomainsWithout(t *testing.T) {
	nodes := []cluster.Node{{ID: 1}, {ID: 2}}
	for d := range cluster.DriveID(3) {
		nodes[0].Drives = append(nodes[0].Drives, cluster.Drive{ID: 11 + d, Node: 1})
	}
	view := cluster.NewView(1, nodes)
	p := &picture{topo: &meta.Topology{View: view}}
	require.Equal(t, 3, p.domainsWithout(nil))
	require.Equal(t, 2, p.domainsWithout(&subjectOf{node: &view.Nodes[0], drive: &view.Nodes[0].Drives[0]}))
}
