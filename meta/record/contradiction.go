package record

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

const (
	// ContradictionsKept is how many refusals are remembered one by one. Voters that are
	// compared may be that many apart.
	ContradictionsKept = 64
	// ContradictionDigestBytes is how many bytes of SHA-256 a digest has.
	ContradictionDigestBytes = 16
)

// Contradiction is a record that contradicts another, or cannot be decoded, although its
// block in the database is whole; or a command that no release can decode. A fault of an
// earlier release has written it, so it is the same on all voters: whoever stopped at it
// would stop on all of them, for good. So the command that meets it is refused, with all
// that it has done taken back, on all of them alike, and the others go on.
//
// It may also be this voter alone that meets it, since its own memory or disk has spoilt
// the record. So each refusal is part of the state, and voters compare what they have
// refused (Contradictions): who is alone with it is damaged. Where the database itself
// finds a block damaged there is nothing to compare, and this voter stops.
type Contradiction struct {
	Kind  metapb.ContradictionKind
	Key   []byte // Of the record; nil: not known, or a command.
	Cause error
}

func (c *Contradiction) Error() string { return c.Say() + ": " + c.Cause.Error() }

// Unwrap gives what the record is.
func (c *Contradiction) Unwrap() error { return c.Cause }

// Record names the record, or says that it is a command.
func (c *Contradiction) Record() string {
	if c.Kind == metapb.ContradictionKind_CONTRADICTION_COMMAND {
		return "(a command)"
	}
	return Name(c.Key)
}

// Say tells which record it is without the names of buckets and objects, and without what
// the decoder says, which differs from build to build: the result of a command holds it.
func (c *Contradiction) Say() string {
	switch {
	case c.Kind == metapb.ContradictionKind_CONTRADICTION_COMMAND:
		return "the command cannot be decoded"
	case c.Key == nil:
		return "a record contradicts others"
	case c.Kind == metapb.ContradictionKind_CONTRADICTION_UNDECODABLE:
		return "the record " + Name(c.Key) + " cannot be decoded"
	}
	return "the record " + Name(c.Key) + " contradicts others, or is missing"
}

// Name names a record in logs, which must not hold names of objects: its kind and
// a digest of its key. Records finds it by that.
func Name(key []byte) string {
	if len(key) == 0 {
		return "(not known)"
	}
	sum := sha256.Sum256(key)
	return fmt.Sprintf("%c-%x", key[0], sum[:8])
}

// AsContradiction returns the contradiction that an error is about; nil where it is about
// none.
func AsContradiction(err error) *Contradiction {
	var c *Contradiction
	if errors.As(err, &c) {
		return c
	}
	return nil
}

// IsContradiction reports whether an error is about a record that contradicts another or
// cannot be decoded, in a database that is whole.
func IsContradiction(err error) bool { return AsContradiction(err) != nil }

// Undecodable is an error of decoding a record.
func Undecodable(err error) error {
	return &Contradiction{Kind: metapb.ContradictionKind_CONTRADICTION_UNDECODABLE,
		Cause: errs.New("state", errs.Corrupt, err)}
}

// Corrupt is a record that contradicts another, or itself.
func Corrupt(format string, args ...any) error {
	return &Contradiction{Kind: metapb.ContradictionKind_CONTRADICTION_RECORDS,
		Cause: errs.Newf("state", errs.Corrupt, "damaged metadata: "+format, args...)}
}

// Of says of which record an error is, where it is a contradiction and does not say yet.
func Of(key []byte, err error) error {
	if c := AsContradiction(err); c != nil && c.Key == nil && c.Kind != metapb.ContradictionKind_CONTRADICTION_COMMAND {
		c.Key = slices.Clone(key)
	}
	return err
}
