package node

import (
	"context"
	"net/http"
	"slices"
	"time"

	"connectrpc.com/connect"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/rpc"
	"github.com/cairnstore/cairn/node/admin"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/node/admin/adminpb/adminpbconnect"
	"github.com/cairnstore/cairn/node/trace"
	"github.com/cairnstore/cairn/node/tunable"
)

// peer answers what nodes ask of each other for the admin API.
type peer struct{ n *Node }

var _ adminpbconnect.PeerServiceHandler = peer{}

// peerHandler returns the service on the internode listener. It is not traced: it is
// how others watch.
func (n *Node) peerHandler() (string, http.Handler) {
	return adminpbconnect.NewPeerServiceHandler(peer{n}, rpc.ConnectOptions()...)
}

// peer returns the service of a node, this one or another.
func (n *Node) peer(of *cluster.Node) admin.Peer {
	return adminpbconnect.NewPeerServiceClient(n.http, "http://"+of.RPCAddr, rpc.ClientOptions()...)
}

// Report implements PeerService.
func (p peer) Report(context.Context, *adminpb.ReportRequest) (*adminpb.NodeReport, error) {
	now, room := time.Now(), p.n.room
	r := &adminpb.NodeReport{Version: p.n.env.Version, UptimeSeconds: uint64(now.Sub(p.n.started).Seconds()), NowUs: uint64(p.n.clock().UnixMicro()),
		Drives: p.n.driveStatus(), Log: p.logLevel(), DirectoryAgeSeconds: p.n.access.directory.Age().Seconds(),
		AuditDropped: p.n.obs.AuditDropped(), Jobs: p.n.jobs(), Settings: p.n.agreed,
		MetadataRoom: room.Level().String(), MetadataFreeBytes: uint64(room.Status().Free)}
	r.Contradictions, r.ContradictingRecord = p.n.obs.Contradictions()
	for _, m := range p.n.group.Databases() { // Each has the same to say of the cache that they share.
		r.BlockCache = &adminpb.BlockCache{Bytes: uint64(m.BlockCache.Size), LimitBytes: uint64(p.n.cfg.cacheBytes(memory)),
			Hits: uint64(m.BlockCache.Hits), Misses: uint64(m.BlockCache.Misses)}
	}
	for _, id := range p.n.group.Judge().Differ {
		r.DisagreesWith = append(r.DisagreesWith, uint64(id))
	}
	return r, nil
}

// jobs returns the background work of this node.
func (n *Node) jobs() (out []*adminpb.Job) {
	u := n.upkeep.Load()
	if u == nil {
		return nil
	}
	for _, j := range u.Jobs() {
		job := &adminpb.Job{Name: j.Job, State: j.State, Done: j.Done, Total: j.Total, DoneBytes: j.DoneBytes, TotalBytes: j.TotalBytes,
			EtaSeconds: uint64(j.ETA.Seconds()), Detail: j.Detail, Error: j.Err}
		job.Began, job.Last, job.Next = stampOf(j.Started), stampOf(j.Last), stampOf(j.Next)
		if j.Drive != 0 {
			job.Drive = j.Drive.String()
		}
		out = append(out, job)
	}
	return out
}

// stampOf returns a time as the admin API writes it; empty for none.
func stampOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func (n *Node) driveStatus() []*adminpb.DriveStatus {
	out := make([]*adminpb.DriveStatus, len(n.drives))
	for i, d := range n.drives {
		u := d.Usage()
		out[i] = &adminpb.DriveStatus{Id: d.ID().String(), CapacityBytes: uint64(u.CapacityBytes), Path: n.cfg.DataDirs[i],
			UsedBytes: uint64(u.UsedBytes), FreeBytes: uint64(u.FreeBytes), Shards: uint64(u.Shards), State: admin.DriveOK}
		switch {
		case d.Failed() != nil:
			out[i].State = admin.DriveFailed
		case u.FreeBytes < int64(n.cfg.DriveReserve):
			out[i].State = admin.DriveFull
		}
	}
	return out
}

