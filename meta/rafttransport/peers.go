package rafttransport

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/files"
)

// peersName is the file in the metadata's directory: see the package comment.
const peersName = "peers.json"

// Peers remembers how far other servers of the group have applied the log. What a server has
// applied is committed and can never be missing from its log again. A machine whose disks
// were put back to an earlier day does not know that entries are missing; Peers does, and
// keeps it from voting (G8). Safe for concurrent use.
type Peers struct {
	mu     sync.Mutex
	known  map[raft.ServerID]uint64 // The index up to which each server has applied.
	stored bool                     // The file holds known as it is.
	short  map[raft.ServerID]uint64 // The servers last seen with less, and where their logs ended.
	event  func(id raft.ServerID, known, shown uint64)
}

// OpenPeers reads the file peers.json in dir. Where it is missing or damaged, nothing is
// known: the others tell it again soon, so it is no reason not to start. Where a server
// shows a log that is too short, event is told once for each length, with the index that it
// had applied and the one that it shows; nil: nobody is told.
func OpenPeers(fs vfs.FS, dir string, event func(id raft.ServerID, known, shown uint64)) *Peers {
	if event == nil {
		event = func(raft.ServerID, uint64, uint64) {}
	}
	p := &Peers{known: map[raft.ServerID]uint64{}, short: map[raft.ServerID]uint64{}, stored: true, event: event}
	b, err := files.Read(fs, fs.PathJoin(dir, peersName))
	if err != nil {
		return p
	}
	if body, ok := files.CutSum(b); ok {
		var known map[raft.ServerID]uint64
		if json.Unmarshal(body, &known) == nil && known != nil {
			p.known = known
		}
	}
	return p
}

// Store writes the file anew if anything was noted since it was last written. Errors: those
// of the file system; then the next call tries again.
func (p *Peers) Store(fs vfs.FS, dir string) error {
	p.mu.Lock()
	known, stored := maps.Clone(p.known), p.stored
	p.stored = true
	p.mu.Unlock()
	if stored {
		return nil
	}
	body, err := json.Marshal(known)
	if err == nil {
		err = files.Replace(fs, dir, peersName, files.WithSum(body))
	}
	if err != nil {
		p.mu.Lock()
		p.stored = false
		p.mu.Unlock()
	}
	return err
}

// Applied notes that a server has applied the entries up to index. Less than is known already
// changes nothing.
func (p *Peers) Applied(id raft.ServerID, index uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if index > p.known[id] {
		p.known[id], p.stored = index, false
	}
}

// KeepOnly forgets all servers but the given ones: those that are in the group.
func (p *Peers) KeepOnly(servers []raft.Server) {
	p.mu.Lock()
	defer p.mu.Unlock()
	member := func(id raft.ServerID) bool {
		return slices.ContainsFunc(servers, func(s raft.Server) bool { return s.ID == id })
	}
	for id := range p.known {
		if !member(id) {
			delete(p.known, id)
			delete(p.short, id)
			p.stored = false
		}
	}
}

// check returns an error of kind Denied where a server's log ends, at last, before an entry
// that the server is known to have applied.
func (p *Peers) check(id raft.ServerID, last uint64) error {
	p.mu.Lock()
	known := p.known[id]
	before, was := p.short[id]
	if last >= known {
		delete(p.short, id)
		p.mu.Unlock()
		return nil
	}
	p.short[id] = last
	p.mu.Unlock()
	if !was || before != last {
		p.event(id, known, last)
	}
	return errs.Newf("rafttransport.Vote", errs.Denied,
		"the log of server %s ends at entry %d, but it had applied entry %d: its disk holds an older copy",
		id, last, known)
}

// Known returns the index up to which a server is known to have applied; 0 where nothing is
// known.
func (p *Peers) Known(id raft.ServerID) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known[id]
}

// standingTag begins the field in which a voter says where its log ends. The field is
// Peers of the answer to a request for a vote, which Raft does not use any more.
const standingTag = "log "

// appendStanding returns the field of a voter whose last entry is last.
func appendStanding(last uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(standingTag), last)
}

// standingOf returns what the field says; false where it says nothing, as that of releases
// before incarnations.
func standingOf(b []byte) (last uint64, ok bool) {
	rest, ok := bytes.CutPrefix(b, []byte(standingTag))
	if !ok || len(rest) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(rest), true
}
