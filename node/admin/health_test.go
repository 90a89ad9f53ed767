package admin

import (
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/room"
	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// volumes makes a volume of 4+2 over all drives.
func (w *world) volumes() {
	slots := make([]uint64, testNodes)
	for i := range slots {
		slots[i] = uint64(testDrive + i)
	}
	topo, err := w.meta.Topology(w.t.Context())
	require.NoError(w.t, err)
	w.meta.must(&metapb.Command{Op: &metapb.Command_CreateVolumes{CreateVolumes: &metapb.CreateVolumes{ViewEpoch: topo.View.Epoch,
		Volumes: []*metapb.Volume{{K: 4, M: 2, Slots: slots}}}}})
}

func TestHealth(t *testing.T) {
	for _, c := range []struct {
		what    string
		make    func(*world)
		state   string
		check   string
		found   string
		volumes string // Health of the volume.
	}{
		{"all is well", func(*world) {}, healthy, "", "nothing is unfinished", volumeWhole},
		{"a node is down", func(w *world) { w.states[testNode(5)] = gossip.Down }, warning, "nodes", "0500000000000000 (10.0.0.5:9000) is down", volumeDegraded},
		{"a node is suspect", func(w *world) { w.states[testNode(5)] = gossip.Suspect }, warning, "nodes", "is suspect", volumeDegraded},
		{"a node hangs", func(w *world) { w.fake(testNode(5)).silent.Store(true) }, warning, "nodes", "is alive but does not answer", volumeWhole},
		{"a voter is down", func(w *world) { w.states[testNode(2)] = gossip.Down }, warning, "metadata", "one more lost and the cluster stops", volumeDegraded},
		{"two nodes are down", func(w *world) { w.states[testNode(5)], w.states[testNode(6)] = gossip.Down, gossip.Down }, critical, "volumes",
			"1 volume is endangered", volumeEndangered},
		{"three nodes are down", func(w *world) {
			w.states[testNode(4)], w.states[testNode(5)], w.states[testNode(6)] = gossip.Down, gossip.Down, gossip.Down
		}, critical, "volumes", "1 volume is unreadable", volumeUnreadable},
		{"a drive failed", func(w *world) { w.fake(testNode(3)).report.Drives[0].State = DriveFailed }, warning, "drives", "failed and is out of use", volumeDegraded},
		{"a drive is full", func(w *world) { w.fake(testNode(3)).report.Drives[0].State = DriveFull }, warning, "drives", "is full", volumeWhole},
		{"little room", func(w *world) { w.free(50) }, warning, "space", "5.0% of the drives' space is free", volumeWhole},
		{"no room", func(w *world) { w.free(20) }, critical, "space", "2.0%", volumeWhole},
		{"a clock is wrong", func(w *world) {
			w.fake(testNode(3)).report.NowUs = uint64(time.Now().Add(-time.Hour).UnixMicro())
		}, warning, "clocks", "differs by 1h0m0s", volumeWhole},
		{"two versions", func(w *world) { w.fake(testNode(3)).report.Version = "test2" }, warning, "versions", "test, test2", volumeWhole},
		{"the metadata of one node have no room", func(w *world) {
			w.fake(testNode(6)).report.MetadataRoom = "full"
		}, warning, "metadata space", "node 0600000000000000 (10.0.0.6:9000) have no room: it takes no changes", volumeWhole},
		{"the metadata have no room", func(w *world) {
			for i := range testNodes {
				w.fake(testNode(i + 1)).report.MetadataRoom = "low"
			}
		}, critical, "metadata space", "voters have room for the metadata: the cluster takes nothing that grows", volumeWhole},
		{"a setting differs", func(w *world) {
			for i := range testNodes {
				w.fake(testNode(i + 1)).report.Settings = map[string]string{"region": "a", "root-user": "b"}
			}
			w.fake(testNode(3)).report.Settings["region"] = "c"
		}, warning, "settings", "node 0300000000000000 (10.0.0.3:9000): another --region than on most nodes", volumeWhole},
		{"a job fails", func(w *world) {
			w.fake(testNode(3)).report.Jobs[0].State, w.fake(testNode(3)).report.Jobs[0].Error = jobFailed, "no room"
		}, warning, "jobs", "the job repair failed on node 0300000000000000: no room", volumeWhole},
		{"a job is paused", func(w *world) {
			_, err := w.as(root).PauseJob(w.t.Context(), &adminpb.JobRef{Name: "repair"})
			require.NoError(w.t, err)
			w.fake(testNode(1)).report.Jobs[0].State = jobPaused
		}, warning, "jobs", "the job repair is paused", volumeWhole},
		{"a node is given up", func(w *world) { w.set(5, metapb.Life_LIFE_LOST) }, warning, "nodes", "0500000000000000 (10.0.0.5:9000) is given up", volumeDegraded},
		{"cut off", func(w *world) { w.fake(testNode(3)).report.DirectoryAgeSeconds = 30 }, warning, "directory", "has not heard from the metadata for 30 seconds", volumeWhole},
	} {
		t.Run(c.what, func(t *testing.T) {
			w := newWorld(t)
			w.volumes()
			c.make(w)
			h, err := w.as(root).ShowHealth(t.Context(), &adminpb.ShowHealthRequest{})
			require.NoError(t, err)
			require.Equal(t, c.state, h.State, h.Reason)
			require.Contains(t, h.Reason, c.found)
			names := map[string]bool{}
			for _, ch := range h.Checks {
				names[ch.Name] = true
				require.NotEmpty(t, ch.Found, ch.Name)
				require.Equal(t, ch.State == healthy, ch.Action == "", "what is not well has something to do: %v", ch)
			}
			require.Len(t, names, len(checks()), "every check is told of")
			s, err := w.as(root).Status(t.Context(), &adminpb.StatusRequest{})
			require.NoError(t, err)
			require.Equal(t, h.State, s.Health)
			require.Equal(t, h.State == healthy, len(s.Warnings) == 0)
			require.LessOrEqual(t, saidUnreadable(h), 1, "%v", h.Checks)
			v, err := w.as(root).ShowVolume(t.Context(), &adminpb.VolumeRef{Id: 1})
			require.NoError(t, err)
			require.Equal(t, c.volumes, v.Health)
		})
	}
}

// saidUnreadable counts how often a finding says that something cannot be read.
func saidUnreadable(h *adminpb.Health) (n int) {
	for _, ch := range h.Checks {
		n += strings.Count(ch.Found, "cannot be read")
	}
	return n
}

// free leaves this many of its 1000 bytes free on every drive.
func (w *world) free(bytes uint64) {
	for i := range testNodes {
		w.fake(testNode(i + 1)).report.Drives[0].FreeBytes = bytes
	}
}

// set sets the state of the i-th node.
func (w *world) set(i int, to metapb.Life) {
	w.meta.must(&metapb.Command{Op: &metapb.Command_SetNodeState{SetNodeState: &metapb.SetNodeState{Node: uint64(testNode(i)), State: to}}})
}

// Extents that lack a shard are counted from the metadata, whoever is alive.
func TestMissingShardIsNotHealthy(t *testing.T) {
	p := &picture{counts: &metapb.StatusAnswer{ExtentsMissing: 1}}
	require.Equal(t, []finding{{warning, "1 extent lacks a shard", "they are repaired by themselves as soon as their drives are there; see `cairn job list`"}}, p.checkData())
}

func TestNodesAndDrives(t *testing.T) {
	w := newWorld(t)
	w.volumes()
	ctx, api := t.Context(), w.as(root)
	w.states[testNode(2)] = gossip.Down
	for _, name := range []string{"03", "0300000000000000", "10.0.0.3:9000", "10.0.0.3:9001", "10.0.0.3"} {
		n, err := api.ShowNode(ctx, &adminpb.NodeRef{Node: name})
		require.NoError(t, err, name)
		require.Equal(t, testNode(3).String(), n.Id)
		require.True(t, n.Answered)
		require.Equal(t, "zc", n.Zone)
		require.EqualValues(t, 1, n.Drives[0].Slots)
	}
	_, err := api.ShowNode(ctx, &adminpb.NodeRef{Node: "0"})
	require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(err))
	require.ErrorContains(t, err, "0 may be 0100000000000000 or 0200000000000000")
	_, err = api.ShowNode(ctx, &adminpb.NodeRef{Node: "7"})
	require.Equal(t, connect.CodeNotFound, connect.CodeOf(err))
	_, err = api.ShowNode(ctx, &adminpb.NodeRef{})
	require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(err))

	drives, err := api.ListDrives(ctx, &adminpb.ListDrivesRequest{Node: "02"})
	require.NoError(t, err)
	require.Len(t, drives.Drives, 1)
	require.Equal(t, driveUnknown, drives.Drives[0].State)
	d, err := api.ShowDrive(ctx, &adminpb.DriveRef{Drive: "0000000000000066"})
	require.NoError(t, err)
	require.Equal(t, "/srv", d.Path)
	_, err = api.ShowDrive(ctx, &adminpb.DriveRef{Drive: "00"})
	require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(err))

	for _, c := range []struct {
		r    *adminpb.ListVolumesRequest
		want int
	}{
		{&adminpb.ListVolumesRequest{}, 1},
		{&adminpb.ListVolumesRequest{Node: "02"}, 1},
		{&adminpb.ListVolumesRequest{Drive: "0000000000000066", Health: volumeDegraded}, 1},
		{&adminpb.ListVolumesRequest{Health: volumeWhole}, 0},
	} {
		v, err := api.ListVolumes(ctx, c.r)
		require.NoError(t, err)
		require.Len(t, v.Volumes, c.want)
	}
	_, err = api.ShowVolume(ctx, &adminpb.VolumeRef{Id: 2})
	require.Equal(t, connect.CodeNotFound, connect.CodeOf(err))
}

