package rafttransport

import (
	"context"
	"io"
	"net"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// pooledConns is how many idle connections to one peer are kept: heartbeats, entries and
// votes are sent beside each other.
const pooledConns = 4

// Transport is Raft's network transport, with the rules of the package comment.
type Transport struct {
	*raft.NetworkTransport
	stream *stream
	acks   *acks
	desk   *desk         // Nil where Admit was not called: every request is let in.
	limit  time.Duration // Of one request.
}

var (
	_ raft.Transport   = (*Transport)(nil)
	_ raft.WithPreVote = (*Transport)(nil)
	_ raft.WithClose   = (*Transport)(nil)
)

// Options says what a transport works with. All fields are required.
type Options struct {
	// Listener accepts the connections of other voters. Close closes it.
	Listener net.Listener
	// Addr is the address, host:port, at which others reach Listener.
	Addr string
	// Dial connects to the address of another voter.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
	// Timeout is how long one request may take.
	Timeout time.Duration
	// Logger gets the lines that Raft's own transport logs.
	Logger hclog.Logger
}

// New returns a transport that accepts connections at once and lets every request in. Call
// Admit to give it its rules.
func New(o Options) *Transport {
	s := &stream{listener: o.Listener, addr: advertised(o.Addr), dial: o.Dial,
		conns: make(map[*trackedConn]struct{})}
	return &Transport{stream: s, acks: newAcks(), limit: o.Timeout,
		NetworkTransport: raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
			Stream: s, MaxPool: pooledConns, Timeout: o.Timeout, Logger: o.Logger,
			MsgpackUseNewTimeFormat: true,
		})}
}

// SetHeartbeatHandler does nothing, so that heartbeats go through Raft's main loop like
// every other request (G1). On the fast path they race with the main loop, and logs that
// were committed could diverge (hashicorp/raft issue 695).
func (t *Transport) SetHeartbeatHandler(func(raft.RPC)) {}

// AppendEntries implements raft.Transport. Heartbeats come this way too. It writes the
// addressee and the limited commit index into args, which Raft shares with no other peer.
func (t *Transport) AppendEntries(id raft.ServerID, addr raft.ServerAddress,
	args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	limitCommit(args)
	*appendTo(args) = addressee(id)
	sent := t.acks.now()
	err := t.NetworkTransport.AppendEntries(id, addr, args, resp)
	if err == nil && resp.Success && resp.Term == args.Term {
		t.acks.add(id, args.Term, sent)
	}
	if err == nil && t.desk != nil && resp.Term == args.Term {
		// A log that is too short is told as an event. The leader need do nothing: it sends
		// again whatever is missing.
		_ = t.desk.Peers.check(id, resp.LastLog)
	}
	return err
}

// RequestVote implements raft.Transport. Raft sends one request to all peers at once, so
// each gets a copy with its own addressee. A vote that does not count (see checkVote) is
// returned as an error.
func (t *Transport) RequestVote(id raft.ServerID, addr raft.ServerAddress,
	args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	own := *args
	*voteTo(&own) = addressee(id)
	if err := t.NetworkTransport.RequestVote(id, addr, &own, resp); err != nil {
		return err
	}
	return t.checkVote(id, resp)
}

// InstallSnapshot implements raft.Transport. It names the addressee in a copy of args.
func (t *Transport) InstallSnapshot(id raft.ServerID, addr raft.ServerAddress,
	args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	own := *args
	own.Leader = addressee(id)
	return t.NetworkTransport.InstallSnapshot(id, addr, &own, resp, data)
}

// Consumer implements raft.Transport: Raft takes from it what the rules have let in.
func (t *Transport) Consumer() <-chan raft.RPC {
	if t.desk == nil {
		return t.NetworkTransport.Consumer()
	}
	return t.desk.passed
}

// Admit makes the transport answer by the rules. Call it before raft.NewRaft, which takes
// Consumer; requests wait until Serve is called.
func (t *Transport) Admit(r Rules) {
	t.desk = &desk{Rules: r, passed: make(chan raft.RPC), ending: make(chan struct{})}
}

// Serve begins to pass requests on to Raft. From now on the functions of the rules are
// called, so whatever they use must be there.
func (t *Transport) Serve() {
	t.desk.wg.Go(func() { t.desk.serve(t.NetworkTransport.Consumer()) })
}

// Tick begins a new moment and returns it. Every request that is sent from now on is sent
// at this moment or a later one. Moments are counted, not measured: no clock is involved.
func (t *Transport) Tick() uint64 { return t.acks.tick() }

// Answered waits until as many of the peers as are needed have answered a request of the
// term that was sent at the moment since or later, and returns true then. It returns false
// where done is closed before.
func (t *Transport) Answered(done <-chan struct{}, peers []raft.ServerID, need int, term, since uint64) bool {
	return t.acks.wait(done, peers, need, term, since)
}

// LastAnswer returns when the last answer of a peer came; the zero time where none ever did.
func (t *Transport) LastAnswer(id raft.ServerID) time.Time { return t.acks.lastAt(id) }

// Wait returns when every connection has ended. Call it after Close.
func (t *Transport) Wait() { t.stream.wg.Wait() }

// Close implements raft.WithClose. It ends the listener, every connection, and the
// goroutines that the rules have started.
func (t *Transport) Close() error {
	err := t.NetworkTransport.Close()
	if t.desk != nil {
		t.desk.close()
	}
	return err
}

// limitCommit lowers the commit index of a request to its last entry, or, where it carries
// none, to the entry before (G7). Up to there the receiver's log is known to equal the
// leader's, and no further.
//
// Raft chooses the entries first and reads its commit index afterwards, so the index may
// lie beyond the entries. The receiver compares it with the end of its own log, not with
// the entries. A receiver that led before would then commit and apply entries of its own
// old term, which the new leader is about to replace.
func limitCommit(args *raft.AppendEntriesRequest) {
	last := args.PrevLogEntry
	if n := len(args.Entries); n > 0 {
		last = args.Entries[n-1].Index
	}
	args.LeaderCommitIndex = min(args.LeaderCommitIndex, last)
}
