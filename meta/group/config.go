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
	"github.com/cairnstore/cairn/cluster/events"
	"github.com/cairnstore/cairn/meta/room"
)

// Defaults of the fields of Config and Timing with the same names.
const (
	DefaultSnapshotThreshold = 32 << 10
	DefaultTrailingLogs      = 128 << 10
	DefaultCacheBytes        = 64 << 20
	DefaultLogWriteTimeout   = 10 * time.Second

	// DefaultTrailingBytes is DefaultTrailingLogs entries of 8 KiB. An entry of ordinary
	// commands is smaller, so only parts with very many references reach this bound. A voter
	// reads all of these bytes when it starts, at some hundred MB a second.
	DefaultTrailingBytes = 1 << 30
)

// Limits of what a leader takes on.
const (
	// MaxCommandBytes is how large a command may be. The largest are those with an inline
	// object, and those with the references of a large part.
	MaxCommandBytes = 4 << 20

	// maxInflightCommands is how many commands a leader accepts before it has answered some.
	maxInflightCommands = 8192

	// maxAppendEntries is how many entries one request to append carries at most, and how
	// many the state gets at once.
	maxAppendEntries = 128
)

// Timing says how long the group waits, and for what. A field that is zero is that of
// DefaultTiming.
type Timing struct {
	Heartbeat        time.Duration // A follower that has heard nothing for so long campaigns.
	Election         time.Duration // A candidate waits so long for votes.
	LeaderLease      time.Duration // A leader that has reached no quorum for so long steps down.
	Commit           time.Duration // A leader that has no entries to send tells its commit index so often.
	RPC              time.Duration // One request between voters may take so long.
	SnapshotInterval time.Duration // So often is looked whether a snapshot is due.
	LogWrite         time.Duration // A write to the log that takes longer ends the process.
}

// DefaultTiming returns the timing for production. It is slow enough for a busy machine with
// two cores, and fast enough to replace a dead leader in about three seconds. Commit is
// long, since it makes up most of what an idle group costs, and followers may learn late
// that an entry is committed: they serve no reads.
func DefaultTiming() Timing {
	return Timing{Heartbeat: time.Second, Election: time.Second, LeaderLease: 500 * time.Millisecond,
		Commit: 250 * time.Millisecond, RPC: 3 * time.Second, SnapshotInterval: 30 * time.Second,
		LogWrite: DefaultLogWriteTimeout}
}

// FastTiming returns the timing for tests, whose machines have nothing else to do.
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

// Config says what a Group works with. FS, Dir, Node, RaftAddr, Listener and Dial are
// required. Offline functions (Inspected, Recover, Restore, LookAt, Mend) need FS and Dir,
// and most of them Node; they use CacheBytes, Cache and Events, and nothing else.
type Config struct {
	Node cluster.NodeID
	FS   vfs.FS
	Dir  string // The metadata's directory; it is made where it is missing.

	// RaftAddr is the address, host:port, at which other voters reach Listener. Listener and
	// Dial speak TLS already. Shutdown closes Listener.
	RaftAddr string
	Listener net.Listener
	Dial     func(ctx context.Context, addr string) (net.Conn, error)

	// HTTP, made by rpc.NewHTTPClient, and RPCAddrs reach the MetaService of other nodes. A
	// leader asks it how far a new voter has caught up.
	HTTP     *http.Client
	RPCAddrs func(cluster.NodeID) (addr string, ok bool)

	// Joined says that the node belonged to a cluster before this start. Then metadata that
	// are not there were lost.
	Joined bool

	// Promises keeps what this voter has promised at a place that the loss of Dir does not
	// reach; nil: it lies in Dir alone.
	Promises Promises

	// Clock is what the times of commands are compared with; nil: they are not compared.
	Clock *Clock

	// Candidates is what a Client of this node is to be given; a Group does not use it.
	Candidates func() []cluster.NodeID

	Timing Timing

	// SnapshotThreshold is how many entries are applied before the next snapshot is taken.
	SnapshotThreshold uint64

	// TrailingLogs is how many entries are kept behind a snapshot. A follower that has missed
	// more is sent the snapshot. While it is sent, entries come that the follower needs next:
	// if they were cut meanwhile, it would need another snapshot, and never catch up.
	TrailingLogs uint64

	// TrailingBytes bounds the bytes of the entries that are kept behind a snapshot, whatever
	// their number. A snapshot is taken early where the log has twice as many.
	TrailingBytes uint64

	// Room knows how much room the file system of Dir has; nil: there is always enough.
	Room *room.Room

	// Refuse tells which commands the voters have no room for, and why. The leader asks it
	// before it proposes, so it must be quick. Nil: none are refused.
	Refuse func() (Refused, error)

	// Cache is the block cache of the state and the log. It must have room for their
	// memtables besides the blocks. Where it is nil, the state has one of CacheBytes.
	Cache      *pebble.Cache
	CacheBytes int64

	Events Events

	openState openStateFunc // Tests replace the state.
}

