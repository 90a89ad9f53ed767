package kms

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/cairnstore/cairn/cluster/errs"
)

const (
	vaultPause         = 100 * time.Millisecond // Before the second try; it doubles before each further one.
	vaultRetryAfterMax = 2 * time.Second        // If a server asks for a longer pause, the client is told to wait instead.
)

// vaultError is an answer that is not a success.
type vaultError struct {
	status     int
	messages   []string // Vault's {"errors": […]}; nil: the body is something else.
	retryAfter time.Duration
	cause      error
}

// messageRedirect is the message for a redirect. Redirects are not followed, because the token
// would be shown to a server that nobody named. Standbys forward requests themselves, unless they
// are told not to.
const messageRedirect = "it redirects elsewhere, which is not followed: name the active server, or let its standbys forward requests"

var errGarbage = errors.New("the answer is not one of Vault")

// Error implements error. It has Vault's own messages, which contain no keys.
func (e *vaultError) Error() string {
	text := strings.Join(e.messages, "; ")
	if text == "" && e.cause != nil {
		text = e.cause.Error()
	}
	return fmt.Sprintf("Vault answers %d: %s", e.status, text)
}

// answerError returns a vaultError for an error of package api. The errors of that package print
// URLs and raw bodies, which are not passed on.
func answerError(resp *api.Response, err error) error {
	var re *api.ResponseError
	if !errors.As(err, &re) {
		return err
	}
	e := &vaultError{status: re.StatusCode}
	if re.RawError {
		e.cause = errGarbage
	} else {
		e.messages = append(make([]string, 0, len(re.Errors)), re.Errors...)
	}
	if resp != nil {
		if seconds, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 31); err == nil {
			e.retryAfter = time.Duration(seconds) * time.Second
		}
	}
	return e
}

// says reports whether a message contains one of the texts.
func (e *vaultError) says(texts ...string) bool {
	all := strings.Join(e.messages, "\n")
	for _, t := range texts {
		if strings.Contains(all, t) {
			return true
		}
	}
	return false
}

// kind returns the kind of an answer, and whether another try may succeed. Vault tells a missing
// key from a bad ciphertext only by text.
func (e *vaultError) kind() (kind errs.Kind, again bool) {
	switch {
	case e.cause != nil:
		return errs.Unavailable, e.status >= 500
	case e.status == http.StatusTooManyRequests:
		return errs.Overloaded, true
	case e.status >= 500, e.status == http.StatusPreconditionFailed, e.status == 472, e.status == 473:
		return errs.Unavailable, true // It is sealed, a standby, or behind.
	case e.status == http.StatusNotFound && len(e.messages) == 0,
		e.status == http.StatusBadRequest && e.says("key not found", "no existing key named", "could not delete key; not found"):
		return errs.NotFound, false
	case e.status == http.StatusBadRequest && e.says("disallowed by policy"):
		return errs.Denied, false // The version is below the key's min_decryption_version.
	case e.status == http.StatusBadRequest && e.says("message authentication failed", "invalid ciphertext"):
		return errs.Corrupt, false
	}
	return errs.Unavailable, false // Policy, mount, or a Vault that is too old: the operator must act.
}

// strangeAnswer is the error for a success that lacks what it should say.
func strangeAnswer(op string) error {
	return errs.Newf(op, errs.Unavailable, "%w; check the address and the mount", errGarbage)
}

// do makes an operation, with further tries where they may help, and returns the data of the
// answer.
func (v *Vault) do(ctx context.Context, r request) (map[string]any, error) {
	renewed := false
	pause := vaultPause
	for try := 1; ; try++ {
		var data map[string]any
		token, err := v.auth.token(ctx)
		sent := err == nil
		if sent {
			data, err = v.send(ctx, token, &r)
		}
		if err == nil {
			return data, nil
		}
		var answer *vaultError
		if errors.As(err, &answer) && answer.status == http.StatusForbidden && sent && !renewed {
			renewed = true
			if v.auth.refused(ctx, token) {
				try--
				continue // At once, and not counted as a try: tokens end. This happens only once.
			}
		}
		again, wait, err := v.judge(ctx, &r, err, answer, sent && r.once)
		if !again || try >= v.cfg.Tries {
			return nil, err
		}
		if sleep(ctx, max(pause, wait)) != nil {
			return nil, errs.New(r.op, errs.Canceled, context.Cause(ctx))
		}
		pause *= 2
	}
}

// judge turns the failure of a try into the error to return. It says whether to try again, and how
// long to wait at least. answer is nil if there was none. maybeDone says that the request was sent
// and must not be sent twice.
func (v *Vault) judge(ctx context.Context, r *request, err error, answer *vaultError, maybeDone bool) (again bool, wait time.Duration, out error) {
	var known *errs.Error
	switch {
	case ctx.Err() != nil && maybeDone:
		return false, 0, errs.New(r.op, errs.Unknown, context.Cause(ctx))
	case ctx.Err() != nil:
		return false, 0, errs.New(r.op, errs.Canceled, context.Cause(ctx))
	case errors.As(err, &known):
		return false, 0, errs.Wrap(r.op, err)
	case answer == nil && maybeDone:
		return false, 0, errs.Newf(r.op, errs.Unknown, "Vault at %s did not answer: %w", v.cfg.Address, withoutURL(err))
	case answer == nil:
		return true, 0, errs.Newf(r.op, errs.Unavailable, "Vault at %s does not answer: %w", v.cfg.Address, withoutURL(err))
	}
	kind, again := answer.kind()
	switch {
	case maybeDone && answer.mayBeDone():
		return false, 0, errs.New(r.op, errs.Unknown, answer)
	case answer.status == http.StatusForbidden:
		return false, 0, errs.Newf(r.op, kind, "%w; check the token and its policy", answer)
	}
	return again && answer.retryAfter <= vaultRetryAfterMax, answer.retryAfter, errs.New(r.op, kind, answer)
}

// mayBeDone reports whether the operation may have been done although the answer is an error. A
// sealed server (503) has not done it.
func (e *vaultError) mayBeDone() bool {
	return e.cause != nil || e.status >= 500 && e.status != http.StatusServiceUnavailable
}

// withoutURL returns an error without the URL that package net/http adds.
func withoutURL(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("it is too slow")
	}
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
