package group

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
	"golang.org/x/sync/semaphore"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/files"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/raftlog"
	"github.com/cairnstore/cairn/meta/rafttransport"
	"github.com/cairnstore/cairn/meta/snapshot"
	"github.com/cairnstore/cairn/meta/state"
)

// Group is one node's part of the Raft group. Safe for concurrent use.
type Group struct {
	cfg       Config
	id        raft.ServerID // The server as which this node takes part (identify).
	log       *raftlog.Store
	stored    *storedLog // The log as Raft sees it.
	snaps     *snapshot.Store
	fsm       *fsm
	transport *rafttransport.Transport
	raft      *raft.Raft
	observer  *raft.Observer

	peers     *rafttransport.Peers
	heard     heard
	forgot    string // What the metadata have lost and no vote has made up for; empty: nothing.
	promiseMu sync.Mutex
	promised  Promise // As it is on the disk; guarded by promiseMu.

	disowned atomic.Bool         // The state is wrong: nothing is answered from it, and the process ends.
	ready    atomic.Uint64       // The term in which reads may be served; 0: in none.
	leaderCh chan bool           // See LeaderCh.
	inflight *semaphore.Weighted // Of maxInflightCommands.
	sharing  sharing             // See share.

	confirmMu  sync.Mutex // Guards the two below; see confirm.
	nextRound  *round     // The round that callers join; nil: nobody waits for one.
	confirming bool       // confirmRounds runs.

	closeMu sync.RWMutex // Held shared by enter, alone by Shutdown.
	closed  bool
	calls   sync.WaitGroup // The calls between enter and leave.
	closing chan struct{}  // Closed when Shutdown has waited for calls.
	wg      sync.WaitGroup // The group's own goroutines.
}

// errNotLeader says that nothing was done, since this node does not lead.
var errNotLeader = errs.New("group", errs.Unavailable, errors.New("this node is not the leader"))

// Open opens the group in cfg.Dir and starts Raft. A node without a Raft configuration stays
// silent until Bootstrap is called or a leader adds it. Open takes cfg.Listener over, and
// closes it where it fails. Errors: Invalid where something required is missing; Corrupt
// where log, snapshot and state do not fit together, so that the node must not take part
// with them.
func Open(cfg Config) (*Group, error) {
	const op = "group.Open"
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, errs.New(op, errs.Invalid, err)
	}
	g := &Group{cfg: cfg, leaderCh: make(chan bool, 1), closing: make(chan struct{}),
		inflight: semaphore.NewWeighted(maxInflightCommands)}
	if err := g.setAside(); err != nil {
		return nil, errors.Join(errs.New(op, errs.Internal, err), cfg.Listener.Close())
	}
	if err := g.openDisk(); err != nil {
		return nil, errors.Join(errs.Wrap(op, err), g.closeDisk(), cfg.Listener.Close())
	}
	if err := g.identify(); err != nil {
		return nil, errors.Join(errs.Wrap(op, err), g.closeDisk(), cfg.Listener.Close())
	}
	g.peers = rafttransport.OpenPeers(cfg.FS, cfg.Dir, g.peerForgot)
	g.transport = rafttransport.New(rafttransport.Options{Listener: cfg.Listener, Addr: cfg.RaftAddr, Dial: cfg.Dial,
		Timeout: cfg.Timing.RPC, Logger: &logger{events: cfg.Events}})
	g.transport.Admit(rafttransport.Rules{Self: g.id, First: incarnationOf(g.id) == "", Votes: g.Votes, Peers: g.peers,
		Agrees: g.agreeWith, Last: func() uint64 { return g.raft.LastIndex() }})
	g.stored = &storedLog{Store: g.log}
	g.raft, err = raft.NewRaft(g.raftConfig(), g.fsm, g.stored, g.log, g.snaps, g.transport)
	if err != nil {
		_ = g.transport.Close()
		g.transport.Wait()
		return nil, errors.Join(errs.New(op, errs.Internal, err), g.closeDisk())
	}
	g.transport.Serve()
	observations := make(chan raft.Observation, 16)
	g.observer = raft.NewObserver(observations, false, func(o *raft.Observation) bool {
		_, ok := o.Data.(raft.LeaderObservation)
		return ok
	})
	g.raft.RegisterObserver(g.observer)
	g.wg.Go(func() { g.watchLeader(observations) })
	g.wg.Go(g.watchLeadership)
	g.wg.Go(g.renewPromises)
	g.wg.Go(g.boundLog)
	return g, nil
}

// peerForgot tells of a server whose log is shorter than it was.
func (g *Group) peerForgot(id raft.ServerID, known, shown uint64) {
	g.cfg.Events.PeerForgot(string(id), known, shown)
}

