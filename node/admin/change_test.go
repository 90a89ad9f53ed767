package admin

import (
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// What the plan says is what is done: a change that the plan refuses is refused.
func TestPlanAndChange(t *testing.T) {
	w := newWorld(t)
	w.upload("owner", "bucket", "key")
	w.put("bucket", "big", 4*testExtent)
	ctx, api := t.Context(), w.as(root)

	p, err := api.ShowPlan(ctx, &adminpb.PlanRequest{Node: "02"})
	require.NoError(t, err)
	require.Equal(t, "active", p.Life)
	require.NotZero(t, p.Slots)
	require.Positive(t, p.Bytes)
	require.True(t, p.Refused, "six slots need six nodes")
	require.Contains(t, p.Why, "5 failure domains would be left")
	require.Equal(t, p.Slots, p.Staying)
	require.Contains(t, p.Losses[0], "nowhere to go and will stay")
	_, err = api.DrainNode(ctx, &adminpb.ChangeNodeRequest{Node: "02"})
	require.Equal(t, connect.CodeFailedPrecondition, connect.CodeOf(err))

	n, err := api.DrainNode(ctx, &adminpb.ChangeNodeRequest{Node: "02", Force: true})
	require.NoError(t, err)
	require.Equal(t, "draining", n.Life)
	require.Equal(t, driveDraining, n.Drives[0].State)
	p, err = api.ShowPlan(ctx, &adminpb.PlanRequest{Node: "02"})
	require.NoError(t, err)
	require.Equal(t, "draining", p.Life)
	require.Equal(t, p.Slots, p.Staying, "as long as it drains")
	p, err = api.ShowPlan(ctx, &adminpb.PlanRequest{Node: "02", Remove: true})
	require.NoError(t, err)
	require.True(t, p.Refused)
	require.Zero(t, p.Staying)
	require.Contains(t, p.Why, "not moved away yet")
	require.Empty(t, p.Losses, "one of two that may be lost")
	_, err = api.RemoveNode(ctx, &adminpb.ChangeNodeRequest{Node: "02"})
	require.Equal(t, connect.CodeFailedPrecondition, connect.CodeOf(err))

	w.fake(testNode(5)).silent.Store(true) // Gossip still takes it for alive.
	p, err = api.ShowPlan(ctx, &adminpb.PlanRequest{Node: "02", Remove: true})
	require.NoError(t, err)
	require.Contains(t, p.Losses[0], "could bear no other loss")
	w.states[testNode(6)] = gossip.Down
	p, err = api.ShowPlan(ctx, &adminpb.PlanRequest{Node: "02", Remove: true})
	require.NoError(t, err)
	require.Contains(t, p.Losses[0], "would be lost for good")
	w.fake(testNode(5)).silent.Store(false)
	delete(w.states, testNode(6))

	n, err = api.UndrainNode(ctx, &adminpb.ChangeNodeRequest{Node: "02"})
	require.NoError(t, err)
	require.Equal(t, "active", n.Life)

	d, err := api.DrainDrive(ctx, &adminpb.ChangeDriveRequest{Drive: "0000000000000066", Force: true})
	require.NoError(t, err)
	require.Equal(t, driveDraining, d.State)
	p, err = api.ShowPlan(ctx, &adminpb.PlanRequest{Drive: "0000000000000066"})
	require.NoError(t, err)
	require.Equal(t, testNode(3).String(), p.Node)
	require.Equal(t, "draining", p.Life)
	d, err = api.UndrainDrive(ctx, &adminpb.ChangeDriveRequest{Drive: "0000000000000066"})
	require.NoError(t, err)
	require.Equal(t, DriveOK, d.State)
	_, err = api.RemoveDrive(ctx, &adminpb.ChangeDriveRequest{Drive: "0000000000000066"})
	require.Equal(t, connect.CodeFailedPrecondition, connect.CodeOf(err))
	_, err = api.RemoveNode(ctx, &adminpb.ChangeNodeRequest{Node: "02", Force: true})
	require.NoError(t, err)
	_, err = api.ShowNode(ctx, &adminpb.NodeRef{Node: "02"})
	require.Equal(t, connect.CodeNotFound, connect.CodeOf(err))

	_, err = api.ShowPlan(ctx, &adminpb.PlanRequest{Node: "01", Drive: "0000000000000066"})
	require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(err))
	require.Contains(t, w.log.String(), "call=RemoveNode node=02 force=true outcome=done")
}

