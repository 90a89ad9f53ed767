package group

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/hashicorp/raft"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/files"
)

// Refusals says which commands a server has refused because records of its state contradict
// each other or cannot be decoded, up to the last entry that it has applied. Apply is
// deterministic. So two servers that have applied the same entry have refused the same
// commands up to there, or the state of one of them is damaged.
type Refusals struct {
	Applied uint64         `json:"applied"`          // The last entry that the server has applied.
	Count   uint64         `json:"count"`            // How many commands it has ever refused.
	Latest  []RefusedEntry `json:"latest,omitempty"` // The last few of them, ascending.
}

// RefusedEntry is a command that was refused. Digest is of this one and of all that were
// refused before it.
type RefusedEntry struct {
	Index  uint64 `json:"index"`
	Digest string `json:"digest"`
}

// asOf returns the digest of what had been refused when an entry was applied; false where that
// is longer ago than Latest reaches.
func (r Refusals) asOf(index uint64) (digest string, known bool) {
	for _, e := range slices.Backward(r.Latest) {
		if e.Index <= index {
			return e.Digest, true
		}
	}
	return "", r.Count == uint64(len(r.Latest))
}

// differs reports whether two servers have refused different commands up to the last entry
// that both have applied, so that they cannot both be right. since is the first entry at which
// they are known to differ. What neither remembers is taken to be equal.
func (r Refusals) differs(o Refusals) (since uint64, yes bool) {
	at := min(r.Applied, o.Applied)
	same := func(index uint64) bool {
		a, known := r.asOf(index)
		b, also := o.asOf(index)
		return a == b || !known || !also
	}
	if same(at) {
		return 0, false
	}
	since = at
	for _, e := range slices.Concat(r.Latest, o.Latest) {
		if e.Index < since && !same(e.Index) {
			since = e.Index
		}
	}
	return since, true
}

// Refusals returns which commands this node has refused.
func (g *Group) Refusals() Refusals {
	applied, c := g.fsm.state.contradictions()
	r := Refusals{Applied: applied, Count: c.GetCount()}
	for _, e := range c.GetLatest() {
		r.Latest = append(r.Latest, RefusedEntry{e.Index, hex.EncodeToString(e.Digest)})
	}
	return r
}

// heard remembers what other servers said that they have refused. It lies in memory alone:
// they say it again every few seconds. Safe for concurrent use.
type heard struct {
	mu      sync.Mutex
	refused map[raft.ServerID]Refusals
}

// note notes what a server says that it has refused.
func (h *heard) note(id raft.ServerID, r Refusals) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refused == nil {
		h.refused = map[raft.ServerID]Refusals{}
	}
	h.refused[id] = r
}

// of returns what a server said last; false where it has said nothing since this start.
func (h *heard) of(id raft.ServerID) (r Refusals, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, known = h.refused[id]
	return r, known
}

// keepOnly forgets all servers but the given ones: those that are in the group.
func (h *heard) keepOnly(servers []raft.Server) {
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.DeleteFunc(h.refused, func(id raft.ServerID, _ Refusals) bool {
		return !slices.ContainsFunc(servers, func(s raft.Server) bool { return s.ID == id })
	})
}

// HeardRefusals notes what another server said that it has refused.
func (g *Group) HeardRefusals(server string, r Refusals) { g.heard.note(raft.ServerID(server), r) }

// Judgement is what follows from comparing the commands that the voters have refused.
type Judgement struct {
	// Wrong is not empty where a majority of the voters agree with each other and disagree
	// with this node. It says about what, and goes on after "this node's metadata". The
	// metadata are to be made anew from those of the others then (Disown).
	Wrong string
	// Differ has the voters that disagree with this node.
	Differ []cluster.NodeID
	// Open says that a majority of the voters have not told yet what they made of the last
	// entry that this node has refused. Whether this node is wrong may show then.
	Open bool
}

