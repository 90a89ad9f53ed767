// Package errs is Cairn's error: an operation, a kind and a cause.
//
// Kinds are few and cross the wire as append-only numbers (see Kind), so a
// caller on another node decides by kind, never by text. Below s3api no error
// knows an S3 code; s3api/s3err holds the one table from kinds to codes.
package errs

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Kind says what sort of failure an error is. The numbers are part of the wire
// format: append, never renumber.
type Kind uint8

// The kinds. Corrupt, NotFound and Unavailable stay apart: a reader heals on
// the first two and goes round the third.
const (
	Internal     Kind = 0  // A bug or an unclassified failure.
	Invalid      Kind = 1  // The request can never succeed as it is.
	Denied       Kind = 2  // The caller may not do this.
	NotFound     Kind = 3  // The thing named does not exist.
	Exists       Kind = 4  // The thing named exists already.
	Precondition Kind = 5  // A condition that the caller set does not hold.
	Corrupt      Kind = 6  // Bytes are not what was written.
	Unavailable  Kind = 7  // A peer or a quorum is not there now; another try may succeed.
	Overloaded   Kind = 8  // A budget is used up; try later.
	NoSpace      Kind = 9  // A drive or the cluster is full.
	Canceled     Kind = 10 // The caller went away or its deadline passed.
	Unknown      Kind = 11 // The outcome is not known: it may or may not have happened.
	Expired      Kind = 12 // What the caller shows was good once, and is no longer.
)

var kindNames = [...]string{
	"internal error", "invalid", "denied", "not found", "exists", "precondition failed",
	"corrupt", "unavailable", "overloaded", "no space", "canceled", "outcome unknown", "expired",
}

// String returns the kind in words.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Error is an operation that failed, the kind of failure, and why.
type Error struct {
	Op    string // Package and function, such as "drive.Open".
	Kind  Kind
	Cause error // May be nil.
}

// Error implements error.
func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Op + ": " + e.Kind.String()
	}
	return e.Op + ": " + e.Kind.String() + ": " + e.Cause.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// New returns an error of the given operation, kind and cause.
func New(op string, kind Kind, cause error) error {
	return &Error{Op: op, Kind: kind, Cause: cause}
}

// Newf is New with the cause formatted as by fmt.Errorf.
func Newf(op string, kind Kind, format string, args ...any) error {
	return &Error{Op: op, Kind: kind, Cause: fmt.Errorf(format, args...)}
}

// Wrap returns cause under op, its kind kept; nil for nil.
func Wrap(op string, cause error) error {
	if cause == nil {
		return nil
	}
	return &Error{Op: op, Kind: KindOf(cause), Cause: cause}
}

// KindOf returns the kind of the outermost Error in err's chain. Context errors
// without one are Canceled, anything else Internal.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return Canceled
	}
	return Internal
}

// Is reports whether err is an error of kind k; false for nil.
func Is(err error, k Kind) bool { return err != nil && KindOf(err) == k }

// Sentence returns what a person needs of an error: its text without the operations and kinds, which
// are for logs, also of errors that another error's text holds.
func Sentence(err error) string {
	for {
		e, ok := err.(*Error)
		if !ok || e.Cause == nil {
			break
		}
		err = e.Cause
	}
	text := err.Error()
	var inner *Error
	if errors.As(err, &inner) && inner.Cause != nil {
		text = strings.Replace(text, inner.Error(), Sentence(inner), 1)
	}
	return text
}
