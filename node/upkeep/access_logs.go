package upkeep

import (
	"context"
	"time"
)

// accessLogsEvery is the pause between two looks at what is to be delivered.
const accessLogsEvery = 5 * time.Second

// AccessLogs is the access logs of buckets that wait on this node.
type AccessLogs interface {
	// Deliver writes those whose time has come.
	Deliver(ctx context.Context) error
	// Late returns how much of it could not be written, and why not.
	Late() (segments int, bytes int64, why error)
}

// deliverLogs delivers access logs. What cannot be delivered, for its target does not
// take it, stays and is tried again; the job goes on as long as there is any. That is for
// the owner of the bucket to mend, so the job has not failed by it.
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