// Judge compares what this node has refused with what it has heard from the other voters.
func (g *Group) Judge() Judgement {
	own := g.Refusals()
	last := uint64(0)
	if n := len(own.Latest); n > 0 {
		last = own.Latest[n-1].Index
	}
	var j Judgement
	var against []Refusals
	voters, told, since := 0, 0, uint64(0)
	for _, s := range g.servers() {
		if s.Suffrage != raft.Voter {
			continue
		}
		voters++
		if s.ID == g.id {
			told++
			continue
		}
		r, heard := g.heard.of(s.ID)
		if !heard {
			continue
		}
		if r.Applied >= last {
			told++
		}
		if at, differs := own.differs(r); differs {
			against = append(against, r)
			j.Differ = append(j.Differ, parseServerID(s.ID))
			since = at
		}
	}
	majority := voters/2 + 1
	j.Open = last > 0 && told < majority
	if len(against) >= majority && agree(against) {
		j.Wrong = fmt.Sprintf("disagreed with those of %d of %d voters about log entry %d of the metadata: "+
			"they had refused %d commands for contradictions, the others %d",
			len(against), voters, since, own.Count, against[0].Count)
	}
	return j
}

// agree reports whether no two servers disagree.
func agree(all []Refusals) bool {
	for i, a := range all {
		for _, b := range all[i+1:] {
			if _, differs := a.differs(b); differs {
				return false
			}
		}
	}
	return true
}

// agreeWith returns an error of kind Denied where this node and another server have refused
// different commands. Then neither gives the other a vote, since one of them would lead with
// a damaged state. Of three voters the wrong one gets no vote, and the other two elect one of
// themselves. Where only these two are left, nobody is elected, since nobody can say which of
// them is right.
func (g *Group) agreeWith(id raft.ServerID) error {
	if g.disowned.Load() {
		return errs.Newf("group.Vote", errs.Denied, "the metadata of server %s are damaged", g.id)
	}
	r, heard := g.heard.of(id)
	if !heard {
		return nil
	}
	if since, differs := g.Refusals().differs(r); differs {
		return errs.Newf("group.Vote", errs.Denied,
			"servers %s and %s disagree about log entry %d: the metadata of one of them are damaged", g.id, id, since)
	}
	return nil
}

// Disown notes durably that this node's state is wrong; why is Judgement.Wrong. From now on
// nothing is answered from the state. The caller ends the process. At the next start the
// metadata are set aside, and the node takes part as another server, without a vote.
func (g *Group) Disown(why string) error {
	g.promiseMu.Lock()
	p := g.promised
	g.promiseMu.Unlock()
	g.disowned.Store(true)
	p.Disowned = why
	return g.keepPromise(p)
}

// disownedName is the directory that keeps the metadata of a server that was found to be
// wrong, under the id of the server, for whoever looks for the cause. Only the last ones are
// kept.
const disownedName = "disowned"

// setAside moves log, state and snapshots away where this node has disowned them. A crash may
// cut it off anywhere: the promise disowns them until there is another promise, so the next
// start goes on.
func (g *Group) setAside() error {
	fs, dir := g.cfg.FS, g.cfg.Dir
	p, err := g.newestPromise()
	if err != nil || p.Disowned == "" {
		return err
	}
	kept := fs.PathJoin(dir, disownedName)
	names, err := fs.List(kept)
	if err != nil && !files.IsNotExist(err) {
		return err
	}
	for _, name := range names {
		if name != p.Server {
			if err := fs.RemoveAll(fs.PathJoin(kept, name)); err != nil {
				return err
			}
		}
	}
	to := fs.PathJoin(kept, p.Server)
	for _, d := range []string{dir, kept, to} {
		if err := files.MkdirSynced(fs, d); err != nil {
			return err
		}
	}
	for _, name := range []string{logDir, stateDirName, snapshotsDir} {
		from, to := fs.PathJoin(dir, name), fs.PathJoin(to, name)
		if _, err := fs.Stat(from); files.IsNotExist(err) {
			continue
		}
		_, err := fs.Stat(to)
		switch {
		case files.IsNotExist(err):
			err = fs.Rename(from, to)
		case err == nil: // It was moved before. What is there was made since, and has promised nothing.
			err = fs.RemoveAll(from)
		}
		if err != nil {
			return err
		}
	}
	if err := files.SyncDir(fs, to); err != nil {
		return err
	}
	return files.SyncDir(fs, dir)
}

// newestPromise returns what this node has promised last, in its directory or on its drives.
func (g *Group) newestPromise() (Promise, error) {
	own, hasOwn, err := readPromise(g.cfg.FS, g.cfg.Dir)
	if err != nil && !errs.Is(err, errs.Corrupt) {
		return own, err
	}
	if g.cfg.Promises == nil {
		return own, nil
	}
	said, hasSaid, err := g.cfg.Promises.Load()
	if err != nil || !hasSaid || hasOwn && own.newer(said) {
		return own, err
	}
	return said, nil
}
