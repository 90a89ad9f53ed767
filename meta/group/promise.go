package group

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/files"
)

const (
	promiseName = "promise.json"
	// promiseEvery is how often a promise is renewed where it has grown.
	promiseEvery = 10 * time.Second

	incarnationBytes = 8 // Random bytes in the name of an incarnation.
	// incarnationSep stands between node and incarnation in the id of a Raft server.
	incarnationSep = "."
)

// Promise is the least that a server must find of its metadata when it starts, since it has
// told others so much, or let them rely on it. It lies in the metadata's own directory and, as
// a second witness, on every drive. See Incarnations in the package comment.
type Promise struct {
	// Number counts the incarnations of the node. Server is the id that the present one has in
	// the group.
	Number uint64
	Server string
	// Era, Term and Index are what the metadata had reached. A vote in an earlier term must
	// not be given again; all entries up to Index are committed, and lie on this node's disk.
	Era   uint64
	Term  uint64
	Index uint64
	// Forgot says what the incarnation before this one has lost, in words that go on after "this
	// node's metadata". It stays until this incarnation has a vote.
	Forgot string `json:",omitempty"`
	// Disowned says why the metadata of this server must not be used any more: they were found
	// to differ from those of most voters (Judge). The next start makes another incarnation.
	Disowned string `json:",omitempty"`
}

// newer reports whether p was made after q. A later era comes first: a cluster that was
// restored or recovered begins anew, and its terms and entries may be smaller.
func (p Promise) newer(q Promise) bool {
	switch {
	case p.Era != q.Era:
		return p.Era > q.Era
	case p.Number != q.Number:
		return p.Number > q.Number
	case p.Term != q.Term:
		return p.Term > q.Term
	case p.Index != q.Index:
		return p.Index > q.Index
	}
	return p.Disowned != "" && q.Disowned == ""
}

// Promises keeps this node's promise outside the metadata's directory.
type Promises interface {
	// Load returns the newest promise that is kept; ok is false where there is none.
	Load() (p Promise, ok bool, err error)
	// Store makes a promise durable, in at least one of its places.
	Store(p Promise) error
}

// PromiseDirs keeps the promise in each of the directories, such as those of the drives.
type PromiseDirs struct {
	FS   vfs.FS
	Dirs []string
}

var _ Promises = PromiseDirs{}

// Load implements Promises. It passes over a directory that cannot be read or holds a damaged
// promise, as long as another one holds a promise. Otherwise it returns the error.
func (d PromiseDirs) Load() (newest Promise, ok bool, err error) {
	var failed error
	for _, dir := range d.Dirs {
		p, found, err := readPromise(d.FS, dir)
		if err != nil {
			failed = errors.Join(failed, err)
		}
		if found && (!ok || p.newer(newest)) {
			newest, ok = p, true
		}
	}
	if ok {
		failed = nil
	}
	return newest, ok, failed
}

// Store implements Promises. It returns an error where no directory takes the promise.
func (d PromiseDirs) Store(p Promise) error {
	var failed error
	stored := false
	for _, dir := range d.Dirs {
		if err := writePromise(d.FS, dir, p); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", dir, err))
			continue
		}
		stored = true
	}
	if stored {
		return nil
	}
	return failed
}

// readPromise reads the promise in dir; ok is false where there is none. Errors: Corrupt where
// it is damaged, else those of the file system.
func readPromise(fs vfs.FS, dir string) (p Promise, ok bool, err error) {
	b, err := files.Read(fs, fs.PathJoin(dir, promiseName))
	if files.IsNotExist(err) {
		return p, false, nil
	}
	if err != nil {
		return p, false, err
	}
	body, intact := files.CutSum(b)
	if !intact {
		return p, false, errs.Newf("group.Open", errs.Corrupt, "the file %s is damaged", fs.PathJoin(dir, promiseName))
	}
	err = json.Unmarshal(body, &p)
	return p, err == nil, err
}

func writePromise(fs vfs.FS, dir string, p Promise) error {
	body, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return files.Replace(fs, dir, promiseName, files.WithSum(body))
}

