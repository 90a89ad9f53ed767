package state

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
)

const (
	// contradictionsKept is how many refusals are remembered one by one. Voters that are
	// compared may be that many apart.
	contradictionsKept = 64
	// contradictionDigest is how many bytes of SHA-256 a digest has.
	contradictionDigest = 16
)

// contradiction is a record that contradicts another, or cannot be decoded, although its
// block in the database is whole; or a command that no release can decode. A fault of an
// earlier release has written it, so it is the same on all voters: whoever stopped at it
// would stop on all of them, for good. So the command that meets it is refused, with all
// that it has done taken back, on all of them alike, and the others go on.
//
// It may also be this voter alone that meets it, since its own memory or disk has spoilt
// the record. So each refusal is part of the state, and voters compare what they have
// refused (Contradictions): who is alone with it is damaged. Where the database itself
// finds a block damaged there is nothing to compare, and this voter stops.
type contradiction struct {
	kind  metapb.ContradictionKind
	key   []byte // Of the record; nil: not known, or a command.
	cause error
}

func (c *contradiction) Error() string { return c.say() + ": " + c.cause.Error() }

// Unwrap gives what the record is.
func (c *contradiction) Unwrap() error { return c.cause }

// record names the record, or says that it is a command.
func (c *contradiction) record() string {
	if c.kind == metapb.ContradictionKind_CONTRADICTION_COMMAND {
		return "(a command)"
	}
	return RecordName(c.key)
}

// say tells which record it is without the names of buckets and objects, and without what
// the decoder says, which differs from build to build: the result of a command holds it.
func (c *contradiction) say() string {
	switch {
	case c.kind == metapb.ContradictionKind_CONTRADICTION_COMMAND:
		return "the command cannot be decoded"
	case c.key == nil:
		return "a record contradicts others"
	case c.kind == metapb.ContradictionKind_CONTRADICTION_UNDECODABLE:
		return "the record " + RecordName(c.key) + " cannot be decoded"
	}
	return "the record " + RecordName(c.key) + " contradicts others, or is missing"
}

// RecordName names a record in logs, which must not hold names of objects: its kind and
// a digest of its key. Records finds it by that.
func RecordName(key []byte) string {
	if len(key) == 0 {
		return "(not known)"
	}
	sum := sha256.Sum256(key)
	return fmt.Sprintf("%c-%x", key[0], sum[:8])
}

func asContradiction(err error) *contradiction {
	var c *contradiction
	if errors.As(err, &c) {
		return c
	}
	return nil
}

// IsContradiction reports whether an error is about a record that contradicts another or
// cannot be decoded, in a database that is whole.
func IsContradiction(err error) bool { return asContradiction(err) != nil }

// undecodable is an error of decoding a record.
func undecodable(err error) error {
	return &contradiction{kind: metapb.ContradictionKind_CONTRADICTION_UNDECODABLE, cause: errs.New("state", errs.Corrupt, err)}
}

// corrupt is a record that contradicts another, or itself.
func corrupt(format string, args ...any) error {
	return &contradiction{kind: metapb.ContradictionKind_CONTRADICTION_RECORDS,
		cause: errs.Newf("state", errs.Corrupt, "damaged metadata: "+format, args...)}
}

// corrupt names the record that was looked at last.
func (t *tx) corrupt(format string, args ...any) error {
	return of(t.keyBuf, corrupt(format, args...))
}

// of says of which record an error is, where it is a contradiction and does not say yet.
func of(key []byte, err error) error {
	if c := asContradiction(err); c != nil && c.key == nil && c.kind != metapb.ContradictionKind_CONTRADICTION_COMMAND {
		c.key = slices.Clone(key)
	}
	return err
}

// decodeKey and partNumber are those of package keys, for keys in the database.
func decodeKey(key []byte) (keys.Key, error) {
	k, err := keys.Decode(key)
	if err != nil {
		return k, of(key, undecodable(err))
	}
	return k, nil
}

func partNumber(key []byte) (uint32, error) {
	n, err := keys.PartNumber(key)
	if err != nil {
		return n, of(key, undecodable(err))
	}
	return n, nil
}

// applyEach applies entries one at a time after a batch of them has met a contradiction,
// so that what is taken back is one command. Voters whose batches differ come to the same.
func (s *State) applyEach(entries []Entry) ([]*metapb.Result, error) {
	results := make([]*metapb.Result, len(entries))
	if err := s.load(); err != nil { // What the batch did in memory is not in the database.
		return nil, err
	}
	for i := range entries {
		e := &entries[i]
		if e.Index <= s.applied.Index {
			continue
		}
		one, err := s.apply(entries[i : i+1])
		if c := asContradiction(err); c != nil {
			one, err = s.refuseEntry(e, c)
		}
		if err != nil {
			return nil, err
		}
		results[i] = one[0]
	}
	return results, nil
}

// refuseEntry has an entry change nothing but what its session and the record of
// contradictions know of it.
func (s *State) refuseEntry(e *Entry, c *contradiction) (_ []*metapb.Result, err error) {
	if err := s.load(); err != nil {
		return nil, err
	}
	t := s.begin()
	defer func() { err = errors.Join(err, t.close()) }()
	r := &metapb.Result{Refusal: metapb.Refusal_REFUSAL_CONTRADICTION, Index: e.Index, Detail: c.say()}
	t.index, t.cmd = e.Index, new(metapb.Command)
	if proto.Unmarshal(e.Command, t.cmd) == nil {
		if known := t.enter(); known != nil {
			r = known
		} else {
			t.record(r)
		}
	}
	t.noteContradiction(c)
	t.applied.Index, t.applied.Term = e.Index, e.Term
	if err := s.commit(t); err != nil {
		return nil, err
	}
	if s.events.Contradiction != nil {
		s.events.Contradiction(e.Index, c.record(), c)
	}
	return []*metapb.Result{r}, nil
}

// noteContradiction makes a refusal part of the state.
func (t *tx) noteContradiction(c *contradiction) {
	before := t.mem.refused
	h := sha256.New()
	if n := len(before.Latest); n > 0 {
		h.Write(before.Latest[n-1].Digest)
	}
	var b [12]byte
	binary.BigEndian.PutUint64(b[:], t.index)
	binary.BigEndian.PutUint32(b[8:], uint32(c.kind))
	h.Write(b[:])
	h.Write(c.key)
	latest := append(slices.Clone(before.Latest), &metapb.Contradiction{Index: t.index, Kind: c.kind, Record: c.key,
		Digest: h.Sum(nil)[:contradictionDigest]})
	t.mem.refused = &metapb.Contradictions{Count: before.Count + 1, Latest: latest[max(0, len(latest)-contradictionsKept):]}
	t.set(keys.AppendRefused(t.key()), t.mem.refused)
}

// Contradictions returns what was refused up to the last applied entry. It must not be
// changed.
func (s *State) Contradictions() (applied uint64, c *metapb.Contradictions) {
	s.viewMu.RLock()
	defer s.viewMu.RUnlock()
	return s.applied.Index, s.refused
}
