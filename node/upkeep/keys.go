package upkeep

import (
	"context"
	"time"
)

// Keys ends master keys of the key service.
type Keys interface {
	// Purge deletes the keys that were to be deleted by now and returns their ids,
	// also beside an error. It may be repeated, by two nodes at once too.
	Purge(ctx context.Context, now time.Time) (deleted []string, err error)
}

// purgeEvery is the pause between rounds of purgeKeys. Keys wait for days.
const purgeEvery = time.Minute

// purgeKeys deletes the master keys whose time has come.
func (u *Upkeep) purgeKeys(ctx context.Context) error {
	deleted, err := u.c.Keys.Purge(ctx, time.Now())
	if len(deleted) > 0 && u.c.Events.KeysDeleted != nil {
		u.c.Events.KeysDeleted(deleted)
	}
	return err
}
