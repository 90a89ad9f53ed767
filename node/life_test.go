package node

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/shard/drive"
)

// freeRoom is a drive with so much free space.
type freeRoom int64

func (r *freeRoom) Usage() drive.Usage { return drive.Usage{FreeBytes: int64(*r)} }

// A drive is full while it could still take something above its reserve, so that no
// write is refused by it, and is not full again before there is clearly more room.
func TestDriveIsFullBeforeItRefuses(t *testing.T) {
	const reserve = 800
	h := newDriveHealth(reserve)
	free := freeRoom(2 * reserve)
	h.drives[1] = &health{d: &free, sync: &syncPace{}}
	for _, step := range []struct {
		free freeRoom
		full bool
	}{{1600, false}, {901, false}, {900, false}, {899, true}, {reserve, true}, {1000, true}, {1199, true}, {1200, false}, {901, false}, {0, true}} {
		free = step.free
		require.Equal(t, step.full, h.full(1), "%d free", step.free)
	}
}

// A drive whose syncs take long on the average is slow, one long sync does not make it
// so, and it is not slow for ever where nobody writes to it any more.
func TestSlowDrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newDriveHealth(0)
		free, pace := freeRoom(0), &syncPace{}
		h.drives[1] = &health{d: &free, sync: pace}
		told := 0
		done := pace.events(drive.Events{SyncDone: func(time.Duration, int) { told++ }}).SyncDone
		for range 50 {
			done(5*time.Millisecond, 1)
		}
		done(8*time.Second, 1)
		require.False(t, h.slow(1), "one of many")
		for range 30 {
			done(3*time.Second, 1)
		}
		require.True(t, h.slow(1))
		for range 12 {
			done(5*time.Millisecond, 1)
		}
		require.True(t, h.slow(1), "better, but not well")
		for range 30 {
			done(5*time.Millisecond, 1)
		}
		require.False(t, h.slow(1))
		for range 30 {
			done(3*time.Second, 1)
		}
		require.True(t, h.slow(1))
		time.Sleep(slowForgotten + time.Second)
		require.False(t, h.slow(1))
		require.Equal(t, 50+1+30+12+30+30, told, "the drive's own events are told as before")
	})
}
