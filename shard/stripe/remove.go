package stripe

import (
	"context"
	"sync"

	"github.com/cairnstore/cairn/shard"
)

// Remove deletes the shards of an extent that nobody refers to nor will. Drives that do not answer
// in time keep theirs, as orphans.
func (e *Engine) Remove(ctx context.Context, id shard.ExtentID, v *shard.Volume) {
	ctx, cancel := context.WithTimeout(ctx, e.slotStall)
	defer cancel()
	var wg sync.WaitGroup
	for slot, d := range v.Slots {
		wg.Go(func() {
			if st, err := e.stores(d); err == nil {
				_ = st.Delete(ctx, []shard.ID{{Extent: id, Slot: uint8(slot)}}) // See above.
			}
		})
	}
	wg.Wait()
}
