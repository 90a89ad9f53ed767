package admin

import (
	"context"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/node/trace"
)

// lookAgain is how often a trace of all nodes looks for nodes that have joined or come back.
const lookAgain = 2 * time.Second

// Trace implements AdminService. It ends when the caller goes, when this node stops, or, where one node
// is watched, when that node is lost.
func (s *service) Trace(ctx context.Context, r *adminpb.TraceRequest, out *connect.ServerStream[adminpb.TraceEvent]) error {
	if _, err := trace.NewFilter(r); err != nil {
		return err
	}
	nodes, err := s.nodesNamed(ctx, r.Node)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &watcher{s: s, r: r, events: make(chan *adminpb.TraceEvent), nodes: map[cluster.NodeID]*watched{}}
	var watching sync.WaitGroup
	watching.Go(func() {
		w.run(ctx, nodes)
		close(w.events)
	})
	err = s.forward(ctx, w.events, out)
	cancel()
	watching.Wait()
	return err
}

// watcher brings the events of several nodes together.
type watcher struct {
	s      *service
	r      *adminpb.TraceRequest
	events chan *adminpb.TraceEvent
	nodes  map[cluster.NodeID]*watched
}

// watched is what a watcher knows of one node.
type watched struct {
	ended chan struct{} // Closed when its stream has ended.
	lost  bool          // The caller was told that it is lost. It may be read once ended is closed.
}

// run watches nodes until ctx ends. Where the caller has named none, it also watches nodes that join
// and come back.
func (w *watcher) run(ctx context.Context, nodes []*cluster.Node) {
	var all sync.WaitGroup
	defer all.Wait()
	for {
		for _, n := range nodes {
			if known := w.begin(n.ID); known != nil {
				all.Go(func() {
					defer close(known.ended)
					w.watch(ctx, n, known)
				})
			}
		}
		if w.r.Node != "" {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookAgain):
		}
		if now, err := w.s.nodesNamed(ctx, ""); err == nil { // Otherwise it goes on with the nodes that it knows.
			nodes = now
		}
	}
}

// begin returns the record of a node that is to be watched; nil where it is watched already.
func (w *watcher) begin(id cluster.NodeID) *watched {
	known := w.nodes[id]
	if known == nil {
		known = &watched{}
		w.nodes[id] = known
	} else {
		select {
		case <-known.ended:
		default:
			return nil
		}
	}
	known.ended = make(chan struct{})
	return known
}

// forward sends events to the caller until ctx ends. Errors: Unavailable if this node stops or no node
// is left to watch, and those of the stream.
func (s *service) forward(ctx context.Context, events <-chan *adminpb.TraceEvent, out *connect.ServerStream[adminpb.TraceEvent]) error {
	// This sends the headers, so that the caller knows that the trace has begun before anything happens.
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

// watch brings the events of a node until its stream or ctx ends. It tells once that the node is lost,
// and again only after an event has come from it.
func (w *watcher) watch(ctx context.Context, n *cluster.Node, known *watched) {
	bring := func(e *adminpb.TraceEvent) bool {
		select {
		case w.events <- e:
			return true
		case <-ctx.Done():
			return false
		}
	}
	stream, err := w.s.c.Peer(n).Watch(ctx, w.r)
	if err == nil {
		for stream.Receive() && bring(stream.Msg()) {
			known.lost = false
		}
		err = stream.Err()
		_ = stream.Close()
	}
	if ctx.Err() != nil || known.lost {
		return
	}
	known.lost = true
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

// nodesNamed is chosen, with the topology that is in force now.
func (s *service) nodesNamed(ctx context.Context, text string) ([]*cluster.Node, error) {
	topo, _, err := s.topology(ctx)
	if err != nil {
		return nil, err
	}
	return chosen(topo, text)
}

// logLevels has the levels that a node's log can have.
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

// How many lines of a log one answer has: by default, and at most.
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
