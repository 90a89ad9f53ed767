package sim

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/node"
)

// Cluster is a set of simulated machines. Its methods must be called from one goroutine, but for Up and
// term, which any may call. The nodes on the machines run concurrently.
type Cluster struct {
	Net      *Network
	Machines []*Machine
	machines sync.Mutex // Held while Machines is changed, and by Up.

	bought int // How many machines there ever were.

	rng  *rand.Rand
	live *liveness
	log  io.Writer

	lostAfter time.Duration // After which time a node that is down is declared lost; 0: the default.
	horizon   time.Duration // For how long what a backup refers to is kept.
	diskBytes uint64        // The size of each machine's disk; 0: it does not tell its size.

	snapshotThreshold, trailingLogs uint64
}

// Machine is a host with a file system; a node runs on it while it is up.
type Machine struct {
	Name string

	ahead atomic.Int64 // How many nanoseconds its clock is ahead of the bubble's.

	mu   sync.Mutex
	node *node.Node // Nil while it is down.
	disk *disk
}

// Sizes of a simulated node. They are small, so that a run comes to the border of each.
const (
	segmentBytes = 2 << 20
	extentBytes  = 192 << 10
	stopTimeout  = 10 * time.Second
)

// NewCluster returns a cluster of n machines that are down. What their nodes log goes to log.
func NewCluster(rng *rand.Rand, n int, log io.Writer) *Cluster {
	c := &Cluster{Net: NewNetwork(rand.New(rand.NewPCG(rng.Uint64(), 1))), rng: rng, log: log}
	c.live = &liveness{net: c.Net, since: map[link]time.Time{}, metas: map[string]gossip.Meta{}}
	// Some clusters live on snapshots, others never take one.
	c.snapshotThreshold, c.trailingLogs = []uint64{40, 500, 0}[rng.IntN(3)], []uint64{10, 100, 0}[rng.IntN(3)]
	for range n {
		c.Add()
	}
	return c
}

// Add adds a new machine, which is down.
func (c *Cluster) Add() *Machine {
	c.machines.Lock()
	defer c.machines.Unlock()
	c.bought++
	m := &Machine{Name: fmt.Sprintf("n%d", c.bought)}
	c.newDisk(m, vfs.NewCrashableMem())
	c.Machines = append(c.Machines, m)
	return m
}

// Scrap cuts a machine's power for good.
func (c *Cluster) Scrap(m *Machine) {
	c.Crash(m)
	c.machines.Lock()
	defer c.machines.Unlock()
	c.Machines = slices.DeleteFunc(slices.Clone(c.Machines), func(o *Machine) bool { return o == m })
}

// newDisk gives a machine a disk with the file system that it finds after a power cut, or on its first
// day.
func (c *Cluster) newDisk(m *Machine, fs *vfs.MemFS) {
	d := newDisk(fs, rand.New(rand.NewPCG(c.rng.Uint64(), 3)), func() { c.Net.Down(m.Name) })
	d.room = capacity{size: c.diskBytes, taken: map[string]uint64{}}
	if old := m.disk; old != nil {
		d.room.others = old.room.others
		for path, n := range old.room.taken {
			if _, err := fs.Stat(path); err == nil {
				d.room.taken[path] = n
			}
		}
	}
	m.disk = d
}

// Node returns the machine's node; nil while it is down.
func (m *Machine) Node() *node.Node {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.node
}

