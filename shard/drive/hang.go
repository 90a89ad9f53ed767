package drive

import (
	"context"
	"fmt"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
)

// watch begins something that writes; the caller calls the result when it has ended. If that takes
// longer than Options.HangTimeout, the drive is fenced, so that only those wait on whose own system
// call hangs. Reads are not watched: a device may take long over one bad sector, and readers ask
// other drives meanwhile.
func (d *Drive) watch(what string) (end func() bool) {
	return time.AfterFunc(d.o.HangTimeout, func() {
		d.fence(fmt.Errorf("%s has not ended after %v", what, d.o.HangTimeout))
	}).Stop
}

// turn is a mutex for which one can stop waiting. Whoever has it may hang.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) release() { <-t }

// take waits for a turn. Errors: Canceled if ctx ends, Unavailable if the drive is fenced.
func (d *Drive) take(ctx context.Context, op string, t turn) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-d.fenced:
		return errs.New(op, errs.Unavailable, d.Failed())
	case <-ctx.Done():
		return errs.New(op, errs.Canceled, context.Cause(ctx))
	}
}
