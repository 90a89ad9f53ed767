package admin

import (
	"context"
	"slices"
	"sync"

	"connectrpc.com/connect"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/node/trace"
)

// Trace implements AdminService. It ends when the caller goes, when this node stops,
// or when no node is left to watch.
func (s *service) Trace(ctx context.Context, r *adminpb.TraceRequest, out *connect.ServerStream[adminpb.TraceEvent]) error {
	if _, err := trace.NewFilter(r); err != nil {
		return err
	}
	topo, _, err := s.topology(ctx)
	if err != nil {
		return err
	}
	nodes, err := chosen(topo, r.Node)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events := make(chan *adminpb.TraceEvent)
	var watching sync.WaitGroup
	for _, n := range nodes {
		watching.Go(func() { s.watch(ctx, n, r, events) })
	}
	go func() {
		watching.Wait()
		close(events)
	}()
	err = s.forward(ctx, events, out)
	cancel()
	watching.Wait()
	return err
}

// forward sends events until ctx ends or nobody brings any more.
func (s *service) forward(ctx context.Context, events <-chan *adminpb.TraceEvent, out *connect.ServerStream[adminpb.TraceEvent]) error {
	if err := out.Send(nil); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.c.Ending:
			return errs.Newf("admin.Trace", errs.Unavailable, "the node is stopping")
		case e, more := <-events:
			if !more {
				return errs.Newf("admin.Trace", errs.Unavailable, "no node is left to watch")
			}
			if err := out.Send(e); err != nil {
				return err
			}
		}
	}
}

// watch brings the events of a node until its stream or ctx ends.
func (s *service) watch(ctx context.Context, n *cluster.Node, r *adminpb.TraceRequest, events chan<- *adminpb.TraceEvent) {
	bring := func(e *adminpb.TraceEvent) bool {
		select {
		case events <- e:
			return true
		case <-ctx.Done():
			return false
		}
	}
	stream, err := s.c.Peer(n).Watch(ctx, r)
	if err == nil {
		for stream.Receive() && bring(stream.Msg()) {
		}
		err = stream.Err()
		_ = stream.Close()
	}
	if ctx.Err() != nil {
		return
	}
	why := "it has ended"
	if err != nil {
		why = plain(err).Error()
	}
	bring(&adminpb.TraceEvent{LostNode: n.ID.String(), Cause: why})
}

// ListLoad implements AdminService.
func (s *service) ListLoad(ctx context.Context, r *adminpb.ListLoadRequest) (*adminpb.Loads, error) {
	nodes, err := s.nodesNamed(ctx, r.Node)
	if err != nil {
		return nil, err
	}
	out := &adminpb.Loads{}
	for _, a := range ask(ctx, s, nodes, func(ctx context.Context, p Peer) (*adminpb.NodeLoad, error) {
		return p.Load(ctx, &adminpb.ReportRequest{})
	}) {
		if a.got == nil {
			a.got = &adminpb.NodeLoad{}
		}
		a.got.Node, a.got.S3Addr, a.got.Error = a.node.ID.String(), a.node.S3Addr, a.why()
		out.Nodes = append(out.Nodes, a.got)
	}
	return out, nil
}

// nodesNamed is chosen on the topology as it is now.
func (s *service) nodesNamed(ctx context.Context, text string) ([]*cluster.Node, error) {
	topo, _, err := s.topology(ctx)
	if err != nil {
		return nil, err
	}
	return chosen(topo, text)
}

// logLevels are the levels that a log can have.
var logLevels = []string{"debug", "info", "warn", "error"}

// SetLogLevel implements AdminService.
func (s *service) SetLogLevel(ctx context.Context, r *adminpb.SetLogLevelRequest) (*adminpb.LogLevels, error) {
	if r.Level != "" && !slices.Contains(logLevels, r.Level) {
		return nil, errs.Newf("admin.SetLogLevel", errs.Invalid, "%q is no log level: debug, info, warn or error", r.Level)
	}
	return s.levels(ctx, r.Node, func(ctx context.Context, p Peer) (*adminpb.LogLevel, error) { return p.SetLevel(ctx, r) })
}

// ListLogLevels implements AdminService.
func (s *service) ListLogLevels(ctx context.Context, r *adminpb.ListLogLevelsRequest) (*adminpb.LogLevels, error) {
	return s.levels(ctx, r.Node, func(ctx context.Context, p Peer) (*adminpb.LogLevel, error) {
		report, err := p.Report(ctx, &adminpb.ReportRequest{})
		return report.GetLog(), err
	})
}

func (s *service) levels(ctx context.Context, of string, f func(context.Context, Peer) (*adminpb.LogLevel, error)) (*adminpb.LogLevels, error) {
	nodes, err := s.nodesNamed(ctx, of)
	if err != nil {
		return nil, err
	}
	out := &adminpb.LogLevels{}
	for _, a := range ask(ctx, s, nodes, f) {
		if a.got == nil {
			a.got = &adminpb.LogLevel{}
		}
		a.got.Node, a.got.S3Addr, a.got.Error = a.node.ID.String(), a.node.S3Addr, a.why()
		out.Nodes = append(out.Nodes, a.got)
	}
	return out, nil
}

// Lines of a log that are told.
const (
	defaultLogLines = 100
	maxLogLines     = 2000
)

// ListLogs implements AdminService.
func (s *service) ListLogs(ctx context.Context, r *adminpb.ListLogsRequest) (*adminpb.Logs, error) {
	nodes, err := s.nodesNamed(ctx, r.Node)
	if err != nil {
		return nil, err
	}
	if r.Lines == 0 {
		r.Lines = defaultLogLines
	}
	r.Lines = min(r.Lines, maxLogLines)
	out := &adminpb.Logs{}
	for _, a := range ask(ctx, s, nodes, func(ctx context.Context, p Peer) (*adminpb.NodeLog, error) { return p.Log(ctx, r) }) {
		if a.got == nil {
			a.got = &adminpb.NodeLog{}
		}
		a.got.Node, a.got.S3Addr, a.got.Error = a.node.ID.String(), a.node.S3Addr, a.why()
		out.Nodes = append(out.Nodes, a.got)
	}
	return out, nil
}