// Level is how important a line of Raft's own log is.
type Level int8

// The levels, the least important first.
const (
	LevelDebug Level = iota
	LevelInfo
	LevelWarn
	LevelError
)

// Events tells what happens in a group, for logs and metrics. Any field may be nil.
// Functions are called from many goroutines and must not block.
type Events struct {
	// Fatal says that the node must not go on, for example since its log or state cannot be
	// written. It must not return in production. Nil: the group panics.
	Fatal func(err error)

	// Log gets the lines that Raft itself logs.
	Log func(level Level, message string)

	// Applied: entries were applied in one batch, with so many commands in them.
	Applied func(entries, commands int, took time.Duration)
	// WriteStall: commits to the state wait for the disk (true), or do so no longer.
	WriteStall func(stalled bool)
	// LogSlow: a write to the log was slow.
	LogSlow func(took time.Duration)
	// LeaderChanged: another node leads; 0: none is known to.
	LeaderChanged func(leader cluster.NodeID)
	// Contradiction: the state refused an entry (state.Events).
	Contradiction func(index uint64, record string, cause error)
	// Forgot: Open found that this node's metadata lack what the node had promised. what says so,
	// in words that go on after "this node's metadata".
	Forgot func(what string)
	// PeerForgot: another server has lost entries. Its log ends at entry shown, though it had
	// applied entry known before.
	PeerForgot func(server string, known, shown uint64)
	// LeadershipLeft: this node led and stops. err is nil where it has handed leadership
	// over; otherwise the others have to elect a leader.
	LeadershipLeft func(err error)
	// NoRoom: something was put off, which what names, because the file system is full.
	NoRoom func(what string, err error)
	// SnapshotTaken: a snapshot of the state as of an entry was taken.
	SnapshotTaken func(index uint64, took time.Duration)
	// StateRestored: the state was replaced by a snapshot as of an entry.
	StateRestored func(index uint64, took time.Duration)
	// QueryPanicked: a query panicked. It failed with Internal, and the node goes on.
	QueryPanicked func(value any, stack []byte)
	// SessionOpened: a Client has opened its node's session.
	SessionOpened func(node cluster.NodeID)
	// SessionExpired: a Client has found that its session had been ended.
	SessionExpired func(node cluster.NodeID)
}

// withDefaults gives every event something to call. A Group whose caller does not hear of what is
// fatal panics.
func (e Events) withDefaults() Events {
	if e.Fatal == nil {
		e.Fatal = func(err error) { panic(err) }
	}
	return events.Filled(e)
}

// withDefaults fills in what is not set. Errors: something that is required is missing.
func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Node == 0:
		return c, errors.New("the node has no id")
	case c.FS == nil || c.Dir == "":
		return c, errors.New("no metadata directory")
	case c.Listener == nil || c.Dial == nil || c.RaftAddr == "":
		return c, errors.New("no raft address, listener or dialer")
	}
	c.Timing, c.Events = c.Timing.withDefaults(), c.Events.withDefaults()
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
