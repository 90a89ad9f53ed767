package group

import (
	"context"
	"crypto/rand"
	"sync"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/state"
)

const (
	sessionIDBytes = 16

	// sessionWindow is how many numbers, from the floor on, may be in use at once. It is half of
	// what the state accepts, so the state refuses no command for its number.
	sessionWindow = state.SessionWindow / 2
)

// session is one run of this node as a proposer. It numbers the node's commands, so that the
// state applies each once, however often it is sent. The floor is the lowest number that may
// still be sent; the state forgets the results below it. Safe for concurrent use.
type session struct {
	id []byte

	mu       sync.Mutex
	next     uint64              // The number of the next command.
	floor    uint64              // The lowest number that is not finished.
	finished map[uint64]struct{} // The finished numbers above the floor.
}

func newSession() *session {
	id := make([]byte, sessionIDBytes)
	_, _ = rand.Read(id) // It never fails.
	return &session{id: id, next: 1, floor: 1, finished: make(map[uint64]struct{})}
}

// begin returns the number of the next command, and the floor. ok is false where too many
// commands are unfinished.
func (s *session) begin() (seq, floor uint64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next-s.floor >= sessionWindow {
		return 0, 0, false
	}
	seq = s.next
	s.next++
	return seq, s.floor, true
}

// finish says that the command of a number is not sent again.
func (s *session) finish(seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finished[seq] = struct{}{}
	for {
		if _, ok := s.finished[s.floor]; !ok {
			return
		}
		delete(s.finished, s.floor)
		s.floor++
	}
}

// sessions holds the session of a client. One caller at a time opens a new one.
type sessions struct {
	mu      sync.Mutex
	current *session      // Nil: a new one is to be opened.
	opening chan struct{} // Closed when the one who opens it is done; nil: nobody does.
}

// OpenSession opens the node's session where it has none. That ends the leases and pins of the
// node's earlier run. Propose does it by itself, too. Errors: Unavailable, NoSpace.
func (c *Client) OpenSession(ctx context.Context) error {
	_, err := c.session(ctx)
	return err
}

// session returns the current session, and opens one where there is none.
func (c *Client) session(ctx context.Context) (*session, error) {
	for {
		c.sessions.mu.Lock()
		if s := c.sessions.current; s != nil {
			c.sessions.mu.Unlock()
			return s, nil
		}
		if wait := c.sessions.opening; wait != nil {
			c.sessions.mu.Unlock()
			select {
			case <-wait:
				continue
			case <-ctx.Done():
				return nil, errs.New("group.OpenSession", errs.Unavailable, context.Cause(ctx))
			}
		}
		done := make(chan struct{})
		c.sessions.opening = done
		c.sessions.mu.Unlock()

		s, err := c.open(ctx)

		c.sessions.mu.Lock()
		c.sessions.current, c.sessions.opening = s, nil
		c.sessions.mu.Unlock()
		close(done)
		if err != nil {
			return nil, err
		}
	}
}

// open proposes a new session. A session is not used unless it is known to be open: if the
// outcome is not known, the next call proposes one with another id, which ends it.
func (c *Client) open(ctx context.Context) (*session, error) {
	const op = "group.OpenSession"
	s := newSession()
	r, err := c.proposeBare(ctx, &metapb.Command{Op: &metapb.Command_OpenSession{
		OpenSession: &metapb.OpenSession{Node: uint64(c.cfg.Node), Session: s.id}}})
	switch {
	case errs.Is(err, errs.NoSpace):
		return nil, errs.Wrap(op, err)
	case err != nil:
		return nil, errs.New(op, errs.Unavailable, err) // Not Unknown: the caller's command was not sent.
	}
	switch r.Refusal {
	case metapb.Refusal_REFUSAL_NONE:
	case metapb.Refusal_REFUSAL_STALE_SESSION:
		return nil, errs.Newf(op, errs.Unavailable, "a newer run of node %s has opened a session", c.cfg.Node)
	default:
		return nil, errs.Newf(op, errs.Internal, "refused: %v %s", r.Refusal, r.Detail)
	}
	c.cfg.Events.SessionOpened(c.cfg.Node)
	return s, nil
}

// expired gives up a session that was ended, so that the next call opens a new one.
func (c *Client) expired(s *session) {
	c.sessions.mu.Lock()
	mine := c.sessions.current == s
	if mine {
		c.sessions.current = nil
	}
	c.sessions.mu.Unlock()
	if mine {
		c.cfg.Events.SessionExpired(c.cfg.Node)
	}
}