// Load implements PeerService.
func (p peer) Load(context.Context, *adminpb.ReportRequest) (*adminpb.NodeLoad, error) {
	l, err := p.n.obs.Load()
	if err != nil {
		return nil, errs.New("node.Load", errs.Internal, err)
	}
	out := &adminpb.NodeLoad{TakenUs: uint64(time.Now().UnixMicro()), BytesIn: l.BytesIn, BytesOut: l.BytesOut, RequestsRejected: l.Rejected}
	for _, o := range l.Operations {
		op := &adminpb.OperationLoad{Operation: o.Name, Requests: o.Requests, ClientErrors: o.ClientErrors, ServerErrors: o.ServerErrors, Seconds: o.Seconds}
		for i, le := range o.Buckets {
			op.Latency = append(op.Latency, &adminpb.LatencyBucket{LeSeconds: le, Requests: o.Counts[i]})
		}
		out.Operations = append(out.Operations, op)
	}
	for _, d := range l.Drives {
		if i := slices.Index(p.n.cfg.DataDirs, d.Dir); i >= 0 {
			out.Drives = append(out.Drives, &adminpb.DriveLoad{Drive: p.n.drives[i].ID().String(), Syncs: d.Syncs, SyncSeconds: d.SyncSeconds, SyncedShards: d.SyncedShards})
		}
	}
	return out, nil
}

// watchTick is how often a stream tells of events that were lost, if nothing else
// comes.
const watchTick = time.Second

// Watch implements PeerService.
func (p peer) Watch(ctx context.Context, r *adminpb.TraceRequest, out *connect.ServerStream[adminpb.TraceEvent]) error {
	filter, err := trace.NewFilter(r)
	if err != nil {
		return err
	}
	w := p.n.trace.Watch(filter)
	if w == nil {
		return errs.Newf("node.Watch", errs.Overloaded, "too many watch this node's requests")
	}
	defer w.Close()
	tick := time.NewTicker(watchTick)
	defer tick.Stop()
	// The header goes out at once, so that whoever asks knows that it watches.
	if err := out.Send(nil); err != nil {
		return err
	}
	for {
		var e *adminpb.TraceEvent
		select {
		case <-ctx.Done():
			return nil
		case <-p.n.ending:
			return errs.Newf("node.Watch", errs.Unavailable, "the node is stopping")
		case e = <-w.Events():
		case <-tick.C:
			e = &adminpb.TraceEvent{Node: p.n.home.ID().String()}
		}
		lost := w.Dropped()
		if lost == 0 && e.Kind == "" {
			continue
		}
		if lost > 0 {
			if err := out.Send(&adminpb.TraceEvent{Node: p.n.home.ID().String(), Dropped: lost}); err != nil {
				return err
			}
		}
		if e.Kind == "" {
			continue
		}
		if err := out.Send(e); err != nil {
			return err
		}
	}
}

// SetLevel implements PeerService.
func (p peer) SetLevel(_ context.Context, r *adminpb.SetLogLevelRequest) (*adminpb.LogLevel, error) {
	if err := p.n.logs.SetLevel(r.Level, time.Duration(r.Seconds)*time.Second); err != nil {
		return nil, err
	}
	return p.logLevel(), nil
}

func (p peer) logLevel() *adminpb.LogLevel {
	now, configured, until := p.n.logs.Level()
	out := &adminpb.LogLevel{Level: now, Configured: configured}
	if !until.IsZero() {
		out.Until = until.UTC().Format(time.RFC3339)
	}
	return out
}

// levelCommand is told as the source of a log level that `cairn logs level` has set.
const levelCommand = "logs level"

// InForce implements PeerService.
func (p peer) InForce(context.Context, *adminpb.ListSettingsRequest) (*adminpb.Settings, error) {
	all := p.n.ownSettings().InForce(p.n.access.directory.Settings())
	if now, configured, _ := p.n.logs.Level(); now != configured {
		for _, s := range all {
			if s.Name == tunable.LogLevel {
				s.Value, s.Source = now, levelCommand
			}
		}
	}
	return &adminpb.Settings{Settings: all}, nil
}

// Run implements PeerService.
func (p peer) Run(_ context.Context, r *adminpb.RunJobRequest) (*adminpb.RunJobResponse, error) {
	u := p.n.upkeep.Load()
	if u == nil {
		return nil, errs.Newf("node.Run", errs.Unavailable, "background work has not begun on this node")
	}
	found := false
	for _, d := range p.n.drives {
		if r.Drive == "" || r.Drive == d.ID().String() {
			found = u.ScrubNow(d.ID()) || found
		}
	}
	if !found && r.Drive != "" {
		return nil, errs.Newf("node.Run", errs.NotFound, "this node has no drive %s", r.Drive)
	}
	return &adminpb.RunJobResponse{}, nil
}

// Log implements PeerService.
func (p peer) Log(_ context.Context, r *adminpb.ListLogsRequest) (*adminpb.NodeLog, error) {
	return &adminpb.NodeLog{Lines: p.n.logs.Newest(int(r.Lines))}, nil
}