// serverID returns the id of a server in the group. That of a node's first incarnation is the
// node's id alone.
func serverID(n cluster.NodeID, incarnation string) raft.ServerID {
	if incarnation == "" {
		return raft.ServerID(n.String())
	}
	return raft.ServerID(n.String() + incarnationSep + incarnation)
}

// parseServerID returns the node of a server; 0 where id is no server's.
func parseServerID(id raft.ServerID) cluster.NodeID {
	node, _, _ := strings.Cut(string(id), incarnationSep)
	n, err := cluster.ParseNodeID(node)
	if err != nil {
		return 0
	}
	return n
}

// incarnationOf returns the incarnation of a server; empty for the first.
func incarnationOf(id raft.ServerID) string {
	_, incarnation, _ := strings.Cut(string(id), incarnationSep)
	return incarnation
}

func newIncarnation() string {
	var b [incarnationBytes]byte
	_, _ = rand.Read(b[:]) // It never fails.
	return hex.EncodeToString(b[:])
}

// found is what a node finds of itself when it starts.
type found struct {
	own     Promise // The promise in the metadata's directory.
	hasOwn  bool
	said    Promise // The promise on the drives.
	hasSaid bool
	joined  bool  // The node belonged to a cluster before.
	empty   bool  // There is no log and no snapshot.
	cut     error // The log has lost its end, for this reason; nil: it has not.

	era, term, last uint64 // What the metadata have reached; last is of the log or the snapshot.
}

// forgot says what a node has lost of what it had promised, in words that go on after "this node's
// metadata"; empty: nothing. testdata/promises shows the cases.
func (f *found) forgot() string {
	p := f.said
	if !f.hasSaid || f.hasOwn && f.own.newer(p) {
		p = f.own
	}
	switch {
	case p.Disowned != "":
		return p.Disowned
	case !f.hasOwn && (f.hasSaid || f.joined && f.empty):
		if f.empty {
			return "are gone"
		}
		return "are not those that its drives know of: they were put in the place of others"
	case !f.hasOwn && !f.hasSaid: // The node is new, or of a release that made no promises.
	case f.hasSaid && p.Era == f.own.Era && (p.Number != f.own.Number || p.Server != f.own.Server):
		return "are an older copy, of before the node got a new name in the group"
	case p.Era > f.era && p.Index > 0:
		return fmt.Sprintf("are of era %d, but era %d had begun here", f.era, p.Era)
	case p.Era == f.era && f.last < p.Index:
		return fmt.Sprintf("end at log entry %d, but this node held entries up to %d once", f.last, p.Index)
	case p.Era == f.era && f.term < p.Term:
		return fmt.Sprintf("know of term %d, but this node had taken part in term %d", f.term, p.Term)
	}
	if f.cut != nil {
		return "have lost their end: " + f.cut.Error()
	}
	return ""
}

// promise returns what the node promises from now on. Where it has forgotten something, that
// is the promise of a new incarnation, which has told nobody anything yet. Otherwise it is the
// newer one of those that were found, and nothing of eras that are over.
func (f *found) promise(node cluster.NodeID) Promise {
	now := f.own
	switch why := f.forgot(); {
	case why != "":
		return Promise{Number: max(f.own.Number, f.said.Number) + 1, Server: string(serverID(node, newIncarnation())),
			Era: max(f.era, f.own.Era, f.said.Era), Forgot: why}
	case !f.hasOwn:
		now = Promise{Number: 1, Server: string(serverID(node, ""))}
	case f.hasSaid && f.said.newer(f.own):
		now = f.said
	}
	if f.era > now.Era {
		now.Era, now.Term, now.Index = f.era, 0, 0
	}
	return now
}

