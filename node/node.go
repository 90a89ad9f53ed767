// Package node is the daemon. It is the only place that constructs everything, and knows in which
// order everything starts and stops.
//
// A node runs on an Env: one file system, one transport, one log. If something fails that the node
// must not survive, such as writing the log of its metadata, Failed is closed. The process then
// ends, and a restart recovers.
package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/cluster/identity"
	"github.com/cairnstore/cairn/cluster/rpc"
	"github.com/cairnstore/cairn/meta/alloc"
	"github.com/cairnstore/cairn/meta/group"
	"github.com/cairnstore/cairn/meta/room"
	"github.com/cairnstore/cairn/node/audit"
	"github.com/cairnstore/cairn/node/history"
	"github.com/cairnstore/cairn/node/home"
	"github.com/cairnstore/cairn/node/member"
	"github.com/cairnstore/cairn/node/observe"
	"github.com/cairnstore/cairn/node/trace"
	"github.com/cairnstore/cairn/node/tunable"
	"github.com/cairnstore/cairn/node/upkeep"
	"github.com/cairnstore/cairn/s3api/accesslog"
	"github.com/cairnstore/cairn/s3api/limit"
	"github.com/cairnstore/cairn/s3api/notify"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/spread"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/buf"
	"github.com/cairnstore/cairn/shard/drive"
	"github.com/cairnstore/cairn/shard/stripe"
	"github.com/cairnstore/cairn/shard/wire"
)

// Node is one running node.
type Node struct {
	cfg  Config
	env  Env
	log  *slog.Logger
	logs *observe.Log
	obs  *observe.Observer
	home *home.Home

	eventTargets *notify.Registry
	drives       []*drive.Drive
	health       *driveHealth
	identity     *identity.Identity // Nil: simulated.
	peers        *member.Peers
	self         *member.Self
	agreed       map[string]string // Digests of the settings that must be equal on every node.
	anew         chan struct{}     // Has one element after the state of the metadata refused a command.
	time         *group.Clock
	gossip       Gossip
	cache        *pebble.Cache // Of all databases.
	group        *group.Group
	client       *group.Client
	engine       *stripe.Engine
	budget       *buf.Budget // Of all requests.
	doors        doors
	stores       *stores
	objects      *object.Service
	access       access
	limiter      *limit.Limiter
	upkeep       atomic.Pointer[upkeep.Upkeep]
	room         *room.Room
	refusal      atomic.Pointer[votersRoom]      // What the leader refuses for want of room; nil: nothing yet.
	profile      atomic.Pointer[profile.Profile] // Never nil: see applySettings.
	tunables     atomic.Pointer[tunable.Values]  // As profile.
	http         *http.Client
	audit        *audit.Log // Nil: none is kept.
	accessLogs   *accesslog.Log
	trace        trace.Hub
	history      history.Ring
	started      time.Time

	rpcServer *rpc.Server
	servers   []*http.Server
	cleanup   []func(context.Context) error // In order of construction; run backwards.

	ready    atomic.Bool
	stopping atomic.Bool
	ending   <-chan struct{} // Closed when the node is to stop.
	cancel   context.CancelFunc
	wg       sync.WaitGroup // Joining and background work: ends with the context.
	serving  sync.WaitGroup // Listeners: end when their server is shut down.

	failOnce sync.Once
	failed   chan struct{}
	failure  atomic.Pointer[error]
	stopOnce sync.Once
	stopErr  error
}

// Start opens the node's data and listeners and begins to join its cluster. It
// returns before the node is ready: see Ready. ctx bounds the start alone.
func Start(ctx context.Context, cfg Config, env Env) (_ *Node, err error) {
	logs, err := observe.NewLog(env.Log, cfg.LogLevel, cfg.LogFormat)
	if err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, env: env, log: logs.Logger, logs: logs, obs: observe.New(logs.Logger), health: newDriveHealth(int64(cfg.DriveReserve)),
		anew: make(chan struct{}, 1), failed: make(chan struct{}), started: time.Now(), limiter: limit.New()}
	n.time = group.NewClock(n.clock, cfg.MaxClockSkew)
	n.later(func(context.Context) error { logs.Close(); return nil })
	n.applySettings(nil)
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n.ending, n.cancel = run.Done(), cancel
	interrupted := context.AfterFunc(ctx, cancel)
	defer interrupted()
	defer func() {
		if err != nil {
			_ = n.Stop(run)
		}
	}()
	steps := []struct {
		what string
		do   func(context.Context) error
	}{
		{"open the data directories", n.openData},
		{"traces", n.openTraces},
		{"internode listener", n.openTransport},
		{"metadata", n.openMetadata},
		{"targets of events", n.openEvents},
		{"accounts and keys", n.openAccess},
		{"membership", n.openMembership},
		{"data path", n.openDataPath},
		{"audit log", n.openAudit},
		{"access logs", n.openAccessLogs},
		{"S3 listener", n.openS3},
	}
	for _, s := range steps {
		err := s.do(run)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("the start was interrupted: %w", context.Cause(ctx))
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.what, err)
		}
	}
	n.self.Compare(run)
	if !env.Simulated { // Nobody looks at it there.
		n.wg.Go(func() { n.watchLoad(run) })
	}
	n.wg.Go(func() { n.join(run) })
	return n, nil
}

