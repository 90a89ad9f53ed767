package admin

import (
	"context"
	"errors"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/rpc"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/node/admin/adminpb/adminpbconnect"
	"github.com/cairnstore/cairn/node/trace"
)

// fakePeer is a node in the form in which others ask it.
type fakePeer struct {
	adminpbconnect.UnimplementedPeerServiceHandler
	report *adminpb.NodeReport
	hub    trace.Hub
	level  string
	run    []string    // What it was asked to run.
	silent atomic.Bool // It is alive and does not answer.

	watching atomic.Int32
}

// peer returns a node, which is made when it is first asked for. It is well, and has a drive that
// is hardly used.
func (w *world) peer(n *cluster.Node) Peer {
	p := w.fake(n.ID)
	_, h := adminpbconnect.NewPeerServiceHandler(p, rpc.ConnectOptions()...)
	s := httptest.NewServer(h)
	w.t.Cleanup(s.Close)
	return adminpbconnect.NewPeerServiceClient(s.Client(), s.URL, rpc.ClientOptions()...)
}

// fake returns the node with an id.
func (w *world) fake(id cluster.NodeID) *fakePeer {
	w.peersMu.Lock()
	defer w.peersMu.Unlock()
	if p := w.peers[id]; p != nil {
		return p
	}
	drive := cluster.DriveID(testDrive + uint64(id)>>56 - 1).String()
	p := &fakePeer{level: "info", report: &adminpb.NodeReport{Version: "test", UptimeSeconds: 60, Jobs: []*adminpb.Job{{Name: "repair", State: jobIdle}, {Name: "scrub", State: "running", Done: 1, Total: 4}}, Drives: []*adminpb.DriveStatus{
		{Id: drive, CapacityBytes: 1000, UsedBytes: 100, FreeBytes: 900, Shards: 7, State: DriveOK, Path: "/srv"}}}}
	w.peers[id] = p
	return p
}

func (p *fakePeer) answers() error {
	if p.silent.Load() {
		return errs.Newf("test", errs.Unavailable, "its disk hangs")
	}
	return nil
}

func (p *fakePeer) Report(context.Context, *adminpb.ReportRequest) (*adminpb.NodeReport, error) {
	p.report.Log = &adminpb.LogLevel{Level: p.level, Configured: "info"}
	if p.report.NowUs == 0 {
		return &adminpb.NodeReport{Version: p.report.Version, UptimeSeconds: p.report.UptimeSeconds, Drives: p.report.Drives, Log: p.report.Log,
			DirectoryAgeSeconds: p.report.DirectoryAgeSeconds, Jobs: p.report.Jobs, Settings: p.report.Settings, MetadataRoom: p.report.MetadataRoom, NowUs: uint64(time.Now().UnixMicro())}, p.answers()
	}
	return p.report, p.answers()
}

func (p *fakePeer) Load(context.Context, *adminpb.ReportRequest) (*adminpb.NodeLoad, error) {
	return &adminpb.NodeLoad{BytesIn: 5}, p.answers()
}

func (p *fakePeer) History(_ context.Context, r *adminpb.ShowHistoryRequest) (*adminpb.LoadHistory, error) {
	bounds := []float64{1, 2}
	if p.report.Version == "other" {
		bounds = []float64{1}
	}
	sample := func(at uint64) *adminpb.HistorySample {
		return &adminpb.HistorySample{Time: r.After + at, Requests: 3, BytesIn: 5, Latency: []uint64{1, 1,
			1}, Nodes: 1}
	}
	return &adminpb.LoadHistory{StepSeconds: 10, LeSeconds: bounds,
		Samples: []*adminpb.HistorySample{sample(10), sample(20)}}, p.answers()
}

func (p *fakePeer) SetLevel(_ context.Context, r *adminpb.SetLogLevelRequest) (*adminpb.LogLevel, error) {
	p.level = r.Level
	return &adminpb.LogLevel{Level: p.level, Configured: "info"}, p.answers()
}

func (p *fakePeer) Run(_ context.Context, r *adminpb.RunJobRequest) (*adminpb.RunJobResponse, error) {
	p.run = append(p.run, r.Name+" "+r.Drive)
	return &adminpb.RunJobResponse{}, p.answers()
}

func (p *fakePeer) InForce(context.Context, *adminpb.ListSettingsRequest) (*adminpb.Settings, error) {
	one := &adminpb.Setting{Name: "repair-rate", Value: "1MiB", Source: fromNode}
	return &adminpb.Settings{Settings: []*adminpb.Setting{one}}, p.answers()
}

func (p *fakePeer) Log(context.Context, *adminpb.ListLogsRequest) (*adminpb.NodeLog, error) {
	return &adminpb.NodeLog{Lines: []string{"a line"}}, p.answers()
}

func (p *fakePeer) Watch(ctx context.Context, r *adminpb.TraceRequest, out *connect.ServerStream[adminpb.TraceEvent]) error {
	if err := p.answers(); err != nil {
		return err
	}
	f, err := trace.NewFilter(r)
	if err != nil {
		return err
	}
	w := p.hub.Watch(f)
	defer w.Close()
	p.watching.Add(1)
	defer p.watching.Add(-1)
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-w.Events():
			if err := out.Send(e); err != nil {
				return err
			}
		}
	}
}

func (p *fakePeer) Support(_ context.Context, _ *adminpb.ReportRequest, out *connect.ServerStream[adminpb.SupportPiece]) error {
	if err := p.answers(); err != nil {
		return err
	}
	return errors.Join(out.Send(&adminpb.SupportPiece{Name: "log.txt", Data: []byte("one ")}),
		out.Send(&adminpb.SupportPiece{Name: "log.txt", Data: []byte("two")}))
}
