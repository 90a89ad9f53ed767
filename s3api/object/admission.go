package object

import (
	"context"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/buf"
	"github.com/cairnstore/cairn/shard/stripe"
)

// Clients that read may take three quarters of the buffer budget, and so may clients that send.
// However many of one kind stall, the other kind goes on.
const (
	clientShareFactor  = 3
	clientShareDivisor = 4
)

// smallBytes is how much a request may take without waiting for the share of its kind. So a request
// for an inline object does not wait for clients of large ones that stall.
const smallBytes = 64 << 10

// admit takes n bytes of the node's buffer budget, or all of it where n is more. The caller calls
// release once. Errors: Overloaded after a bounded wait; Canceled.
func (s *Service) admit(ctx context.Context, n int64) (release func(), err error) {
	n = min(n, s.budget.Total())
	if err := s.budget.Acquire(ctx, n); err != nil {
		return nil, s.rejected(n, err)
	}
	return func() { s.budget.Release(n) }, nil
}

// admitClient is admit for buffers that are held as long as a client sends or reads. They are taken
// from the share of its kind too.
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
		s.events.Rejected(n)
	}
	return err
}

// Bounds of buffers, in stripes.
const (
	// writeWindow has one more than a writer holds: while an extent is being written, the last
	// units of the one before are on their way.
	writeWindow = stripe.WindowStripes + 1
	// readWindow has one more than a reader holds: while an extent is at its last stripe, the
	// reader of the next one fills.
	readWindow = stripe.WindowStripes + 1
)

// writeBound returns how many bytes of buffers it takes to write size bytes, at most.
func (s *Service) writeBound(size int64) int64 {
	if size <= s.cfg.InlineMaxBytes {
		return 2*size + 1
	}
	n := s.alloc.WidestNow().N()
	return min(int64(writeWindow*n*shard.UnitBytes), 3*size+int64(n)*shard.BlockBytes)
}

// readBound returns how many bytes of buffers it takes to read size bytes, at most: data, and one
// slot of parity in case another slot is slow or missing.
func (s *Service) readBound(size int64) int64 {
	n := int64(s.alloc.WidestNow().K) + 1
	return min(readWindow*n*shard.UnitBytes, 3*size+n*shard.BlockBytes)
}