// identify decides as which server this node takes part, and makes that durable before Raft
// starts (G9). A node that finds less than it promised is another server from now on.
func (g *Group) identify() error {
	f := found{joined: g.cfg.Joined, cut: g.log.Cut()}
	var err error
	if f.own, f.hasOwn, err = readPromise(g.cfg.FS, g.cfg.Dir); err != nil && !errs.Is(err, errs.Corrupt) {
		return err
	}
	if g.cfg.Promises != nil {
		if f.said, f.hasSaid, err = g.cfg.Promises.Load(); err != nil {
			return err
		}
	}
	if f.last, err = g.log.LastIndex(); err != nil {
		return err
	}
	if m := g.snaps.Latest(); m != nil {
		f.last = max(f.last, m.Raft.Index)
	}
	f.empty = f.last == 0
	if f.term, err = g.log.GetUint64([]byte(stableTerm)); err != nil && err.Error() != stableUnset {
		return err
	}
	if f.era, err = g.Era(); err != nil {
		return err
	}
	p := f.promise(g.cfg.Node)
	if err := g.keepPromise(p); err != nil {
		return errs.New("group.Open", errs.Internal, err)
	}
	if f.cut != nil { // The new incarnation has promised nothing, so this log will do.
		if err := g.log.Accept(); err != nil {
			return err
		}
	}
	g.id, g.forgot = raft.ServerID(p.Server), p.Forgot
	if p.Forgot != "" {
		g.cfg.Events.Forgot(p.Forgot)
	}
	return nil
}

// keepPromise makes a promise durable, on the drives first. After a crash in between, the
// drives say more than the metadata's directory, and the node holds itself to that, at worst
// as another server. The other way round, the drives could later agree with an older copy of
// the metadata, and the node would not know that it has forgotten something.
func (g *Group) keepPromise(p Promise) error {
	g.promiseMu.Lock()
	defer g.promiseMu.Unlock()
	if p == g.promised {
		return nil
	}
	if g.cfg.Promises != nil {
		if err := g.cfg.Promises.Store(p); err != nil {
			return fmt.Errorf("no drive takes the promise of this voter: %w", err)
		}
	}
	if err := writePromise(g.cfg.FS, g.cfg.Dir, p); err != nil {
		return err
	}
	g.promised = p
	return nil
}

// renewPromises renews the promise every few seconds, so that it stays close to what this
// server has voted and acknowledged.
func (g *Group) renewPromises() {
	t := time.NewTicker(promiseEvery)
	defer t.Stop()
	for {
		select {
		case <-g.closing:
			return
		case <-t.C:
		}
		if err := g.renewPromise(); err != nil {
			g.cfg.Events.Log(LevelError, fmt.Sprintf("what this voter has promised cannot be noted: %v", err))
		}
	}
}

// renewPromise promises what the log holds now, and stores what is known of the others.
func (g *Group) renewPromise() error {
	g.promiseMu.Lock()
	p := g.promised
	g.promiseMu.Unlock()
	era, err := g.Era()
	if err != nil {
		return err
	}
	// Raft stores a term or an entry before it shows it here, so the log bears out the promise.
	p.Era, p.Term, p.Index = era, g.raft.CurrentTerm(), g.raft.AppliedIndex()
	if p.Forgot != "" && g.Votes() {
		p.Forgot = ""
	}
	if err := g.keepPromise(p); err != nil {
		return err
	}
	return g.peers.Store(g.cfg.FS, g.cfg.Dir)
}

// Votes reports whether this node's server has a vote, as far as this node knows.
func (g *Group) Votes() bool {
	for _, s := range g.servers() {
		if s.ID == g.id {
			return s.Suffrage == raft.Voter
		}
	}
	return false
}

// Forgot says in a sentence what this node's metadata have lost of what the node had promised.
// It is empty where they have lost nothing, and once the node has a vote again.
func (g *Group) Forgot() string {
	if g.forgot == "" || g.Votes() {
		return ""
	}
	return "this node's metadata " + g.forgot + "; it neither votes nor counts until a leader that has a majority " +
		"without it has given it a vote again, by itself within minutes where there is one"
}

// Server returns the id by which this node takes part in the group.
func (g *Group) Server() string { return string(g.id) }

// Distrust notes durably that this node once held entries up to index, as others know; its log
// ends earlier. The caller ends the process. The next start finds that entries are missing,
// and the node takes part as another server, without a vote.
func (g *Group) Distrust(index uint64) error {
	g.promiseMu.Lock()
	p := g.promised
	g.promiseMu.Unlock()
	p.Index = max(p.Index, index)
	return g.keepPromise(p)
}
