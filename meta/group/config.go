package group

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta/room"
)

// Defaults of Config.
const (
	DefaultSnapshotThreshold = 32 << 10  // Entries between snapshots.
	DefaultTrailingLogs      = 128 << 10 // Entries kept for followers that were away; see Config.
	DefaultCacheBytes        = 64 << 20
	DefaultLogWriteTimeout   = 10 * time.Second

	// DefaultTrailingBytes is what DefaultTrailingLogs entries have where an entry has 8 KiB:
	// a batch of ordinary commands has less, so only parts with very many references reach
	// it. A voter reads all of it when it starts, at some hundred MB a second.
	DefaultTrailingBytes = 1 << 30
)

// Limits of what a leader takes on.
const (
	// MaxCommandBytes is the largest command: an inline object and its record,
	// or the references of a large part.
	MaxCommandBytes = 4 << 20

	// maxInflightCommands bounds the commands a leader has accepted and not yet
	// answered.
	maxInflightCommands = 8192

	// maxAppendEntries is how many entries one append carries, and how many the
	// state machine gets at once.
	maxAppendEntries = 128
)

// Timing is the clockwork of the group. Zero fields mean those of DefaultTiming.
type Timing struct {
	Heartbeat        time.Duration // A follower that hears nothing for so long campaigns.
	Election         time.Duration // A candidate waits so long for votes.
	LeaderLease      time.Duration // A leader that reaches no quorum for so long steps down.
	Commit           time.Duration // A leader without entries tells its commit index so often.
	RPC              time.Duration // Deadline of one request between voters.
	SnapshotInterval time.Duration // How often to look whether a snapshot is due.
	LogWrite         time.Duration // A log write that takes longer ends the process.
}

// DefaultTiming returns the timing for production: slow enough for a busy machine
// with two cores, fast enough to replace a dead leader in about three seconds.
// Followers serve no reads, so they may learn late that an entry is committed:
// Commit is most of what an idle group costs.
func DefaultTiming() Timing {
	return Timing{Heartbeat: time.Second, Election: time.Second, LeaderLease: 500 * time.Millisecond,
		Commit: 250 * time.Millisecond, RPC: 3 * time.Second, SnapshotInterval: 30 * time.Second,
		LogWrite: DefaultLogWriteTimeout}
}

// FastTiming returns the timing for tests.
func FastTiming() Timing {
	return Timing{Heartbeat: 200 * time.Millisecond, Election: 200 * time.Millisecond,
		LeaderLease: 100 * time.Millisecond, Commit: 10 * time.Millisecond, RPC: time.Second,
		SnapshotInterval: 100 * time.Millisecond, LogWrite: DefaultLogWriteTimeout}
}

func (t Timing) withDefaults() Timing {
	d := DefaultTiming()
	for _, f := range []struct {
		v *time.Duration
		d time.Duration
	}{
		{&t.Heartbeat, d.Heartbeat}, {&t.Election, d.Election}, {&t.LeaderLease, d.LeaderLease},
		{&t.Commit, d.Commit}, {&t.RPC, d.RPC}, {&t.SnapshotInterval, d.SnapshotInterval},
		{&t.LogWrite, d.LogWrite},
	} {
		if *f.v == 0 {
			*f.v = f.d
		}
	}
	return t
}