// later registers what Stop calls, in reverse order.
func (n *Node) later(f func(context.Context) error) { n.cleanup = append(n.cleanup, f) }

// join makes the node part of its cluster, then starts what needs one.
func (n *Node) join(ctx context.Context) {
	if err := n.self.Join(ctx); err != nil {
		if ctx.Err() == nil {
			n.fail(err)
		}
		return
	}
	if err := n.loadDirectory(ctx); err != nil {
		return
	}
	n.startUpkeep(ctx)
	n.wg.Go(func() { n.self.Watch(ctx) })
	n.wg.Go(func() { n.watchStanding(ctx) })
	n.wg.Go(func() { n.keepLimits(ctx) })
	n.self.AwaitVoters(ctx)
	n.self.AwaitClock(ctx)
	n.ready.Store(true)
	n.log.Info("ready", "node", n.home.ID().String(), "cluster", n.home.Cluster(), "s3", n.cfg.S3)
}

// ID returns the node's id.
func (n *Node) ID() cluster.NodeID { return n.home.ID() }

// Ready returns nil if the node serves requests, else why it does not.
func (n *Node) Ready() error {
	if err := n.Err(); err != nil {
		return err
	}
	if n.stopping.Load() {
		return errors.New("the node is stopping")
	}
	if !n.ready.Load() {
		if what := n.group.Forgot(); what != "" {
			return fmt.Errorf("joining the cluster: %s", what)
		}
		if n.home.Cluster() == "" {
			return errors.New("waiting for the cluster to form")
		}
		return errors.New("joining the cluster")
	}
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	if _, err := n.client.Topology(ctx); err != nil {
		if what := n.group.Forgot(); what != "" {
			return fmt.Errorf("the metadata cannot be reached (%w), and %s", err, what)
		}
		return fmt.Errorf("the metadata cannot be reached: %w", err)
	}
	return nil
}

const readyTimeout = 2 * time.Second

// Failed returns a channel that is closed when the node must end. Err says why.
func (n *Node) Failed() <-chan struct{} { return n.failed }

