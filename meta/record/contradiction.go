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
	// ContradictionsKept is how many refusals the record Contradictions lists one by one. It
	// is also how many refusals apart two voters may be that are compared.
	ContradictionsKept = 64
	// ContradictionDigestBytes is how many bytes of SHA-256 the digest of a refusal has.
	ContradictionDigestBytes = 16
)

// Contradiction is the error of meeting a record that contradicts another one or that
// cannot be decoded, although its block in the database is whole; or of a command that no
// release can decode.
//
// Such a record was most likely written by a fault of an earlier release, and then all
// voters have it. If Apply stopped there, all of them would stop, and would stop again
// whenever they are started. So Apply refuses the command that met the record, takes back
// what the command has done, and goes on with the next one.
//
// If instead the memory or the disk of one voter spoilt the record, that voter alone
// refuses. So each refusal becomes part of the state, and voters compare theirs: who
// differs from the others is damaged (docs/architecture.md, "Contradictions"). Where the
// database finds that a block is damaged there is nothing to compare, and the voter stops.
type Contradiction struct {
	Kind  metapb.ContradictionKind
	Key   []byte // Of the record; nil if it is not known, or if the command itself is bad.
	Cause error
}

func (c *Contradiction) Error() string { return c.Say() + ": " + c.Cause.Error() }

// Unwrap returns what is wrong with the record.
func (c *Contradiction) Unwrap() error { return c.Cause }

// Record names the record as Name does, or says that it is a command.
func (c *Contradiction) Record() string {
	if c.Kind == metapb.ContradictionKind_CONTRADICTION_COMMAND {
		return "(a command)"
	}
	return Name(c.Key)
}

// Say says which record it is and, roughly, what is wrong. The text goes into results, so
// it must be the same on all voters and may hold no name of a bucket or object. That is
// why the decoder's own message, which differs from build to build, is left to Error.
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

// Name returns the name of a record for logs, which must not hold names of objects: the
// kind of its key, and a digest of the key. Records.Find of package state
// finds the record by that name.
func Name(key []byte) string {
	if len(key) == 0 {
		return "(not known)"
	}
	sum := sha256.Sum256(key)
	return fmt.Sprintf("%c-%x", key[0], sum[:8])
}

// AsContradiction returns the Contradiction that err is or wraps; nil if there is none.
func AsContradiction(err error) *Contradiction {
	var c *Contradiction
	if errors.As(err, &c) {
		return c
	}
	return nil
}

// IsContradiction reports whether err is or wraps a Contradiction.
func IsContradiction(err error) bool { return AsContradiction(err) != nil }

// Undecodable returns the Contradiction of a record that the decoder refused with err.
func Undecodable(err error) error {
	return &Contradiction{Kind: metapb.ContradictionKind_CONTRADICTION_UNDECODABLE,
		Cause: errs.New("state", errs.Corrupt, err)}
}

// Corrupt returns the Contradiction of a record that contradicts another one, or itself.
func Corrupt(format string, args ...any) error {
	return &Contradiction{Kind: metapb.ContradictionKind_CONTRADICTION_RECORDS,
		Cause: errs.Newf("state", errs.Corrupt, "damaged metadata: "+format, args...)}
}

// Of returns err. If it is a Contradiction that does not name its record yet, Of makes it
// name the record under key.
func Of(key []byte, err error) error {
	if c := AsContradiction(err); c != nil && c.Key == nil && c.Kind != metapb.ContradictionKind_CONTRADICTION_COMMAND {
		c.Key = slices.Clone(key)
	}
	return err
}