// While voters are added there may be two for a while. A node must not be restarted then.
func TestTwoVotersAreNotHealthy(t *testing.T) {
	w := newWorld(t)
	topo, err := w.meta.Topology(t.Context())
	require.NoError(t, err)
	p := &picture{topo: topo, raft: &metapb.MembersResponse{Leader: uint64(testNode(1))}, state: map[cluster.NodeID]string{}}
	for i := 1; i <= 3; i++ {
		p.state[testNode(i)] = nodeAlive
		p.raft.Members = append(p.raft.Members, &metapb.Member{Node: uint64(testNode(i)), Voter: true})
		found := p.checkMetadata()
		if i < 3 {
			require.Len(t, found, 1, "%d voters", i)
			require.Equal(t, warning, found[0].state)
		} else {
			require.Empty(t, found)
		}
	}
}

// withVoters is a picture of five nodes, each alive and with a vote. The last ones are back without
// their metadata: the votes are those of their earlier incarnations.
func withVoters(stale int) *picture {
	p := &picture{raft: &metapb.MembersResponse{Leader: uint64(testNode(1))}, state: map[cluster.NodeID]string{},
		reports: map[cluster.NodeID]*report{}}
	var nodes []cluster.Node
	for i := 1; i <= 5; i++ {
		n := cluster.Node{ID: testNode(i), Zone: string(rune('a' + i))}
		if i > 5-stale {
			n.Incarnation = "second"
		}
		nodes = append(nodes, n)
		p.state[n.ID] = nodeAlive
		p.reports[n.ID] = &report{NodeReport: &adminpb.NodeReport{}, skew: time.Duration(i) * time.Hour}
		p.raft.Members = append(p.raft.Members, &metapb.Member{Node: uint64(n.ID), Voter: true})
	}
	p.topo = &meta.Topology{View: cluster.NewView(1, nodes)}
	return p
}

