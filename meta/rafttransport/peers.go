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

const peersName = "peers.json"

// Peers is what this node knows of how far other servers of the group were: entries that
// they have applied, which are committed and can never be missing from their logs again.
// A machine whose disks were put back to an earlier day does not know it itself. Safe for
// concurrent use.
type Peers struct {
	mu     sync.Mutex
	known  map[raft.ServerID]uint64
	stored bool                     // Known is on the disk.
	short  map[raft.ServerID]uint64 // Who was last seen with less, and with how much.
	event  func(id raft.ServerID, known, shown uint64)
}

// OpenPeers reads what was stored. A damaged file is no reason not to start: it is told
// again by the others.
func OpenPeers(fs vfs.FS, dir string, event func(id raft.ServerID, known, shown uint64)) *Peers {
	p := &Peers{known: map[raft.ServerID]uint64{}, short: map[raft.ServerID]uint64{}, stored: true, event: event}
	b, err := files.Read(fs, fs.PathJoin(dir, peersName))
	if err != nil {
		return p
	}
	if body, ok := files.CutSum(b); ok {
		if err := json.Unmarshal(body, &p.known); err != nil {
			p.known = map[raft.ServerID]uint64{}
		}
	}
	return p
}

// Store makes durable what has been noted since the last call; where nothing was, it does
// nothing.
func (p *Peers) Store(fs vfs.FS, dir string) error {
	p.mu.Lock()
	known, stored := maps.Clone(p.known), p.stored
	p.stored = true
	p.mu.Unlock()
	if stored {
		return nil
	}
	body, err := json.Marshal(known)
	if err != nil {
		return err
	}
	err = files.Replace(fs, dir, peersName, files.WithSum(body))
	if err != nil {
		p.mu.Lock()
		p.stored = false
		p.mu.Unlock()
	}
	return err
}

// Applied notes that a server says to have applied the entries up to index.
func (p *Peers) Applied(id raft.ServerID, index uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if index > p.known[id] {
		p.known[id], p.stored = index, false
	}
}

// KeepOnly forgets servers that are not in the group any more.
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

// check returns an error where a server's log ends before what it had applied.
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
	if p.event != nil && (!was || before != last) {
		p.event(id, known, last)
	}
	return errs.Newf("rafttransport.Vote", errs.Denied, "the log of server %s ends at entry %d, but it had applied entry %d: its disk holds an older copy", id, last, known)
}

// Known returns how far a server was known to be.
func (p *Peers) Known(id raft.ServerID) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known[id]
}

// appendStanding and standingOf are the last entry of a voter's log, in the field of an
// answer to a vote that Raft does not use any more.
func appendStanding(last uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(standingTag), last)
}

const standingTag = "log "

func standingOf(b []byte) (last uint64, ok bool) {
	rest, ok := bytes.CutPrefix(b, []byte(standingTag))
	if !ok || len(rest) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(rest), true
}
