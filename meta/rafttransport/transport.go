package rafttransport

import (
	"context"
	"io"
	"net"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

const pooledConns = 4 // Idle connections to one peer: heartbeat, append, votes.

// Transport is Raft's network transport, with five differences: the heartbeat fast
// path is off (G1), it knows which peers have answered requests sent when (G3), a
// request commits nothing beyond its own entries (G7), it is answered by the server that
// it is meant for alone (G8), and its pipelines end when they are stuck.
type Transport struct {
	*raft.NetworkTransport
	stream *stream
	acks   *acks
	desk   *desk         // Nil: everything is let in.
	limit  time.Duration // Of one request.
}

var (
	_ raft.Transport   = (*Transport)(nil)
	_ raft.WithPreVote = (*Transport)(nil)
	_ raft.WithClose   = (*Transport)(nil)
)

// Options says what a transport works with. All are required.
type Options struct {
	Listener net.Listener                                             // Closed with the transport.
	Addr     string                                                   // Under which others reach the listener: host:port.
	Dial     func(ctx context.Context, addr string) (net.Conn, error) // Reaches others.
	Timeout  time.Duration                                            // Of one request.
	Logger   hclog.Logger                                             // Gets the lines of Raft's own transport.
}

// New returns a transport that answers at once, and lets everything in: Admit gives it its
// rules.
func New(o Options) *Transport {
	s := &stream{listener: o.Listener, addr: advertised(o.Addr), dial: o.Dial,
		conns: make(map[*trackedConn]struct{})}
	return &Transport{stream: s, acks: newAcks(), limit: o.Timeout,
		NetworkTransport: raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
			Stream: s, MaxPool: pooledConns, Timeout: o.Timeout, Logger: o.Logger,
			MsgpackUseNewTimeFormat: true,
		})}
}

// SetHeartbeatHandler does nothing, so that heartbeats go through the main loop like
// every other request. On the fast path they race with it, and logs that were
// committed could diverge (hashicorp/raft issue 695).
func (t *Transport) SetHeartbeatHandler(func(raft.RPC)) {}

// AppendEntries implements raft.Transport; heartbeats come this way.
func (t *Transport) AppendEntries(id raft.ServerID, target raft.ServerAddress,
	args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	limitCommit(args)
	*appendTo(args) = addressee(id)
	sent := t.acks.now()
	err := t.NetworkTransport.AppendEntries(id, target, args, resp)
	if err == nil && resp.Success && resp.Term == args.Term {
		t.acks.add(id, args.Term, sent)
	}
	if err == nil && t.desk != nil && resp.Term == args.Term {
		_ = t.desk.Peers.check(id, resp.LastLog) // It is told as an event; what is missing is sent again.
	}
	return err
}

// RequestVote implements raft.Transport. The request is shared by those to all peers.
func (t *Transport) RequestVote(id raft.ServerID, target raft.ServerAddress,
	args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	own := *args
	*voteTo(&own) = addressee(id)
	if err := t.NetworkTransport.RequestVote(id, target, &own, resp); err != nil {
		return err
	}
	return t.checkVote(id, resp)
}

// InstallSnapshot implements raft.Transport.
func (t *Transport) InstallSnapshot(id raft.ServerID, target raft.ServerAddress,
	args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	own := *args
	own.Leader = addressee(id)
	return t.NetworkTransport.InstallSnapshot(id, target, &own, resp, data)
}

// Consumer implements raft.Transport.
func (t *Transport) Consumer() <-chan raft.RPC {
	if t.desk == nil {
		return t.NetworkTransport.Consumer()
	}
	return t.desk.passed
}

// Admit has only what the rules let in come in. Raft is to be made next, and nothing comes
// in before Serve.
func (t *Transport) Admit(r Rules) {
	t.desk = &desk{Rules: r, passed: make(chan raft.RPC), ending: make(chan struct{})}
}

// Serve begins to pass on what comes in.
func (t *Transport) Serve() {
	t.desk.wg.Go(func() { t.desk.serve(t.NetworkTransport.Consumer()) })
}

// Tick returns a moment that all requests sent from now on have reached.
func (t *Transport) Tick() uint64 { return t.acks.tick() }

// Answered returns true once need of the peers have answered a request of the term that
// was sent at since or later; false when done is closed first.
func (t *Transport) Answered(done <-chan struct{}, peers []raft.ServerID, need int, term, since uint64) bool {
	return t.acks.wait(done, peers, need, term, since)
}

// LastAnswer returns when a peer last answered; zero: never.
func (t *Transport) LastAnswer(id raft.ServerID) time.Time { return t.acks.lastAt(id) }

// Wait waits, after Close, until all connections have ended.
func (t *Transport) Wait() { t.stream.wg.Wait() }

// Close implements raft.WithClose.
func (t *Transport) Close() error {
	err := t.NetworkTransport.Close()
	if t.desk != nil {
		t.desk.close()
	}
	return err
}

// limitCommit lowers the commit index of a request to its last entry, or to the one
// before it where it has none: so far its receiver's log is known to be the leader's.
// Raft reads its commit index after it has chosen the entries to send, so it may lie
// beyond them, and the receiver goes by the end of its own log instead of theirs. A
// receiver that led before would then commit and apply entries of its own term,
// which the new leader is about to replace.
func limitCommit(args *raft.AppendEntriesRequest) {
	last := args.PrevLogEntry
	if n := len(args.Entries); n > 0 {
		last = args.Entries[n-1].Index
	}
	args.LeaderCommitIndex = min(args.LeaderCommitIndex, last)
}
