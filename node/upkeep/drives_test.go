package upkeep

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/drive"
)

// fakeDrive has shards that can be listed and verified.
type fakeDrive struct {
	mu       sync.Mutex
	shards   []shard.ID
	bad      shard.ID
	verified map[shard.ID]int
}

func (f *fakeDrive) ID() cluster.DriveID { return 1 }

func (f *fakeDrive) List(_ context.Context, after shard.ID, most int) (out []drive.Entry, _ error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range f.shards {
		if len(out) < most && (after == shard.ID{} || id.Extent.Seq > after.Extent.Seq) {
			out = append(out, drive.Entry{ID: id})
		}
	}
	return out, nil
}

func (f *fakeDrive) Verify(_ context.Context, id shard.ID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.verified[id]++
	if id == f.bad {
		return errs.Newf("drive.Verify", errs.Corrupt, "damaged")
	}
	return nil
}

func (f *fakeDrive) Stat(context.Context, shard.ID) (shard.Header, error) { return shard.Header{}, nil }
func (f *fakeDrive) Delete(context.Context, []shard.ID) error             { return nil }

func (f *fakeDrive) Failed() error { return nil }

func (f *fakeDrive) Usage() drive.Usage {
	f.mu.Lock()
	defer f.mu.Unlock()
	return drive.Usage{Shards: int64(len(f.shards))}
}

// add makes n shards more, of which one is bad.
func (f *fakeDrive) add(n int, bad shard.ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bad = bad
	for range n {
		f.shards = append(f.shards, shard.ID{Extent: shard.ExtentID{Volume: 1, Seq: uint64(len(f.shards) + 1)}})
	}
}

func (f *fakeDrive) least() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	counts := make([]int, 0, len(f.shards))
	for _, id := range f.shards {
		counts = append(counts, f.verified[id])
	}
	return slices.Min(counts)
}

// slotOne is metadata with one volume, whose first slot is on the fake drive.
type slotOne struct{ Metadata }

func (slotOne) Topology(context.Context) (*meta.Topology, error) {
	return &meta.Topology{View: cluster.NewView(1, nil), Volumes: map[shard.VolumeID]*shard.Volume{
		1: {ID: 1, Scheme: shard.Scheme{K: 1}, Slots: []cluster.DriveID{1}}}}, nil
}

// A drive that was empty when scrub began and then filled up is verified whole
// within the interval all the same, and what is bad is noted.
func TestScrubKeepsItsInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval = 14 * 24 * time.Hour
		d := &fakeDrive{verified: map[shard.ID]int{}}
		u := &Upkeep{c: Config{Terms: func() Terms { return Terms{ScrubInterval: interval} },
			Metadata: slotOne{}}.withDefaults(), found: newFinder(), urges: newUrges([]Drive{d}),
			repairPace: newPacer(unlimited, nil)}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			u.scrub(ctx, d, newTracker(jobScrub, 1, nil))
			close(done)
		}()
		time.Sleep(time.Hour)
		bad := shard.ID{Extent: shard.ExtentID{Volume: 1, Seq: 4321}}
		d.add(5000, bad)
		time.Sleep(interval + time.Hour)
		require.GreaterOrEqual(t, d.least(), 1)
		slots, _ := u.found.take()
		require.Equal(t, map[shard.ExtentID]shard.SlotSet{bad.Extent: 1}, slots)
		cancel()
		<-done
	})
}

// Scrub of a drive tells how far it is and when it last finished, and rests while it is paused.
func TestScrubIsAJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval = 1000 * time.Hour
		d := &fakeDrive{verified: map[shard.ID]int{}}
		d.add(999, shard.ID{}) // With the pause after the last one, a shard an hour.
		var paused atomic.Bool
		u := &Upkeep{c: Config{Terms: func() Terms { return Terms{ScrubInterval: interval} },
			Metadata: slotOne{}}.withDefaults(), found: newFinder(), urges: newUrges([]Drive{d}),
			repairPace: newPacer(unlimited, nil)}
		tracker := newTracker(jobScrub, 7, func(string) bool { return paused.Load() })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			u.scrub(ctx, d, tracker)
			close(done)
		}()
		time.Sleep(time.Hour) // maxScrubPause bounds the pause: 60 shards an hour.
		p := tracker.progress()
		require.Equal(t, StateRunning, p.State)
		require.Equal(t, uint64(999), p.Total)
		require.InDelta(t, 60, p.Done, 2)
		require.InDelta(t, (939 * time.Minute).Minutes(), p.ETA.Minutes(), 60)
		require.True(t, p.Last.IsZero())
		require.EqualValues(t, 7, p.Drive)

		paused.Store(true)
		time.Sleep(time.Minute) // The pause in which it was.
		at := tracker.progress().Done
		time.Sleep(10 * time.Hour)
		require.Equal(t, at, tracker.progress().Done)
		require.Equal(t, StatePaused, tracker.progress().State)

		paused.Store(false)
		time.Sleep(20 * time.Hour)
		p = tracker.progress()
		require.False(t, p.Last.IsZero(), "a round has ended")
		require.True(t, p.Next.After(p.Last))
		require.GreaterOrEqual(t, d.least(), 1)
		cancel()
		<-done
	})
}

// Whoever wants a drive verified now does not wait for the interval, and a round that was under way begins anew.
func TestScrubNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDrive{verified: map[shard.ID]int{}}
		d.add(999, shard.ID{})
		var paused atomic.Bool
		var rounds, partial atomic.Int64
		u := &Upkeep{c: Config{Terms: func() Terms { return Terms{ScrubInterval: 1000 * time.Hour} }, Metadata: slotOne{},
			Events: Events{ScrubRound: func(checked, _ int) {
				rounds.Add(1)
				if checked != 999 {
					partial.Add(1)
				}
			}}}.withDefaults(), found: newFinder(), urges: newUrges([]Drive{d}), repairPace: newPacer(unlimited, nil)}
		tracker := newTracker(jobScrub, d.ID(), func(string) bool { return paused.Load() })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			u.scrub(ctx, d, tracker)
			close(done)
		}()
		time.Sleep(time.Hour) // Sixty shards have been verified.
		require.Zero(t, d.least())
		require.True(t, u.ScrubNow(d.ID()))
		require.True(t, u.ScrubNow(d.ID()), "once more is no more")
		time.Sleep(time.Second)
		once := d.least()
		require.Positive(t, once)
		require.False(t, tracker.progress().Last.IsZero())

		require.True(t, u.ScrubNow(d.ID()), "in the pause after a round")
		time.Sleep(time.Second)
		require.Equal(t, once+1, d.least())

		paused.Store(true)
		time.Sleep(2 * time.Minute)
		require.True(t, u.ScrubNow(d.ID()))
		time.Sleep(time.Hour)
		require.Equal(t, once+1, d.least(), "paused is paused")
		paused.Store(false)
		time.Sleep(time.Hour)
		require.Equal(t, once+2, d.least(), "then it is done")
		require.Positive(t, rounds.Load())
		require.Zero(t, partial.Load(), "a round is whole")
		require.False(t, u.ScrubNow(d.ID()+1))
		cancel()
		<-done
	})
}
