package upkeep

import (
	"context"
	"time"
)

// accessLogsEvery is the pause between two rounds of deliverLogs.
const accessLogsEvery = 5 * time.Second

// AccessLogs holds the access logs of buckets that wait on this node for delivery.
type AccessLogs interface {
	// Deliver writes the logs that are due to their buckets.
	Deliver(ctx context.Context) error
	// Late returns how much is due and could not be written, and why.
	Late() (segments int, bytes int64, why error)
}

// deliverLogs returns the job that delivers access logs. A log that the bucket it goes to does
// not take stays, and is tried again; until then the job shows as running. It does not fail for
// that: the owner of the bucket has to mend it.
func (u *Upkeep) deliverLogs(t *tracker) func(context.Context) error {
	return func(ctx context.Context) error {
		err := u.c.AccessLogs.Deliver(ctx)
		segments, bytes, why := u.c.AccessLogs.Late()
		detail := ""
		if why != nil {
			detail = why.Error()
		}
		t.left(uint64(segments), uint64(bytes), detail)
		return err
	}
}
