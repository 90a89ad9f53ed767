package main

import (
	"context"
	"errors"
	"sync/atomic"

	"connectrpc.com/connect"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// A cluster of three nodes, one of which is down.

func fakeDrive(node, zone, id, state string, used uint64) *adminpb.DriveStatus {
	d := &adminpb.DriveStatus{Id: id, Node: node, Zone: zone, State: state, CapacityBytes: 100 << 30, Slots: 4}
	if state != "unknown" {
		d.UsedBytes, d.FreeBytes, d.Shards, d.Path = used<<30, (100-used)<<30, 12*used, "/srv/d1"
	}
	return d
}

func fakeNodes() []*adminpb.NodeStatus {
	nodes := []*adminpb.NodeStatus{
		{Id: "1a00000000000001", Zone: "rack1", S3Addr: "10.0.0.1:9000", RpcAddr: "10.0.0.1:9001", RaftAddr: "10.0.0.1:9002", GossipAddr: "10.0.0.1:9003",
			State: "alive", Voter: true, Leader: true, Answered: true, Version: "1.2.0", UptimeSeconds: 93784, LogLevel: "info",
			BlockCache: &adminpb.BlockCache{Bytes: 60 << 20, LimitBytes: 64 << 20, Hits: 97_500, Misses: 2_500}},
		{Id: "2b00000000000002", Zone: "rack1", S3Addr: "10.0.0.2:9000", State: "alive", Voter: true, Answered: true, Version: "1.2.0",
			UptimeSeconds: 59, ClockSkewMs: -7000, LogLevel: "debug",
			BlockCache: &adminpb.BlockCache{Bytes: 8 << 20, LimitBytes: 64 << 20, Hits: 600, Misses: 200}},
		{Id: "3c00000000000003", Zone: "rack2", S3Addr: "10.0.0.3:9000", State: "down", Voter: true},
	}
	nodes[0].Drives = []*adminpb.DriveStatus{fakeDrive(nodes[0].Id, "rack1", "d100000000000001", "ok", 25)}
	nodes[1].Drives = []*adminpb.DriveStatus{fakeDrive(nodes[1].Id, "rack1", "d200000000000002", "failed", 50)}
	nodes[2].Drives = []*adminpb.DriveStatus{fakeDrive(nodes[2].Id, "rack2", "d300000000000003", "unknown", 0)}
	return nodes
}

func fakeHealth() *adminpb.Health {
	return &adminpb.Health{State: "warning", Reason: "node 3c00000000000003 (10.0.0.3:9000) is down", Checks: []*adminpb.HealthCheck{
		{Name: "nodes", State: "warning", Found: "node 3c00000000000003 (10.0.0.3:9000) is down", Action: "start it again"},
		{Name: "data", State: "healthy", Found: "no shard is missing"}}}
}

func (fakeAdmin) Status(context.Context, *adminpb.StatusRequest) (*adminpb.StatusResponse, error) {
	h := fakeHealth()
	return &adminpb.StatusResponse{ClusterId: "c1a5", Version: "1.2.0", AnsweredBy: "1a00000000000001", Leader: "1a00000000000001", Term: 3, CommitIndex: 1200,
		ViewEpoch: 9, Nodes: fakeNodes(), Buckets: 2, ExtentsMissing: 1, ExtentsGc: 4, ExtentsDoomed: 5,
		Volumes:  []*adminpb.VolumeCount{{Scheme: "2+1", Volumes: 12, Degraded: 4, Whole: 8}},
		Warnings: []string{h.Reason + ": start it again"}, Health: h.State, HealthReason: h.Reason, Checks: h.Checks,
		CapacityBytes: 300 << 30, UsedBytes: 75 << 30, FreeBytes: 125 << 30, StorableBytes: 80 << 30,
		StorableScheme: "2+1", Voters: 3, VotersAlive: 2}, nil
}

func (fakeAdmin) ShowHealth(context.Context, *adminpb.ShowHealthRequest) (*adminpb.Health, error) {
	return fakeHealth(), nil
}

func (fakeAdmin) ListNodes(context.Context, *adminpb.ListNodesRequest) (*adminpb.Nodes, error) {
	return &adminpb.Nodes{Nodes: fakeNodes()}, nil
}

func (fakeAdmin) ShowNode(_ context.Context, r *adminpb.NodeRef) (*adminpb.NodeStatus, error) {
	return fakeNodes()[1], failing(r.Node)
}

func (fakeAdmin) ListDrives(context.Context, *adminpb.ListDrivesRequest) (*adminpb.Drives, error) {
	var out adminpb.Drives
	for _, n := range fakeNodes() {
		out.Drives = append(out.Drives, n.Drives...)
	}
	return &out, nil
}

func (fakeAdmin) ShowDrive(_ context.Context, r *adminpb.DriveRef) (*adminpb.DriveStatus, error) {
	return fakeNodes()[0].Drives[0], failing(r.Drive)
}

func fakeVolume() *adminpb.Volume {
	return &adminpb.Volume{Id: 7, Epoch: 2, Scheme: "2+1", Health: "degraded", Slots: []*adminpb.Slot{
		{Slot: 0, Kind: "data", Drive: "d100000000000001", Node: "1a00000000000001", Zone: "rack1", State: "ok"},
		{Slot: 1, Kind: "data", Drive: "d200000000000002", Node: "2b00000000000002", Zone: "rack1", State: "failed", MovingTo: "d400000000000004"},
		{Slot: 2, Kind: "parity", Drive: "d300000000000003", Node: "3c00000000000003", Zone: "rack2", State: "unreachable"}}}
}

func (fakeAdmin) ListVolumes(context.Context, *adminpb.ListVolumesRequest) (*adminpb.Volumes, error) {
	return &adminpb.Volumes{Volumes: []*adminpb.Volume{fakeVolume()}}, nil
}

func (fakeAdmin) ShowVolume(_ context.Context, r *adminpb.VolumeRef) (*adminpb.Volume, error) {
	if r.Id == 404 {
		return nil, failing("not_found")
	}
	return fakeVolume(), nil
}

func (fakeAdmin) Trace(_ context.Context, r *adminpb.TraceRequest, out *connect.ServerStream[adminpb.TraceEvent]) error {
	if err := failing(r.Node); err != nil {
		return err
	}
	e := &adminpb.TraceEvent{Time: "not a time", Node: "1a00000000000001", Kind: "s3", RequestId: "r1", Operation: "GetObject", Bucket: "photos", Key: "a\x1b[2J",
		Remote: "192.0.2.1", Account: "acme", User: "alice", AccessKey: "ak", Status: 404, Code: "NoSuchKey", BytesOut: 300, DurationUs: 1234}
	return errors.Join(out.Send(e), out.Send(&adminpb.TraceEvent{Node: "1a00000000000001", Dropped: 3}),
		out.Send(&adminpb.TraceEvent{LostNode: "3c00000000000003", Cause: "it is down"}),
		connect.NewError(connect.CodeUnavailable, errors.New("no node is left to watch")))
}

// fakeLoads counts how often the load was asked for: each time more is done.
type fakeLoads struct{ asked atomic.Uint64 }

func (f *fakeLoads) next() *adminpb.Loads {
	n := f.asked.Add(1)
	return &adminpb.Loads{Nodes: []*adminpb.NodeLoad{
		{Node: "1a00000000000001", S3Addr: "10.0.0.1:9000", TakenUs: n * 2e6, BytesIn: n << 20, BytesOut: n << 21,
			Operations: []*adminpb.OperationLoad{
				{Operation: "GetObject", Requests: 100 * n, ClientErrors: 10 * n, ServerErrors: 2 * n, Seconds: 0.5 * float64(n), Latency: []*adminpb.LatencyBucket{
					{LeSeconds: 0.001, Requests: 50 * n}, {LeSeconds: 0.01, Requests: 90 * n}, {LeSeconds: 0.1, Requests: 100 * n}}},
				{Operation: "PutObject", Requests: 5}},
			Drives: []*adminpb.DriveLoad{{Drive: "d100000000000001", Syncs: 10 * n, SyncSeconds: 0.02 * float64(n), SyncedShards: 20 * n}}},
		{Node: "3c00000000000003", S3Addr: "10.0.0.3:9000", Error: "the node is down"}}}
}

func (f fakeAdmin) ListLoad(context.Context, *adminpb.ListLoadRequest) (*adminpb.Loads, error) {
	return f.loads.next(), nil
}

func fakeLevels(level string) *adminpb.LogLevels {
	return &adminpb.LogLevels{Nodes: []*adminpb.LogLevel{{Node: "1a00000000000001", S3Addr: "10.0.0.1:9000", Level: level, Configured: "info", Until: fakeTime},
		{Node: "3c00000000000003", S3Addr: "10.0.0.3:9000", Error: "the node is down"}}}
}

func (fakeAdmin) ListLogLevels(context.Context, *adminpb.ListLogLevelsRequest) (*adminpb.LogLevels, error) {
	return fakeLevels("info"), nil
}

func (fakeAdmin) SetLogLevel(_ context.Context, r *adminpb.SetLogLevelRequest) (*adminpb.LogLevels, error) {
	return fakeLevels(r.Level), failing(r.Node)
}

func (fakeAdmin) ListLogs(context.Context, *adminpb.ListLogsRequest) (*adminpb.Logs, error) {
	return &adminpb.Logs{Nodes: []*adminpb.NodeLog{{Node: "1a00000000000001", Lines: []string{"level=INFO msg=ready", "level=WARN msg=x"}},
		{Node: "3c00000000000003", Error: "the node is down"}}}, nil
}

func (fakeAdmin) CollectSupport(_ context.Context, _ *adminpb.CollectSupportRequest, out *connect.ServerStream[adminpb.SupportPiece]) error {
	return errors.Join(out.Send(&adminpb.SupportPiece{Name: "cluster/status.json", Data: []byte("{}\n")}),
		out.Send(&adminpb.SupportPiece{Name: "nodes/1a/log.txt", Data: []byte("one ")}),
		out.Send(&adminpb.SupportPiece{Name: "nodes/1a/log.txt", Data: []byte("two\n")}),
		out.Send(&adminpb.SupportPiece{Name: "nodes/3c/missing.txt", Data: []byte("it is down\n")}))
}

func (fakeAdmin) ShowPlan(_ context.Context, r *adminpb.PlanRequest) (*adminpb.Plan, error) {
	if err := failing(r.Node + r.Drive); err != nil {
		return nil, err
	}
	p := &adminpb.Plan{Node: "2b00000000000002", Drive: r.Drive, Remove: r.Remove, Life: "active", Slots: 4, Bytes: 50 << 30}
	stays := "1 slot of 1 volume has nowhere to go and will stay"
	switch {
	case r.Node == "3c":
		p.Node, p.Staying, p.Refused, p.Why, p.Losses = "3c00000000000003", 1, true, "1 failure domain would be left", []string{stays}
	case r.Node == "3c00000000000003":
		p.Node, p.Life, p.Slots, p.Staying, p.Losses = r.Node, "draining", 1, 1, []string{stays}
	case r.Node == "2b00000000000002": // As it is asked for while it is drained.
		p.Life, p.Slots = "draining", 0
	case r.Remove:
		p.Refused, p.Why = true, "it is active: drain it first"
		p.Losses = []string{"2 volumes could not be read any more: 10 GiB of data would be lost for good"}
	}
	return p, nil
}

func (fakeAdmin) DrainNode(_ context.Context, r *adminpb.ChangeNodeRequest) (*adminpb.NodeStatus, error) {
	n := fakeNodes()[1]
	n.Life = "draining"
	return n, nil
}

func (fakeAdmin) UndrainNode(_ context.Context, r *adminpb.ChangeNodeRequest) (*adminpb.NodeStatus, error) {
	n := fakeNodes()[1]
	n.Life = "active"
	return n, failing(r.Node)
}

func (fakeAdmin) RemoveNode(_ context.Context, r *adminpb.ChangeNodeRequest) (*adminpb.Removed, error) {
	if !r.Force {
		return nil, connect.NewError(connect.CodeFailedPrecondition, errors.New("it is active"))
	}
	return &adminpb.Removed{}, nil
}

func (fakeAdmin) DrainDrive(context.Context, *adminpb.ChangeDriveRequest) (*adminpb.DriveStatus, error) {
	return fakeDrive("2b00000000000002", "rack1", "d200000000000002", "draining", 50), nil
}

func fakeJobs() *adminpb.Jobs {
	return &adminpb.Jobs{Jobs: []*adminpb.Job{
		{Name: "move", Node: "1a00000000000001", State: "running", Done: 3, Total: 12, DoneBytes: 1 << 30, TotalBytes: 4 << 30, Began: fakeTime, EtaSeconds: 90, Detail: "draining 2b00000000000002"},
		{Name: "move", Node: "2b00000000000002", State: "idle"},
		{Name: "repair", Node: "1a00000000000001", State: "paused", PausedBy: "arn:root", PausedAt: fakeTime},
		{Name: "repair", Node: "2b00000000000002", State: "paused", PausedBy: "arn:root", PausedAt: fakeTime},
		{Name: "scrub", Node: "1a00000000000001", State: "failed", Error: "the drive hangs"},
		{Name: "scrub", Node: "2b00000000000002", Drive: "d200000000000002", State: "running", Done: 10, Total: 40,
			EtaSeconds: 300},
		{Name: "scrub", Node: "2b00000000000002", Drive: "d300000000000003", State: "running", Done: 30, Total: 40,
			EtaSeconds: 60},
		{Name: "voters", Node: "1a00000000000001", State: "idle", Last: fakeTime, Next: fakeTime},
		{Name: "voters", Node: "2b00000000000002", State: "idle"}},
		Silent: []string{"3c00000000000003"}}
}

func (fakeAdmin) ListJobs(_ context.Context, r *adminpb.ListJobsRequest) (*adminpb.Jobs, error) {
	if r.Name == "" {
		return fakeJobs(), nil
	}
	return &adminpb.Jobs{Jobs: fakeJobs().Jobs[:2]}, failing(r.Name)
}

func (fakeAdmin) PauseJob(_ context.Context, r *adminpb.JobRef) (*adminpb.Jobs, error) {
	return &adminpb.Jobs{Jobs: fakeJobs().Jobs[2:4]}, failing(r.Name)
}

func (fakeAdmin) ResumeJob(_ context.Context, r *adminpb.JobRef) (*adminpb.Jobs, error) {
	return &adminpb.Jobs{Jobs: fakeJobs().Jobs[:2]}, failing(r.Name)
}
