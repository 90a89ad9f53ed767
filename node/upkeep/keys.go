package upkeep

import (
	"context"
	"time"
)

// Keys ends master keys of the key service.
type Keys interface {
	// Purge deletes the keys that were to be deleted by now, and returns the ids of those that
	// it has deleted, also where it returns an error. It may be repeated, and two nodes may call
	// it at the same time.
	Purge(ctx context.Context, now time.Time) (deleted []string, err error)
}

// purgeEvery is the pause between rounds of purgeKeys. Keys wait for days to be deleted, so a
// minute does not matter.
const purgeEvery = time.Minute

// purgeKeys deletes the master keys whose time has come.
func (u *Upkeep) purgeKeys(ctx context.Context) error {
	deleted, err := u.c.Keys.Purge(ctx, time.Now())
	if len(deleted) > 0 {
		u.c.Events.KeysDeleted(deleted)
	}
	return err
}