// Start starts the node of a machine that is down. It returns when node.Start does.
func (c *Cluster) Start(ctx context.Context, m *Machine) error {
	c.Net.Up(m.Name)
	cfg := node.Defaults()
	cfg.DataDirs = []string{dataDir}
	cfg.Advertise = m.Name
	cfg.BootstrapExpect = len(c.Machines)
	cfg.RootUser, cfg.RootPassword = "sim", "sim-secret"
	cfg.FastDetection = true
	cfg.LogLevel = "debug"
	cfg.SegmentSize = segmentBytes
	cfg.DriveReserve = 0
	cfg.MetadataCache = 4 << 20
	cfg.InlineMax = 1 << 10
	cfg.Knobs = map[string]string{"min-part": "1"}
	cfg.GCGrace = 30 * time.Second
	cfg.UpkeepEvery = time.Second
	cfg.ScrubEvery = time.Minute
	cfg.VolumesPerScheme = 3
	cfg.BackupHorizon = c.horizon
	if c.lostAfter > 0 {
		cfg.LostAfter = c.lostAfter
	}
	cfg.CopyTasks = 1 // So that a node needs others to copy more than one extent at once.
	host := c.Net.Host(m.Name)
	n, err := node.Start(ctx, cfg, node.Env{
		FS: m.disk, Transport: host, ListenS3: func(addr string) (net.Listener, error) { return host.Listen(addr) },
		Gossip: func(_ context.Context, g gossip.Config) (node.Gossip, error) {
			return c.live.join(m.Name, g.Self), nil
		},
		Clock: func() time.Time { return time.Now().Add(time.Duration(m.ahead.Load())) },
		Log:   &prefixed{prefix: m.Name + " ", w: c.log}, Version: "sim", Simulated: true, ExtentMaxBytes: extentBytes,
		SnapshotThreshold: c.snapshotThreshold, TrailingLogs: c.trailingLogs,
	})
	if err != nil {
		return fmt.Errorf("%s: %w", m.Name, err)
	}
	m.mu.Lock()
	m.node = n
	m.mu.Unlock()
	return nil
}

// Crash cuts the power of machines. Their disks keep what was synced, and a random share of the rest.
// The cuts come before any node is stopped, so that none of them does more because another has stopped.
func (c *Cluster) Crash(machines ...*Machine) {
	for _, m := range machines {
		m.disk.powerCut()
	}
	c.stop(machines)
	for _, m := range machines {
		c.newDisk(m, m.disk.after)
	}
}

// SizeDisks gives the disk of every machine a size. No machine may have been started before.
func (c *Cluster) SizeDisks(bytes uint64) {
	c.diskBytes = bytes
	for _, m := range c.Machines {
		m.disk.room.size = bytes
	}
}

// Stop stops all nodes properly.
func (c *Cluster) Stop() { c.stop(c.Machines) }

// stop stops nodes and waits until they have ended. After a power cut they write to the old disk until
// then, and nobody sees it.
func (c *Cluster) stop(machines []*Machine) {
	var wg sync.WaitGroup
	for _, m := range machines {
		m.mu.Lock()
		n := m.node
		m.node = nil
		m.mu.Unlock()
		if n != nil {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
				defer cancel()
				_ = n.Stop(ctx)
			})
		}
	}
	wg.Wait()
}

// Up returns the machines whose nodes run.
func (c *Cluster) Up() (up []*Machine) {
	c.machines.Lock()
	defer c.machines.Unlock()
	for _, m := range c.Machines {
		if m.Node() != nil {
			up = append(up, m)
		}
	}
	return up
}

// term returns the greatest term of the metadata that a node which runs knows of.
func (c *Cluster) term() (term uint64) {
	for _, m := range c.Up() {
		if n := m.Node(); n != nil {
			term = max(term, n.Group().Stats().Term)
		}
	}
	return term
}

// AwaitReady waits until all nodes that run are ready. After the limit it returns why one is not.
func (c *Cluster) AwaitReady(limit time.Duration) error {
	for deadline := time.Now().Add(limit); ; time.Sleep(100 * time.Millisecond) {
		var waiting error
		for _, m := range c.Up() {
			if err := m.Node().Ready(); err != nil {
				waiting = fmt.Errorf("%s: %w", m.Name, err)
				break
			}
		}
		if waiting == nil || time.Now().After(deadline) {
			return waiting
		}
	}
}

// liveness is a stand-in for gossip. Nodes that have not reached each other for a while take each other
// for suspect, and later for down.
type liveness struct {
	net *Network

	mu    sync.Mutex
	metas map[string]gossip.Meta
	since map[link]time.Time // Since when one has not reached the other.
}

const (
	suspectAfter = time.Second
	downAfter    = 2 * time.Second
)

