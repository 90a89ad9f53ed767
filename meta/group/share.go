package group

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/raftlog"
)

// An entry has a price of its own for Raft, the log and the network between voters, whatever is in
// it. So commands share entries: what comes while the leader makes entries durable waits, and goes
// into the next ones together. No timer is involved. A command that comes while nothing is under
// way is proposed at once, alone.

// call is what one caller proposes.
type call struct {
	commands [][]byte
	outcomes []outcome    // By command. They may be read when done is closed.
	left     atomic.Int64 // Outcomes that are not known yet.
	done     chan struct{}
	finish   func() // It is called before done is closed.
}

// resolve notes the outcome of a command. Once all are known, it ends the call.
func (c *call) resolve(at int, o outcome) {
	c.outcomes[at] = o
	if c.left.Add(-1) == 0 {
		c.finish()
		close(c.done)
	}
}

// waiting is a command of a call that no entry holds yet.
type waiting struct {
	*call
	at int
}

func (w waiting) data() []byte { return w.commands[w.at] }

// sharing holds the commands that wait to be proposed.
type sharing struct {
	mu      sync.Mutex
	waiting []waiting
	running bool // A goroutine runs rounds.
}

// share proposes commands, in this order, and returns at once. finish is called when the outcome
// of each of them is known.
func (g *Group) share(commands [][]byte, finish func()) *call {
	c := &call{commands: commands, outcomes: make([]outcome, len(commands)), done: make(chan struct{}), finish: finish}
	c.left.Store(int64(len(commands)))
	s := &g.sharing
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range commands {
		s.waiting = append(s.waiting, waiting{c, i})
	}
	if !s.running {
		s.running = true
		g.wg.Go(g.shareRounds)
	}
	return c
}

// shareRounds runs one round after the other, as long as commands wait.
func (g *Group) shareRounds() {
	s := &g.sharing
	for {
		s.mu.Lock()
		taken := s.waiting
		s.waiting = nil
		if len(taken) == 0 {
			s.running = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		g.shareRound(taken)
	}
}

// shareRound proposes the commands that were taken, and returns when this node's log holds
// them, or their outcome is known. The next round may begin then, while voters still answer.
func (g *Group) shareRound(taken []waiting) {
	batches := shared(taken, g.fsm.state.featureLevel() >= cluster.LevelSharedEntries)
	entries := make([][]byte, len(batches))
	for i, b := range batches {
		entries[i] = b.entry()
	}
	stored := g.stored.expect(entries[len(entries)-1])
	futures := make([]raft.ApplyFuture, len(batches))
	for i, e := range entries {
		futures[i] = g.raft.Apply(e, 0)
	}
	resolved := make(chan struct{})
	// Nobody can give up waiting for a future, so a goroutine waits. Futures end when the
	// entries are applied, or leadership is lost.
	g.wg.Go(func() {
		for i, f := range futures {
			batches[i].resolve(f)
		}
		close(resolved)
	})
	select {
	case <-stored:
	case <-resolved:
	}
}

// batch is commands that share an entry.
type batch []waiting

// shared cuts commands into batches, each of which fits into an entry; into one for each command
// where they may not share.
func shared(taken []waiting, may bool) (batches []batch) {
	from, bytes := 0, 0
	for i, w := range taken {
		size := len(w.data())
		if i > from && (!may || i-from == sharedCommands || bytes+size > sharedBytes) {
			batches = append(batches, taken[from:i])
			from, bytes = i, 0
		}
		bytes += size
	}
	return append(batches, taken[from:])
}

// entry returns the entry that holds the batch.
func (b batch) entry() []byte {
	commands := make([][]byte, len(b))
	for i, w := range b {
		commands[i] = w.data()
	}
	return entryOf(commands)
}

// resolve waits for what becomes of the batch's entry and tells the calls.
func (b batch) resolve(f raft.ApplyFuture) {
	results, err := outcomesOf(f)
	if err == nil && len(results) != len(b) {
		err = errNoResult
	}
	for i, w := range b {
		o := outcome{unknown: err}
		if err == nil {
			if o.result = results[i]; o.result == nil {
				o.unknown = errNoResult
			}
		}
		w.call.resolve(w.at, o)
	}
}

var errNoResult = errors.New("the state machine gave no result")

// outcomesOf waits for what becomes of an entry, and returns the results of its commands, or why
// they are not known.
func outcomesOf(f raft.ApplyFuture) ([]*metapb.Result, error) {
	if err := f.Error(); err != nil {
		return nil, err
	}
	switch r := f.Response().(type) {
	case *metapb.Result:
		return []*metapb.Result{r}, nil
	case []*metapb.Result:
		return r, nil
	case error:
		return nil, r
	}
	return nil, errNoResult
}

// storedLog is the log as Raft sees it. It tells when an entry that this node proposes is
// durable here.
type storedLog struct {
	*raftlog.Store

	mu       sync.Mutex
	expected []byte        // Nil: none is.
	done     chan struct{} // Closed when it is durable.
}

// expect returns a channel that is closed when an entry with this data, the very same memory, is
// durable. It forgets what was expected before. The entry must not be empty.
func (s *storedLog) expect(data []byte) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expected, s.done = data, make(chan struct{})
	return s.done
}

// StoreLogs implements raft.LogStore.
func (s *storedLog) StoreLogs(logs []*raft.Log) error {
	if err := s.Store.StoreLogs(logs); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range logs {
		if len(s.expected) > 0 && len(l.Data) > 0 && &l.Data[0] == &s.expected[0] {
			close(s.done)
			s.expected = nil
			return nil
		}
	}
	return nil
}

// StoreLog implements raft.LogStore.
func (s *storedLog) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }
