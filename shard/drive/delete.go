package drive

import (
	"context"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
)

// deleteBatch is how many shards one batch deletes. It bounds how long commits wait for the index.
const deleteBatch = 256

// Delete implements shard.Store.
func (d *Drive) Delete(ctx context.Context, ids []shard.ID) error {
	const op = "drive.Delete"
	for len(ids) > 0 {
		if err := d.enter(ctx, op); err != nil {
			return err
		}
		n := min(len(ids), deleteBatch)
		err := d.deleteSome(ids[:n])
		d.leave()
		if err != nil {
			return errs.New(op, errs.Unavailable, err)
		}
		ids = ids[n:]
	}
	return nil
}

func (d *Drive) deleteSome(ids []shard.ID) error {
	d.indexMu.Lock()
	dead, err := d.deleteLocked(ids)
	d.indexMu.Unlock()
	if err != nil {
		d.indexBroken(err)
		return err
	}
	for _, l := range dead {
		d.bury(l.id, l.deadRecord)
	}
	return nil
}

func (d *Drive) deleteLocked(ids []shard.ID) ([]loser, error) {
	found := make(map[shard.ID]location, len(ids))
	for _, id := range ids {
		l, ok, err := d.index.get(id)
		if err != nil {
			return nil, err
		}
		if ok {
			found[id] = l
		}
	}
	if len(found) == 0 {
		return nil, nil
	}
	b := d.index.newBatch()
	for id := range found {
		if err := b.remove(id); err != nil {
			return nil, err
		}
	}
	if err := b.commit(); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	dead := make([]loser, 0, len(found))
	for id, l := range found {
		if r, ok := d.uncountLocked(l); ok {
			dead = append(dead, loser{id, r})
		}
	}
	return dead, nil
}