// Config says what a Group works with. FS, Dir, Node, RaftAddr, Listener and Dial
// are required.
type Config struct {
	Node cluster.NodeID
	FS   vfs.FS
	Dir  string // Created where missing.

	RaftAddr string                                                   // Advertised host:port.
	Listener net.Listener                                             // Already TLS; closed by Shutdown.
	Dial     func(ctx context.Context, addr string) (net.Conn, error) // Already TLS.

	// HTTP (of rpc.NewHTTPClient) and RPCAddrs reach other nodes' MetaService;
	// used to see how far a new voter has caught up.
	HTTP     *http.Client
	RPCAddrs func(cluster.NodeID) (addr string, ok bool)

	// Joined says that the node belonged to a cluster before this start, so that metadata
	// that are not there were lost. Promises keeps what this voter has promised where the
	// loss of Dir does not reach; nil: nowhere.
	Joined   bool
	Promises Promises

	// Clock is what commands' times are compared with; nil: they are not.
	Clock *Clock

	// Candidates is unused by a Group; it is here so that one Config serves both.
	Candidates func() []cluster.NodeID

	Timing Timing

	// SnapshotThreshold is how many entries are applied between snapshots.
	SnapshotThreshold uint64

	// TrailingLogs is how many entries are kept behind a snapshot. A follower that
	// missed more gets a snapshot; entries must outlast the sending of one, or a
	// follower would never catch up.
	TrailingLogs uint64

	// Room is the room of the file system that Dir lies in; nil: there is always some.
	Room *room.Room

	// Refuse is asked by the leader before it proposes, and must be quick: which commands
	// its voters have no room for, and why. Nil: none.
	Refuse func() (Refused, error)

	// TrailingBytes bounds the entries that are kept behind a snapshot, whatever their
	// number; 0: DefaultTrailingBytes. A snapshot is taken where the log has twice as many.
	TrailingBytes uint64

	CacheBytes int64         // Of the state's block cache, where Cache is nil.
	Cache      *pebble.Cache // Of the state and the log, with room for their memtables besides what it is to hold.
	Events     Events

	openState openStateFunc // Tests replace the state machine.
}

// Level is the importance of a line of Raft's own log.
type Level int8

// The levels.
const (
	LevelDebug Level = iota
	LevelInfo
	LevelWarn
	LevelError
)

// Events are the happenings in a group. All are optional and must not block,
// except Fatal, which must not return in production.
type Events struct {
	// Fatal says that the node must not go on: its log or state cannot be
	// written. The default panics.
	Fatal func(err error)

	// Log gets Raft's own log lines.
	Log func(level Level, message string)

	Applied        func(entries int, took time.Duration)
	WriteStall     func(stalled bool)                             // Commits to the state wait for the disk (true), or no longer do.
	LogSlow        func(took time.Duration)                       // A write to the log was slow.
	LeaderChanged  func(leader cluster.NodeID)                    // 0: none known.
	Contradiction  func(index uint64, record string, cause error) // The state refused an entry: see state.Events.
	Forgot         func(what string)                              // At Open: what this node's metadata have lost of what it promised.
	PeerForgot     func(server string, known, shown uint64)
	LeadershipLeft func(err error)              // By a leader that stops; an error: the others have to elect one.
	NoRoom         func(what string, err error) // Something was put off, since the file system is full.
	SnapshotTaken  func(index uint64, took time.Duration)
	StateRestored  func(index uint64, took time.Duration)
	QueryPanicked  func(value any, stack []byte) // It failed with Internal; the node goes on.
	SessionOpened  func(node cluster.NodeID)
	SessionExpired func(node cluster.NodeID) // A proposer found its session ended.
}

func (e Events) fatal(err error) {
	if e.Fatal == nil {
		panic(err)
	}
	e.Fatal(err)
}

func (e Events) noRoom(what string, err error) {
	if e.NoRoom != nil {
		e.NoRoom(what, err)
	}
}

func (e Events) log(level Level, message string) {
	if e.Log != nil {
		e.Log(level, message)
	}
}

func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Node == 0:
		return c, errors.New("the node has no id")
	case c.FS == nil || c.Dir == "":
		return c, errors.New("no metadata directory")
	case c.Listener == nil || c.Dial == nil || c.RaftAddr == "":
		return c, errors.New("no raft address, listener or dialer")
	}
	c.Timing = c.Timing.withDefaults()
	if c.SnapshotThreshold == 0 {
		c.SnapshotThreshold = DefaultSnapshotThreshold
	}
	if c.TrailingLogs == 0 {
		c.TrailingLogs = DefaultTrailingLogs
	}
	if c.TrailingBytes == 0 {
		c.TrailingBytes = DefaultTrailingBytes
	}
	if c.CacheBytes == 0 {
		c.CacheBytes = DefaultCacheBytes
	}
	if c.openState == nil {
		c.openState = openRealState(c)
	}
	return c, nil
}