// A cluster that has a node to spare may drain one.
func TestDrainWithRoom(t *testing.T) {
	w := newWorld(t)
	w.meta.must(&metapb.Command{Op: &metapb.Command_RegisterNode{RegisterNode: &metapb.RegisterNode{Node: &metapb.Node{
		Id: uint64(testNode(7)), Zone: "zg", Drives: []*metapb.Drive{{Id: testDrive + testNodes, CapacityBytes: 1 << 40}}}}}})
	w.volumes()
	p, err := w.as(root).ShowPlan(t.Context(), &adminpb.PlanRequest{Node: "02"})
	require.NoError(t, err)
	require.False(t, p.Refused, p.Why)
	require.NotZero(t, p.Slots)
	require.Zero(t, p.Staying)
	require.Empty(t, p.Losses)
	w.meta.must(&metapb.Command{Op: &metapb.Command_ReportDrive{ReportDrive: &metapb.ReportDrive{Drive: testDrive + testNodes, Full: true}}})
	p, err = w.as(root).ShowPlan(t.Context(), &adminpb.PlanRequest{Node: "02"})
	require.NoError(t, err)
	require.Equal(t, p.Slots, p.Staying, "the one that could take them is full")
	require.Contains(t, p.Losses[0], "nowhere to go")
	_, err = w.as(root).DrainNode(t.Context(), &adminpb.ChangeNodeRequest{Node: "02"})
	require.NoError(t, err)
}

func TestJobs(t *testing.T) {
	w := newWorld(t)
	w.fake(testNode(4)).silent.Store(true)
	ctx, api := t.Context(), w.as(root)
	jobs, err := api.ListJobs(ctx, &adminpb.ListJobsRequest{})
	require.NoError(t, err)
	require.Len(t, jobs.Jobs, 2*(testNodes-1))
	require.Equal(t, []string{testNode(4).String()}, jobs.Silent)
	require.Equal(t, "repair", jobs.Jobs[0].Name)
	require.Equal(t, testNode(1).String(), jobs.Jobs[0].Node)

	jobs, err = api.PauseJob(ctx, &adminpb.JobRef{Name: "repair"})
	require.NoError(t, err)
	require.Len(t, jobs.Jobs, testNodes-1)
	require.Equal(t, root.ARN(), jobs.Jobs[0].PausedBy)
	require.Equal(t, jobPaused, jobs.Jobs[0].State)
	at := jobs.Jobs[0].PausedAt
	jobs, err = api.PauseJob(ctx, &adminpb.JobRef{Name: "repair"})
	require.NoError(t, err, "twice is once")
	require.Equal(t, at, jobs.Jobs[0].PausedAt)
	s, err := api.Status(ctx, &adminpb.StatusRequest{})
	require.NoError(t, err)
	require.Len(t, s.Jobs, 2*(testNodes-1), "the paused and the running ones")
	jobs, err = api.ResumeJob(ctx, &adminpb.JobRef{Name: "repair"})
	require.NoError(t, err)
	require.Empty(t, jobs.Jobs[0].PausedBy)
	require.Equal(t, jobIdle, jobs.Jobs[0].State)
	for _, name := range []string{"nonsense", ""} {
		_, err = api.PauseJob(ctx, &adminpb.JobRef{Name: name})
		require.Error(t, err)
	}
	_, err = api.ListJobs(ctx, &adminpb.ListJobsRequest{Name: "nonsense"})
	require.Equal(t, connect.CodeNotFound, connect.CodeOf(err))
	require.Contains(t, w.log.String(), "call=PauseJob name=repair outcome=done")

	drive := cluster.DriveID(testDrive + 1).String()
	_, err = api.RunJob(ctx, &adminpb.RunJobRequest{Name: "scrub"})
	require.NoError(t, err)
	_, err = api.RunJob(ctx, &adminpb.RunJobRequest{Name: "scrub", Drive: drive})
	require.NoError(t, err)
	require.Equal(t, []string{"scrub "}, w.fake(testNode(1)).run)
	require.Equal(t, []string{"scrub ", "scrub " + drive}, w.fake(testNode(2)).run, "%s", drive)
	_, err = api.RunJob(ctx, &adminpb.RunJobRequest{Name: "repair"})
	require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(err))
	_, err = api.RunJob(ctx, &adminpb.RunJobRequest{Name: "scrub", Drive: "zz"})
	require.Error(t, err)
	_, err = api.RunJob(ctx, &adminpb.RunJobRequest{Name: "scrub", Drive: cluster.DriveID(testDrive + 3).String()})
	require.Equal(t, connect.CodeUnavailable, connect.CodeOf(err), "its node does not answer")
	_, err = api.PauseJob(ctx, &adminpb.JobRef{Name: "scrub"})
	require.NoError(t, err)
	_, err = api.RunJob(ctx, &adminpb.RunJobRequest{Name: "scrub"})
	require.ErrorContains(t, err, "cairn job resume scrub")
}