func (g *Group) raftConfig() *raft.Config {
	t := g.cfg.Timing
	c := raft.DefaultConfig()
	c.LocalID = g.id
	c.HeartbeatTimeout, c.ElectionTimeout = t.Heartbeat, t.Election
	c.LeaderLeaseTimeout, c.CommitTimeout = t.LeaderLease, t.Commit
	c.MaxAppendEntries = maxAppendEntries
	c.BatchApplyCh = true
	c.ShutdownOnRemove = false
	c.TrailingLogs = g.cfg.TrailingLogs
	c.SnapshotInterval = t.SnapshotInterval
	c.SnapshotThreshold = g.cfg.SnapshotThreshold
	c.NoSnapshotRestoreOnStart = true // reconcile has restored it where that was needed.
	c.NoLegacyTelemetry = true
	c.Logger = &logger{events: g.cfg.Events}
	return c
}

// openDisk opens log, snapshots and state, and makes sure that they fit together (reconcile).
// Where it fails, closeDisk closes what it has opened.
func (g *Group) openDisk() error {
	fs, dir, events := g.cfg.FS, g.cfg.Dir, g.cfg.Events
	if g.cfg.Room != nil {
		// Only the databases may use the ballast up, since their writes must not fail. Small
		// files, such as promises, are written again every few seconds and would use all of it.
		fs = newBallastFS(fs, g.cfg.Room)
	}
	if err := files.MkdirSynced(fs, dir); err != nil {
		return err
	}
	var err error
	g.log, err = raftlog.Open(raftlog.Options{FS: fs, Dir: fs.PathJoin(dir, logDir),
		Cache: g.cfg.Cache, WriteTimeout: g.cfg.Timing.LogWrite, Events: raftlog.Events{
			Fatal: events.Fatal,
			Background: func(err error) {
				if vfs.IsNoSpaceError(err) {
					events.NoRoom("writing the Raft log's tables", err)
					return
				}
				events.Log(LevelError, fmt.Sprintf("the Raft log cannot be compacted: %v", err))
			},
			WriteSlow: events.LogSlow,
		}, Admit: g.admit()})
	if err != nil {
		return err
	}
	if g.snaps, err = snapshot.Open(fs, fs.PathJoin(dir, snapshotsDir)); err != nil {
		return err
	}
	sd, err := openStateDir(fs, fs.PathJoin(dir, stateDirName), g.cfg.openState)
	if err != nil {
		return err
	}
	sd.panicked = events.QueryPanicked
	g.fsm = &fsm{state: sd, snaps: g.snaps, events: events, admit: g.admit()}
	if err := forgetHalfBootstrap(g.log, g.snaps); err != nil {
		return err
	}
	return reconcile(g.log, g.snaps, g.fsm)
}

// admit returns the function that asks for room before something is written; nil where there
// is always enough.
func (g *Group) admit() func(int64) error {
	if g.cfg.Room == nil {
		return nil
	}
	return g.cfg.Room.Admit
}

func (g *Group) closeDisk() error {
	var err error
	if g.fsm != nil {
		err = g.fsm.state.close()
	}
	if g.log != nil {
		err = errors.Join(err, g.log.Close())
	}
	return err
}

// openRealState returns a function that opens a directory of meta/state.
func openRealState(cfg Config) openStateFunc {
	return func(fs vfs.FS, dir string) (stateMachine, error) {
		return state.Open(state.Options{FS: fs, Dir: dir, CacheBytes: cfg.CacheBytes, Cache: cfg.Cache, Events: state.Events{
			Fatal:         cfg.Events.Fatal,
			Contradiction: cfg.Events.Contradiction,
			WriteStall:    cfg.Events.WriteStall,
			NoRoom:        func(err error) { cfg.Events.NoRoom("writing the metadata's tables", err) },
			BackgroundError: func(err error) {
				cfg.Events.Fatal(errs.Newf("group", errs.Internal, "the metadata cannot be written: %w", err))
			},
		}})
	}
}

// Bootstrap makes this node the only voter of a new cluster. Errors: Exists where it has a
// Raft configuration or entries already.
func (g *Group) Bootstrap() error {
	const op = "group.Bootstrap"
	err := g.raft.BootstrapCluster(raft.Configuration{Servers: []raft.Server{
		{Suffrage: raft.Voter, ID: g.id, Address: raft.ServerAddress(g.cfg.RaftAddr)}}}).Error()
	switch {
	case errors.Is(err, raft.ErrCantBootstrap):
		return errs.New(op, errs.Exists, err)
	case err != nil:
		return errs.New(op, errs.Internal, err)
	}
	return nil
}

