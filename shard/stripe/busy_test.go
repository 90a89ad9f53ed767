package stripe

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/shard"
)

// readsTake makes the reads of a store take so long.
func readsTake(m *memStore, d time.Duration) {
	m.setFault(func(step string, _ int) error {
		if step == "read" {
			time.Sleep(d)
		}
		return nil
	})
}

// sources rebuilds a lost shard of slot 0 and returns the slots that it was read from.
func (r *rig) sources(t *testing.T, g Geometry) (slots []int) {
	r.damage(1, 0)
	before := make([]int, len(r.vol.Slots))
	for slot := range before {
		before[slot] = len(r.store(r.vol, slot).opens)
	}
	got, err := r.e.Rebuild(t.Context(), extent1, r.vol, g, 1)
	require.NoError(t, err)
	require.Equal(t, shard.SlotSet(1), got)
	for slot := range before {
		if len(r.store(r.vol, slot).opens) > before[slot] {
			slots = append(slots, slot)
		}
	}
	return slots
}

// A rebuild reads from the drives that are the least busy: parity where all are alike,
// not from one that has been found slow, or that this node waits for, until it is well
// again.
func TestRebuildReadsFromTheLeastBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, shard.Scheme{K: 3, M: 3}, func(c *Config) { c.HedgeDelay = time.Hour })
		w := r.write(t, randomBytes(1, 5<<20), nil)
		require.Equal(t, []int{3, 4, 5}, r.sources(t, w.Geometry))

		readsTake(r.store(r.vol, 4), 100*time.Millisecond)
		require.Equal(t, []int{3, 4, 5}, r.sources(t, w.Geometry), "it is not known yet")
		require.Equal(t, []int{1, 3, 5}, r.sources(t, w.Geometry))
		require.Equal(t, []int{1, 3, 5}, r.sources(t, w.Geometry))
		r.store(r.vol, 4).setFault(nil)
		time.Sleep(5 * halfForget)
		require.Equal(t, []int{3, 4, 5}, r.sources(t, w.Geometry), "it is forgotten")

		readsTake(r.store(r.vol, 1), time.Minute) // A client waits for a data slot.
		body := r.e.NewReader(t.Context(), ReadRequest{Extent: extent1, Volume: r.vol, Geometry: w.Geometry, Length: w.Geometry.PlainBytes})
		synctest.Wait()
		readsTake(r.store(r.vol, 3), 100*time.Millisecond)
		r.sources(t, w.Geometry)
		require.Equal(t, []int{2, 4, 5}, r.sources(t, w.Geometry), "not slot 1")
		require.NoError(t, body.Close())
		time.Sleep(time.Hour)
	})
}

func TestBusyDrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const drive = cluster.DriveID(1)
		b := busyDrives{drives: map[cluster.DriveID]*busyDrive{}}
		require.Equal(t, 1, b.of(drive))
		one, two := b.begin(drive), b.begin(drive)
		require.Equal(t, 3, b.of(drive))
		one(false)
		two(false)
		require.Equal(t, 1, b.of(drive), "what did not come tells nothing of the time")
		unit := func(took time.Duration) {
			end := b.begin(drive)
			time.Sleep(took)
			end(true)
		}
		for range 100 {
			unit(quickUnit - 1)
		}
		require.Equal(t, 1, b.of(drive), "quick enough")
		for range 40 {
			unit(5 * quickUnit)
		}
		require.Equal(t, 1<<3, b.of(drive))
		end := b.begin(drive)
		require.Equal(t, 2<<3, b.of(drive))
		end(false)
		time.Sleep(halfForget)
		require.Equal(t, 1<<2, b.of(drive))
		time.Sleep(100 * time.Hour)
		require.Equal(t, 1, b.of(drive))
	})
}
