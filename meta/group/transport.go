package group

import (
	"context"
	"io"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/cairnstore/cairn/cluster/errs"
)

const pooledConns = 4 // Idle connections to one peer: heartbeat, append, votes.

// transport is Raft's network transport, with five differences: the heartbeat fast
// path is off (G1), it knows which peers have answered requests sent when (G3), a
// request commits nothing beyond its own entries (G7), it is answered by the server that
// it is meant for alone (G8), and its pipelines end when they are stuck.
type transport struct {
	*raft.NetworkTransport
	stream *stream
	acks   *acks
	desk   *desk         // Nil: everything is let in.
	limit  time.Duration // Of one request.
}

var (
	_ raft.Transport   = (*transport)(nil)
	_ raft.WithPreVote = (*transport)(nil)
	_ raft.WithClose   = (*transport)(nil)
)

func newTransport(cfg Config) *transport {
	s := &stream{listener: cfg.Listener, addr: advertised(cfg.RaftAddr), dial: cfg.Dial,
		conns: make(map[*trackedConn]struct{})}
	return &transport{stream: s, acks: newAcks(), limit: cfg.Timing.RPC,
		NetworkTransport: raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
			Stream: s, MaxPool: pooledConns, Timeout: cfg.Timing.RPC, Logger: &logger{events: cfg.Events},
			MsgpackUseNewTimeFormat: true,
		})}
}

// SetHeartbeatHandler does nothing, so that heartbeats go through the main loop like
// every other request. On the fast path they race with it, and logs that were
// committed could diverge (hashicorp/raft issue 695).
func (t *transport) SetHeartbeatHandler(func(raft.RPC)) {}

// AppendEntries implements raft.Transport; heartbeats come this way.
func (t *transport) AppendEntries(id raft.ServerID, target raft.ServerAddress,
	args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	limitCommit(args)
	*appendTo(args) = addressee(id)
	sent := t.acks.now()
	err := t.NetworkTransport.AppendEntries(id, target, args, resp)
	if err == nil && resp.Success && resp.Term == args.Term {
		t.acks.add(id, args.Term, sent)
	}
	if err == nil && t.desk != nil && resp.Term == args.Term {
		_ = t.desk.peers.check(id, resp.LastLog) // It is told as an event; what is missing is sent again.
	}
	return err
}

// RequestVote implements raft.Transport. The request is shared by those to all peers.
func (t *transport) RequestVote(id raft.ServerID, target raft.ServerAddress,
	args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	own := *args
	*voteTo(&own) = addressee(id)
	if err := t.NetworkTransport.RequestVote(id, target, &own, resp); err != nil {
		return err
	}
	return t.checkVote(id, resp)
}

// InstallSnapshot implements raft.Transport.
func (t *transport) InstallSnapshot(id raft.ServerID, target raft.ServerAddress,
	args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	own := *args
	own.Leader = addressee(id)
	return t.NetworkTransport.InstallSnapshot(id, target, &own, resp, data)
}

// Consumer implements raft.Transport.
func (t *transport) Consumer() <-chan raft.RPC {
	if t.desk == nil {
		return t.NetworkTransport.Consumer()
	}
	return t.desk.passed
}

// admitAs has only what is meant for d's server come in. Raft is to be made next, and
// nothing comes in before serve.
func (t *transport) admitAs(d *desk) {
	d.passed, d.ending = make(chan raft.RPC), make(chan struct{})
	t.desk = d
}

func (t *transport) serve() {
	t.desk.wg.Go(func() { t.desk.serve(t.NetworkTransport.Consumer()) })
}

// Close implements raft.WithClose.
func (t *transport) Close() error {
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

// acks remembers, for each peer, the latest request of the leader that it has
// answered, by when it was sent. Raft's own VerifyLeader also counts answers to
// requests sent before the call: one that was long on its way, or arrives after this
// process slept, proves nothing about now. Time here is a count.
type acks struct {
	mu      sync.Mutex
	clock   uint64
	peers   map[raft.ServerID]ack
	changed chan struct{} // Closed at the next answer; nil: nobody waits.
}

type ack struct {
	term, sent uint64
	at         time.Time // When it came.
}

func newAcks() *acks { return &acks{peers: make(map[raft.ServerID]ack)} }

func (a *acks) now() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.clock
}

// tick returns a moment that all requests sent from now on have reached.
func (a *acks) tick() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.clock++
	return a.clock
}

func (a *acks) add(id raft.ServerID, term, sent uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.peers[id]
	if term < old.term || term == old.term && sent <= old.sent {
		return
	}
	a.peers[id] = ack{term, sent, time.Now()}
	if a.changed != nil {
		close(a.changed)
		a.changed = nil
	}
}

// lastAt returns when a peer last answered; zero: never.
func (a *acks) lastAt(id raft.ServerID) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.peers[id].at
}

// wait returns true once need of the peers have answered a request of the term that
// was sent at since or later; false when done is closed first.
func (a *acks) wait(done <-chan struct{}, peers []raft.ServerID, need int, term, since uint64) bool {
	for {
		a.mu.Lock()
		have := 0
		for _, id := range peers {
			if p := a.peers[id]; p.term == term && p.sent >= since {
				have++
			}
		}
		if have < need && a.changed == nil {
			a.changed = make(chan struct{})
		}
		changed := a.changed
		a.mu.Unlock()
		if have >= need {
			return true
		}
		select {
		case <-changed:
		case <-done:
			return false
		}
	}
}

// advertised is an address that others use, which is not that of the listener.
type advertised string

// Network implements net.Addr.
func (advertised) Network() string { return "tcp" }

// String implements net.Addr.
func (a advertised) String() string { return string(a) }

// stream makes and accepts Raft's connections and can end them all, which Raft
// itself does not do with those it accepted.
type stream struct {
	listener net.Listener
	addr     advertised
	dial     func(ctx context.Context, addr string) (net.Conn, error)

	mu     sync.Mutex
	closed bool
	conns  map[*trackedConn]struct{}
	wg     sync.WaitGroup // Of conns.
}

// Dial implements raft.StreamLayer.
func (s *stream) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout) // Raft passes none.
	defer cancel()
	if s.isClosed() {
		return nil, errs.New("group.Dial", errs.Unavailable, net.ErrClosed)
	}
	c, err := s.dial(ctx, string(address))
	if err != nil {
		return nil, err
	}
	return s.track(c)
}

// Accept implements net.Listener.
func (s *stream) Accept() (net.Conn, error) {
	c, err := s.listener.Accept()
	if err != nil {
		return nil, err
	}
	return s.track(c)
}

func (s *stream) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

func (s *stream) track(c net.Conn) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = c.Close()
		return nil, errs.New("group.Dial", errs.Unavailable, net.ErrClosed)
	}
	t := &trackedConn{Conn: c, stream: s}
	s.conns[t] = struct{}{}
	s.wg.Add(1)
	return t, nil
}

// Addr implements net.Listener.
func (s *stream) Addr() net.Addr { return s.addr }

// Close ends the listener and all connections.
func (s *stream) Close() error {
	s.mu.Lock()
	s.closed = true
	conns := make([]*trackedConn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	err := s.listener.Close()
	for _, c := range conns {
		_ = c.Close()
	}
	return err
}

type trackedConn struct {
	net.Conn
	stream *stream
	once   sync.Once
}

// Close closes the connection and forgets it.
func (c *trackedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.stream.mu.Lock()
		delete(c.stream.conns, c)
		c.stream.mu.Unlock()
		c.stream.wg.Done()
	})
	return err
}