func (l *liveness) join(host string, meta gossip.Meta) *member {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.metas[host] = meta
	return &member{l: l, host: host, changed: make(chan struct{})}
}

// state returns what a thinks of b.
func (l *liveness) state(a, b string) gossip.State {
	reaches := a == b || l.net.Reaches(a, b)
	l.mu.Lock()
	defer l.mu.Unlock()
	k := link{a, b}
	since, known := l.since[k]
	switch {
	case reaches:
		delete(l.since, k)
		return gossip.Alive
	case !known:
		l.since[k] = time.Now()
		return gossip.Alive
	case time.Since(since) > downAfter:
		return gossip.Down
	case time.Since(since) > suspectAfter:
		return gossip.Suspect
	}
	return gossip.Alive
}

// member implements node.Gossip for one host.
type member struct {
	l       *liveness
	host    string
	changed chan struct{} // Nothing is ever sent on it: nodes poll, too.
}

// Member implements node.Gossip.
func (m *member) Member(id cluster.NodeID) (gossip.Member, bool) {
	for _, o := range m.Members() {
		if o.Node == id {
			return o, true
		}
	}
	return gossip.Member{}, false
}

// Members implements node.Gossip.
func (m *member) Members() (out []gossip.Member) {
	m.l.mu.Lock()
	hosts := make([]string, 0, len(m.l.metas))
	for h := range m.l.metas {
		hosts = append(hosts, h)
	}
	m.l.mu.Unlock()
	for _, h := range hosts {
		state := m.l.state(m.host, h)
		m.l.mu.Lock()
		out = append(out, gossip.Member{Meta: m.l.metas[h], Addr: h, State: state})
		m.l.mu.Unlock()
	}
	return out
}

// State implements node.Gossip.
func (m *member) State(id cluster.NodeID) gossip.State {
	for _, o := range m.Members() {
		if o.Node == id {
			return o.State
		}
	}
	return gossip.Down
}

// SetCluster implements node.Gossip.
func (m *member) SetCluster(id string, era uint64) error {
	m.l.mu.Lock()
	defer m.l.mu.Unlock()
	meta := m.l.metas[m.host]
	meta.ClusterID, meta.Era = id, era
	m.l.metas[m.host] = meta
	return nil
}

// SetRoom implements node.Gossip.
func (m *member) SetRoom(room uint32) {
	m.l.mu.Lock()
	defer m.l.mu.Unlock()
	meta := m.l.metas[m.host]
	meta.Room = room
	m.l.metas[m.host] = meta
}

// Changed implements node.Gossip.
func (m *member) Changed() <-chan struct{} { return m.changed }

// Leave implements node.Gossip.
func (m *member) Leave(time.Duration) error { return nil }

// Close implements node.Gossip.
func (m *member) Close() error { return nil }

// prefixed puts a name before each line of a log.
type prefixed struct {
	prefix string
	w      io.Writer
}

// Write implements io.Writer. Each call must write one line.
func (p *prefixed) Write(b []byte) (int, error) {
	_, err := p.w.Write(append([]byte(p.prefix), b...))
	return len(b), err
}

// Log is a bounded log of a run, which keeps the newest lines. Several goroutines may use it.
type Log struct {
	most  int               // How many lines it keeps at most; 0: logLines.
	seen  func(line []byte) // If set, it is called with each line, one at a time.
	mu    sync.Mutex
	lines [][]byte
}

const logLines = 20000

// Write implements io.Writer.
func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen != nil {
		l.seen(b)
	}
	if len(l.lines) >= cmp.Or(l.most, logLines) {
		l.lines = l.lines[len(l.lines)/4:]
	}
	l.lines = append(l.lines, bytes.Clone(b))
	return len(b), nil
}

// Trace adds a line about the run itself, with the bubble's time.
func (l *Log) Trace(format string, args ...any) {
	_, _ = fmt.Fprintf(l, "=== %s "+format+"\n", append([]any{time.Now().Format("15:04:05.000")}, args...)...)
}

// String returns the lines that it has kept.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(bytes.Join(l.lines, nil))
}
