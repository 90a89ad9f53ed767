package object

import (
	"context"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/buf"
	"github.com/cairnstore/cairn/shard/stripe"
)

// Clients that read, and clients that send, may each take three quarters of the
// buffer budget: however many of one kind stall, the other kind goes on.
const (
	clientShareFactor  = 3
	clientShareDivisor = 4
)

// smallBytes is what a request may take without a place in the queue of its kind:
// one of an inline object does not wait for stalled clients of large ones.
const smallBytes = 64 << 10

// admit takes bytes of the node's buffer budget; the caller calls release once.
func (s *Service) admit(ctx context.Context, n int64) (release func(), err error) {
	n = min(n, s.budget.Total())
	if err := s.budget.Acquire(ctx, n); err != nil {
		return nil, s.rejected(n, err)
	}
	return func() { s.budget.Release(n) }, nil
}

// admitClient is admit for buffers that are held as long as a client sends or
// reads: they come out of the share of its kind.
func (s *Service) admitClient(ctx context.Context, share *buf.Budget, n int64) (release func(), err error) {
	if n <= smallBytes {
		return s.admit(ctx, n)
	}
	n = min(n, share.Total())
	if err := share.Acquire(ctx, n); err != nil {
		return nil, s.rejected(n, err)
	}
	releaseBudget, err := s.admit(ctx, n)
	if err != nil {
		share.Release(n)
		return nil, err
	}
	return func() {
		releaseBudget()
		share.Release(n)
	}, nil
}

func (s *Service) rejected(n int64, err error) error {
	if errs.KindOf(err) == errs.Overloaded {
		call1(s.events.Rejected, n)
	}
	return err
}

// Bounds of buffers, in units of a stripe's data and parity.
const (
	// writeWindow: one extent is being written while the last units of the one
	// before are on their way.
	writeWindow = stripe.WindowStripes + 1
	// readWindow: one extent is at its last stripe while the next one's reader
	// fills.
	readWindow = stripe.WindowStripes + 1
)

// writeBound returns how many bytes of buffers writing size bytes takes at most.
func (s *Service) writeBound(size int64) int64 {
	if size <= s.cfg.InlineMaxBytes {
		return 2*size + 1
	}
	n := s.alloc.WidestNow().N()
	return min(int64(writeWindow*n*shard.UnitBytes), 3*size+int64(n)*shard.BlockBytes)
}

// readBound returns how many bytes of buffers reading size bytes takes at most:
// data, and a slot of parity where one is slow or missing.
func (s *Service) readBound(size int64) int64 {
	n := int64(s.alloc.WidestNow().K) + 1
	return min(readWindow*n*shard.UnitBytes, 3*size+n*shard.BlockBytes)
}
