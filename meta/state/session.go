package state

import (
	"cmp"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

const (
	// SessionWindow is how far the seq of a command may be above the floor of its session,
	// which bounds the results that are kept. A proposer must wait rather than go beyond it.
	SessionWindow = 16384

	// endedKept is how many ended sessions of a node are remembered. If the command that
	// opened one of them is repeated late, it must not end the session that followed.
	endedKept = 16
)

// session is a session and what belongs to it.
type session struct {
	id      keys.ID
	rec     metapb.Session
	results []result // Those at or above the floor, ascending by seq.
	leases  []record.LeaseName
	pins    []keys.ID

	touched bool     // The session is in tx.touched.
	fresh   []uint64 // The seqs of results that are not stored yet.
}

// result is what a command was answered.
type result struct {
	seq    uint64
	data   []byte // metapb.Result, marshalled.
	stored bool   // It is in the database or the batch. If not, seq is in fresh.
}

// find returns where the result of seq is among the results, or belongs, and whether it is
// there.
func (s *session) find(seq uint64) (int, bool) {
	return slices.BinarySearchFunc(s.results, seq, func(r result, seq uint64) int {
		return cmp.Compare(r.seq, seq)
	})
}

// enter decides whether the command of t is to be applied, and returns nil if it is. Else it
// returns the answer to the command: the recorded result of an earlier try, or a refusal.
func (t *tx) enter() *metapb.Result {
	if _, opens := t.cmd.Op.(*metapb.Command_OpenSession); opens {
		return nil // It belongs to no session yet, and may be repeated: see openSession.
	}
	if len(t.cmd.Session) == 0 {
		switch t.cmd.Op.(type) {
		case *metapb.Command_FormCluster, *metapb.Command_RegisterNode, *metapb.Command_BeginEra:
			return nil
		}
		return invalid("the command needs a session")
	}
	id, ok := keys.ParseID(t.cmd.Session)
	if !ok {
		return invalid("a session id has 16 bytes")
	}
	s := t.mem.sessions[id]
	seq, floor := t.cmd.Seq, t.cmd.Floor
	switch {
	case s == nil || s.rec.Ended != 0:
		return refuse(metapb.Refusal_REFUSAL_STALE_SESSION)
	case seq == 0 || floor > seq:
		return invalid("seq is below the floor that came with it")
	case seq < s.rec.Floor:
		return refuse(metapb.Refusal_REFUSAL_ALREADY_DONE)
	}
	t.raiseFloor(s, floor)
	if i, found := s.find(seq); found {
		r := new(metapb.Result)
		t.fail(record.Unmarshal(s.results[i].data, r))
		return r
	}
	if seq-s.rec.Floor >= SessionWindow {
		return invalid("seq is too far above the floor")
	}
	t.session = s
	return nil
}

// raiseFloor raises the floor of a session and forgets the results below it. The proposer says
// with the floor that it will not repeat a command below it.
func (t *tx) raiseFloor(s *session, floor uint64) {
	if floor <= s.rec.Floor {
		return
	}
	s.rec.Floor = floor
	t.touch(s)
	n, _ := s.find(floor)
	t.forgetResults(s, n)
}

// forgetResults drops the first n results of a session.
func (t *tx) forgetResults(s *session, n int) {
	for _, r := range s.results[:n] {
		if r.stored {
			t.del(keys.AppendResult(t.key(), s.id, r.seq))
		}
	}
	clear(s.results[:n])
	s.results = s.results[n:]
}

// record keeps the result of the command of t, for its session to be answered with again if it
// repeats the command.
func (t *tx) record(r *metapb.Result) {
	s := t.session
	if s == nil || s.rec.Ended != 0 {
		return // The command needs no session, or has ended its own.
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	t.fail(err)
	i, _ := s.find(t.cmd.Seq)
	s.results = slices.Insert(s.results, i, result{seq: t.cmd.Seq, data: data})
	s.fresh = append(s.fresh, t.cmd.Seq)
	t.touch(s)
}

// touch notes that a session is to be stored with the batch.
func (t *tx) touch(s *session) {
	if !s.touched {
		s.touched = true
		t.touched = append(t.touched, s)
	}
}

// storeSessions writes the sessions that were touched, with their new results, once for all
// commands of the batch: a result that is forgotten before that is never written.
func (t *tx) storeSessions() {
	for _, s := range t.touched {
		s.touched = false
		if t.mem.sessions[s.id] != s {
			continue // It was forgotten by a later command of the batch.
		}
		t.set(keys.AppendSession(t.key(), s.id), &s.rec)
		for _, seq := range s.fresh {
			if i, found := s.find(seq); found {
				s.results[i].stored = true
				t.setBytes(keys.AppendResult(t.key(), s.id, seq), s.results[i].data)
			}
		}
		s.fresh = s.fresh[:0]
	}
}

// openSession makes a session known and ends the older ones of its node, which was started
// again. To repeat it changes nothing while the session is open.
func (t *tx) openSession(c *metapb.OpenSession) *metapb.Result {
	id, ok := keys.ParseID(c.Session)
	if !ok || c.Node == 0 {
		return invalid("a session needs an id of 16 bytes and a node")
	}
	if s := t.mem.sessions[id]; s != nil {
		if s.rec.Ended != 0 || s.rec.Node != c.Node {
			return refuse(metapb.Refusal_REFUSAL_STALE_SESSION)
		}
		return &metapb.Result{}
	}
	for _, s := range slices.Clone(t.mem.ordered) {
		if s.rec.Node == c.Node && s.rec.Ended == 0 {
			t.endSession(s)
		}
	}
	t.forgetEnded(c.Node)
	s := &session{id: id}
	s.rec.Node, s.rec.Opened = c.Node, t.position
	t.mem.sessions[id] = s
	t.mem.ordered = append(t.mem.ordered, s)
	t.touch(s)
	return &metapb.Result{}
}

// endSession ends a session and drops its results, leases and pins.
func (t *tx) endSession(s *session) {
	s.rec.Ended = t.position
	t.touch(s)
	t.forgetResults(s, len(s.results))
	s.results, s.fresh = nil, nil
	for _, l := range s.leases {
		delete(t.mem.leases, l)
		t.del(keys.AppendLease(t.key(), l.Volume, l.Block))
	}
	for _, pin := range s.pins {
		t.removePin(pin)
	}
	s.leases, s.pins = nil, nil
}

// forgetEnded forgets the ended sessions of a node, but for the last endedKept ones.
func (t *tx) forgetEnded(node uint64) {
	kept := 0
	for i := len(t.mem.ordered) - 1; i >= 0; i-- {
		s := t.mem.ordered[i]
		if s.rec.Node != node || s.rec.Ended == 0 {
			continue
		}
		if kept++; kept > endedKept {
			t.mem.ordered = slices.Delete(t.mem.ordered, i, i+1)
			delete(t.mem.sessions, s.id)
			t.del(keys.AppendSession(t.key(), s.id))
		}
	}
}