// A vote of a node that has lost its metadata raises the majority that is needed and counts for
// nobody, whatever is asked about the voters.
func TestStaleVotes(t *testing.T) {
	now := time.Unix(0, 0).UTC()
	for stale, want := range []struct {
		alive        uint32
		bears, zones int
		clocks       uint32
		proved       int // Hours that a majority of five has reached.
	}{{5, 2, 2, 5, 3}, {4, 1, 1, 4, 2}, {3, 0, 0, 3, 1}} {
		p := withVoters(stale)
		all, alive := p.voters()
		require.Equal(t, uint32(5), all)
		require.Equal(t, want.alive, alive)
		nodes, zones := p.metadataBears()
		require.Equal(t, []int{want.bears, want.zones}, []int{nodes, zones}, "%d stale", stale)
		proved, clocks, err := p.provedTime(now)
		require.NoError(t, err)
		require.Equal(t, want.clocks, clocks)
		require.Equal(t, now.Add(time.Duration(want.proved)*time.Hour), proved, "%d stale", stale)

		// Of the votes that count all but one have room: that is a majority only where three are left.
		p.reports[testNode(1)].MetadataRoom = room.Low.String()
		found := p.checkRoom()
		require.Equal(t, want.alive-1 < 3, found[0].state == critical, "%d stale: %v", stale, found)
	}
	_, _, err := withVoters(3).provedTime(now)
	require.Equal(t, errs.Unavailable, errs.KindOf(err), "two of five are no majority")
}