// Err returns what ended the node, or nil while it runs and after it was stopped.
func (n *Node) Err() error {
	if p := n.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// fail ends the node. Only the first cause is kept.
func (n *Node) fail(err error) {
	n.failOnce.Do(func() {
		n.failure.Store(&err)
		n.log.Error("the node must stop", "cause", err)
		close(n.failed)
	})
}

// fatal is fail for the log and the state of the metadata, whose callers must not go on: it does
// not return before the process ends.
func (n *Node) fatal(err error) {
	n.fail(err)
	if !n.env.Simulated {
		select {}
	}
}

// Stop ends the node: first the listeners, then what they use. Requests under way have until ctx
// ends.
func (n *Node) Stop(ctx context.Context) error {
	n.stopOnce.Do(func() {
		n.drainClients(ctx)
		n.cancel()
		n.wg.Wait()
		var errsAll []error
		for i := len(n.cleanup) - 1; i >= 0; i-- {
			if err := n.cleanup[i](ctx); err != nil && !errors.Is(err, context.Canceled) {
				errsAll = append(errsAll, err)
			}
		}
		n.serving.Wait()
		n.stopErr = errors.Join(errsAll...)
	})
	return n.stopErr
}

// openData opens the node's home and its drives.
func (n *Node) openData(ctx context.Context) (err error) {
	dir, err := home.Find(n.env.FS, n.cfg.DataDirs)
	if err != nil {
		return err
	}
	if n.home, err = home.Open(n.env.FS, dir); err != nil {
		return err
	}
	n.peers = member.NewPeers(n.home)
	if err := n.home.CheckDrives(n.cfg.DataDirs, n.cfg.AcceptLostDrives); err != nil {
		return err
	}
	if err := n.openRoom(ctx); err != nil {
		return err
	}
	n.cache = newCache(n.cfg.cacheBytes(memory), len(n.cfg.DataDirs))
	n.later(func(context.Context) error { n.cache.Unref(); return nil })
	var own []home.Drive
	for _, dir := range n.cfg.DataDirs {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		pace := &syncPace{}
		d, err := drive.Open(ctx, drive.Options{FS: n.env.FS, Dir: dir, Cache: n.cache,
			SegmentBytes: int64(n.cfg.SegmentSize),
			ReserveBytes: n.reserveOf(dir), Events: pace.events(n.obs.Drive(dir, func(error) {}))})
		if err != nil {
			return fmt.Errorf("drive %s: %w", dir, err)
		}
		n.drives = append(n.drives, d)
		n.health.watch(d, pace)
		own = append(own, home.Drive{ID: d.ID().String(), Dir: dir})
		n.later(func(context.Context) error { return d.Close() })
		if c := d.Cluster(); c != "" && n.home.Cluster() != "" && c != n.home.Cluster() {
			return fmt.Errorf("drive %s belongs to cluster %s, this node to %s", dir, c, n.home.Cluster())
		}
	}
	return n.home.SetDrives(own)
}

// openTransport opens the internode listener and gossip.
func (n *Node) openTransport(ctx context.Context) error {
	transport := n.env.Transport
	var gossipKey []byte
	var otherKeys [][]byte
	if !n.env.Simulated {
		if err := n.loadIdentity(); err != nil {
			return err
		}
		transport, gossipKey, otherKeys = rpc.TLS(transport, n.identity), n.identity.GossipKey(), n.identity.OtherGossipKeys()
	}
	n.env.Transport = transport
	n.http = rpc.NewHTTPClient(transport, rpc.ClientConfig{})
	n.http.Transport = n.obs.Transport(n.http.Transport)
	n.later(func(context.Context) error { n.http.CloseIdleConnections(); return nil })
	n.rpcServer = rpc.NewServer(rpc.Config{Wrap: n.obs.Internode, Events: n.obs.RPC()})

	g, err := n.env.Gossip(ctx, gossip.Config{
		Self: gossip.Meta{Node: n.home.ID(), Zone: n.cfg.Zone, RPCAddr: n.cfg.hostPort(n.cfg.RPC),
			RaftAddr: n.cfg.hostPort(n.cfg.Raft), S3Addr: n.cfg.hostPort(n.cfg.S3),
			ClusterID: n.home.Cluster(), Era: n.home.Era(), Expect: n.cfg.BootstrapExpect},
		BindAddr: n.cfg.Gossip, AdvertiseAddr: n.cfg.hostPort(n.cfg.Gossip), Key: gossipKey, OtherKeys: otherKeys,
		Label: gossipLabel, Seeds: n.cfg.Join, Fast: n.cfg.FastDetection, Events: n.peers.Events(n.obs.Gossip()),
	})
	if err != nil {
		return fmt.Errorf("gossip on %s: %w", n.cfg.Gossip, err)
	}
	n.gossip = g
	n.peers.UseGossip(g)
	n.later(func(context.Context) error {
		if err := g.Leave(leaveTimeout); err != nil { // The others will find out by themselves.
			n.log.Debug("nobody heard that this node leaves", "cause", err)
		}
		return g.Close()
	})
	return nil
}

const leaveTimeout = time.Second

// openMetadata opens the Raft group and the client of the metadata, and begins
// to serve the internode listener.
func (n *Node) openMetadata(ctx context.Context) error {
	raftListener, err := n.env.Transport.Listen(n.cfg.Raft)
	if err != nil {
		return fmt.Errorf("setting --raft: %w", err)
	}
	raftListener = n.watch(raftListener, "raft")
	timing := group.DefaultTiming()
	if n.env.Simulated {
		timing = group.FastTiming()
	}
	events := n.obs.Group(n.fatal)
	events.Contradiction = func(index uint64, record string, cause error) {
		n.obs.Contradiction(index, record, cause)
		n.contradicted()
	}
	said := events.SessionExpired
	events.SessionExpired = func(id cluster.NodeID) {
		said(id)
		n.wg.Go(func() { n.self.CheckOnlyRun() })
	}
	n.group, err = group.Open(group.Config{Node: n.home.ID(), FS: n.env.FS, Dir: n.home.MetaDir(),
		Room: n.room, Refuse: n.refuses, Joined: n.home.Cluster() != "", Promises: group.PromiseDirs{FS: n.env.FS, Dirs: n.cfg.DataDirs},
		RaftAddr: n.cfg.hostPort(n.cfg.Raft), Listener: raftListener, Dial: n.env.Transport.Dial,
		HTTP: n.http, RPCAddrs: n.peers.RPCAddr, Candidates: n.peers.Candidates, Timing: timing, Clock: n.time,
		SnapshotThreshold: n.env.SnapshotThreshold, TrailingLogs: n.env.TrailingLogs, TrailingBytes: uint64(n.cfg.MetadataLog),
		Cache: n.cache, Events: events})
	if err != nil {
		_ = raftListener.Close()
		return err
	}
	n.later(n.group.Shutdown)
	own, err := n.group.OwnTopology()
	if err != nil {
		return err
	}
	n.peers.UseOwn(own)
	n.client = group.NewClient(group.ClientConfig{Node: n.home.ID(), Group: n.group, HTTP: n.http,
		RPCAddrs: n.peers.RPCAddr, Candidates: n.peers.Candidates, Events: events, Clock: n.time,
		Trace: group.Trace{Of: n.obs.TraceParent, Into: n.obs.WithTraceParent}})
	n.peers.UseNewest(n.client.LastTopology)
	n.wg.Go(func() { n.watchRoom(ctx) })
	n.later(func(context.Context) error { n.client.Close(); return nil })

	n.rpcServer.Handle(n.traced(n.group.Handler()))
	era, err := n.group.Era()
	if err != nil {
		return err
	}
	return n.peers.Begin(era)
}

// openDataPath builds what moves bytes and the object service on top of it, and
// serves shards to the other nodes.
func (n *Node) openDataPath(context.Context) error {
	n.stores = &stores{local: map[cluster.DriveID]*drive.Drive{}, topology: n.client.Topology, state: n.gossip.State, observe: n.obs.Shards}
	for _, d := range n.drives {
		n.stores.local[d.ID()] = d
	}
	n.stores.remote = wire.NewClient(n.http, n.stores.addr, wire.ClientConfig{})
	pool, budget := buf.New(buf.Config{}), buf.NewBudget(int64(n.cfg.MemoryBudget), object.DefaultBudgetWait)
	n.budget = budget
	n.engine = stripe.New(stripe.Config{Pool: pool, Stores: n.stores.store,
		HedgeDelay: n.cfg.HedgeDelay, Events: n.obs.Stripe(n.found, n.slotFailed)})
	n.later(func(context.Context) error { n.engine.Close(); return nil })

	n.objects = object.New(object.Deps{Meta: n.access.directory.Watch(n.obs.Metadata(n.client)), Keys: n.access.told, Topology: n.client, Engine: n.obs.Engine(n.engine), Alive: n.peers.Alive, Budget: budget,
		Workers: spread.NewClient(spread.ClientConfig{HTTP: n.http, Nodes: n.peers.Others, Addr: n.peers.RPCAddr})},
		object.Config{InlineMaxBytes: inlineMax(n.cfg.InlineMax), ExtentMaxBytes: n.env.ExtentMaxBytes,
			Knobs:            func() object.Knobs { return object.KnobsOf(n.profile.Load()) },
			Alloc:            alloc.Config{VolumesPerScheme: n.cfg.VolumesPerScheme, ColdScheme: n.cfg.coldScheme()},
			RestoreExpedited: n.cfg.RestoreExpedited, RestoreStandard: n.cfg.RestoreStandard, RestoreBulk: n.cfg.RestoreBulk,
			CopyParallel: n.cfg.CopyParallel, CopyTasks: n.cfg.CopyTasks},
		n.obs.Object())

	n.rpcServer.Handle(n.traced("/shard/", wire.NewHandler(n.stores.drive, wire.HandlerConfig{})))
	n.rpcServer.Handle(n.traced(spread.Path, spread.NewHandler(n.objects, spread.HandlerConfig{})))
	n.rpcServer.Handle(n.peerHandler())
	n.exportMetrics(budget, pool)
	n.rpcServer.Handle(n.self.Handler())
	n.rpcServer.Handle(backupPath, http.HandlerFunc(n.serveBackup))
	n.serveDebug()
	l, err := n.env.Transport.Listen(n.cfg.RPC)
	if err != nil {
		return fmt.Errorf("setting --rpc: %w", err)
	}
	l = n.watch(l, "rpc")
	n.serving.Go(func() {
		if err := n.rpcServer.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			n.fail(fmt.Errorf("internode listener: %w", err))
		}
	})
	n.later(n.rpcServer.Shutdown)
	return nil
}

// inlineMax returns the setting as object.Config wants it, where 0 would mean the default.
func inlineMax(b Bytes) int64 {
	if b == 0 {
		return -1
	}
	return int64(b)
}

// slotFailed lets the allocator avoid a drive that has just failed a write.
func (n *Node) slotFailed(id shard.ID, cause error) { n.objects.Allocator().SlotFailed(id, cause) }

// Objects returns the object service.
func (n *Node) Objects() *object.Service { return n.objects }

// listenError returns the failure of an S3 or metrics listener, with the name of its setting.
func listenError(setting, addr string, err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return fmt.Errorf("setting --%s: cannot listen on %s: %w", setting, addr, err)
}

// Group returns the node's member of the metadata's Raft group.
func (n *Node) Group() *group.Group { return n.group }

// Metadata returns the client of the metadata.
func (n *Node) Metadata() *group.Client { return n.client }

// Drives returns the node's own drives.
func (n *Node) Drives() []*drive.Drive { return n.drives }
