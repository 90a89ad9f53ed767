package state

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// corrupt returns a Contradiction that names the record of the key that was used last.
func (t *tx) corrupt(format string, args ...any) error {
	return record.Of(t.keyBuf, record.Corrupt(format, args...))
}

// applyEach applies commands in a batch each, after one batch of all of them has met a
// Contradiction. So only the command that met it is taken back, and voters that have cut the
// log into other batches come to the same state.
func (s *State) applyEach(entries []Entry) ([]*metapb.Result, error) {
	results := make([]*metapb.Result, len(entries))
	if err := s.load(); err != nil { // The memory holds what the batch did.
		return nil, err
	}
	for i := range entries {
		e := &entries[i]
		if isApplied(s.applied, e) {
			continue
		}
		one, err := s.apply(entries[i : i+1])
		if c := record.AsContradiction(err); c != nil {
			one, err = s.refuseEntry(e, c)
		}
		if err != nil {
			return nil, err
		}
		results[i] = one[0]
	}
	return results, nil
}

// refuseEntry applies an entry whose command met c as one that is refused. It changes only the
// session of the command, which learns the result, and the record of what was refused.
func (s *State) refuseEntry(e *Entry, c *record.Contradiction) (_ []*metapb.Result, err error) {
	if err := s.load(); err != nil {
		return nil, err
	}
	t := s.begin()
	defer func() { err = errors.Join(err, t.close()) }()
	t.position, t.cmd = nextPosition(t.applied, e), new(metapb.Command)
	r := &metapb.Result{Refusal: metapb.Refusal_REFUSAL_CONTRADICTION, Index: t.position, Detail: c.Say()}
	if proto.Unmarshal(e.Command, t.cmd) == nil {
		if known := t.enter(); known != nil {
			r = known
		} else {
			t.record(r)
		}
	}
	t.noteContradiction(e.Index, c)
	t.advance(e)
	if err := s.commit(t); err != nil {
		return nil, err
	}
	s.events.Contradiction(e.Index, c.Record(), c)
	return []*metapb.Result{r}, nil
}

// noteContradiction adds the refusal of a command, in the log entry of the given index, to the
// record Contradictions. Voters compare the digests of
// refusals: if they have the same one they have refused the same so far. It is the first 16 bytes
// of SHA-256 over these, integers being big endian:
//
//	 0  16  the digest of the refusal before; the first refusal has none, and all else begins at 0
//	16   8  the index of the entry
//	24   4  the kind
//	28   …  the key of the record, if it is known
func (t *tx) noteContradiction(index uint64, c *record.Contradiction) {
	before := t.mem.refused
	h := sha256.New()
	if n := len(before.Latest); n > 0 {
		h.Write(before.Latest[n-1].Digest)
	}
	var b [12]byte
	binary.BigEndian.PutUint64(b[:], index)
	binary.BigEndian.PutUint32(b[8:], uint32(c.Kind))
	h.Write(b[:])
	h.Write(c.Key)
	latest := append(slices.Clone(before.Latest), &metapb.Contradiction{Index: index, Kind: c.Kind, Record: c.Key,
		Digest: h.Sum(nil)[:record.ContradictionDigestBytes]})
	t.mem.refused = &metapb.Contradictions{Count: before.Count + 1,
		Latest: latest[max(0, len(latest)-record.ContradictionsKept):]}
	t.set(keys.AppendRefused(t.key()), t.mem.refused)
}

// Contradictions returns the applied index and what was refused up to there, and perhaps in the
// entry after it, of which some commands may be applied already. The record must not be changed.
func (s *State) Contradictions() (applied uint64, c *metapb.Contradictions) {
	s.viewMu.RLock()
	defer s.viewMu.RUnlock()
	return s.applied.Index, s.refused
}