// HasState reports whether this node knows a Raft configuration: it has bootstrapped, or a
// leader has added it.
func (g *Group) HasState() bool { return len(g.servers()) > 0 }

// Era returns the era of the metadata as this node has them, which may be behind.
func (g *Group) Era() (uint64, error) {
	a, err := g.fsm.state.query(&metapb.Query{Op: &metapb.Query_View{View: &metapb.GetView{}}})
	return a.GetView().GetEra(), err
}

// OwnTopology returns the topology as this node has it on its disk, without asking a leader.
// It may be an old one. It is nil where no cluster has been formed.
func (g *Group) OwnTopology() (*meta.Topology, error) {
	a, err := g.fsm.state.query(&metapb.Query{Op: &metapb.Query_View{View: &metapb.GetView{}}})
	if err != nil || a.GetView().GetClusterId() == "" {
		return nil, err
	}
	return meta.NewTopology(a.View), nil
}

// IsLeader reports whether this node leads and has become ready to serve reads. It may have
// been replaced already: whoever acts on the answer must see the outcome of a proposal before
// anything relies on it.
func (g *Group) IsLeader() bool { return g.ready.Load() != 0 }

// LeaderCh tells when IsLeader changes. It has one receiver; who is slow gets the newest
// value alone.
func (g *Group) LeaderCh() <-chan bool { return g.leaderCh }

// Leader returns the node that leads, as this node knows it; 0 where it knows of none.
func (g *Group) Leader() cluster.NodeID {
	_, id := g.raft.LeaderWithID()
	return parseServerID(id)
}

// Stats is where a group stands, as this node sees it.
type Stats struct {
	Term          uint64
	CommitIndex   uint64
	AppliedIndex  uint64 // The last entry that Raft has had applied.
	StateIndex    uint64 // The last entry that the state knows of: Raft's own entries do not reach it.
	FirstLogIndex uint64
	LastLogIndex  uint64
	LogBytes      uint64         // The sum of the log's entries.
	SnapshotIndex uint64         // Of the newest snapshot; 0: there is none.
	Leader        cluster.NodeID // 0: none is known.
	IsLeader      bool
	Voters        int
}

// Stats returns where the group stands.
func (g *Group) Stats() Stats {
	s := Stats{Term: g.raft.CurrentTerm(), CommitIndex: g.raft.CommitIndex(), AppliedIndex: g.raft.AppliedIndex(),
		LastLogIndex: g.raft.LastIndex(), Leader: g.Leader(), IsLeader: g.IsLeader()}
	s.StateIndex, _ = g.fsm.state.applied()
	s.FirstLogIndex, _ = g.log.FirstIndex()
	s.LogBytes = g.log.Bytes()
	if m := g.snaps.Latest(); m != nil {
		s.SnapshotIndex = m.Raft.Index
	}
	for _, m := range g.servers() {
		if m.Suffrage == raft.Voter {
			s.Voters++
		}
	}
	return s
}

// enter begins a call that Shutdown waits for, and returns false once Shutdown has begun. Who
// got true calls leave in the end.
func (g *Group) enter() bool {
	g.closeMu.RLock()
	defer g.closeMu.RUnlock()
	if g.closed {
		return false
	}
	g.calls.Add(1)
	return true
}

func (g *Group) leave() { g.calls.Done() }

// Shutdown ends the group. It refuses new calls, waits for those in progress, hands
// leadership over, stops Raft and closes state and log. Where ctx ends before all calls have,
// it goes on without waiting for them and without handing over. Call it once.
func (g *Group) Shutdown(ctx context.Context) error {
	g.closeMu.Lock()
	g.closed = true
	g.closeMu.Unlock()
	drained := waited(ctx, &g.calls)
	if drained && g.raft.State() == raft.Leader {
		if peers, _ := g.otherVoters(); len(peers) > 0 {
			g.cfg.Events.LeadershipLeft(g.raft.LeadershipTransfer().Error())
		}
	}
	close(g.closing)
	if drained {
		// The goroutines end before Raft stops: Raft never answers a call that it has not taken.
		waited(ctx, &g.wg)
	}
	g.raft.DeregisterObserver(g.observer)
	stopped := g.raft.Shutdown()
	_ = g.transport.Close() // It ends requests that Raft would wait for.
	err := stopped.Error()
	g.transport.Wait()
	return errors.Join(err, g.closeDisk())
}

// waited waits for wg, and returns false where ctx ends first.
func waited(ctx context.Context, wg *sync.WaitGroup) bool {
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}
