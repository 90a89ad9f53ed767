package group

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/files"
	"github.com/cairnstore/cairn/meta/raftlog"
	"github.com/cairnstore/cairn/meta/snapshot"
)

// disk is what openDisk opens, without Raft.
type disk struct {
	log   *raftlog.Store
	snaps *snapshot.Store
	fsm   *fsm
}

func openTestDisk(fs vfs.FS) (*disk, error) { return openDiskOf(fs, openFakeState(new(atomic.Int64))) }

func openDiskOf(fs vfs.FS, openState openStateFunc) (*disk, error) {
	g := &Group{cfg: Config{FS: fs, Dir: "meta", openState: openState, Events: Events{Fatal: func(error) {}}.withDefaults()}}
	if err := g.openDisk(); err != nil {
		_ = g.closeDisk()
		return nil, err
	}
	return &disk{g.log, g.snaps, g.fsm}, nil
}

func (d *disk) close() error {
	err := d.fsm.state.close()
	if e := d.log.Close(); err == nil {
		err = e
	}
	return err
}

// write appends and applies entries lo..hi.
func (d *disk) write(lo, hi uint64) error {
	for i := lo; i <= hi; i++ {
		l := &raft.Log{Index: i, Term: 1, Type: raft.LogConfiguration, Data: []byte{1}}
		if err := d.log.StoreLog(l); err != nil {
			return err
		}
		if err, ok := d.fsm.ApplyBatch([]*raft.Log{l})[0].(error); ok {
			return err
		}
	}
	return nil
}

// snapshot does what Raft does: create, persist, close, release.
func (d *disk) snapshot(index uint64) error {
	s, err := d.fsm.Snapshot()
	if err != nil {
		return err
	}
	defer s.Release()
	sink, err := d.snaps.Create(1, index, 1, raft.Configuration{}, 1, nil)
	if err != nil {
		return err
	}
	if err := s.Persist(sink); err != nil {
		_ = sink.Cancel()
		return err
	}
	return sink.Close()
}

// install does what Raft does with a leader's snapshot.
func (d *disk) install(stream []byte, index uint64) error {
	sink, err := d.snaps.Create(1, index, 1, raft.Configuration{}, 1, nil)
	if err != nil {
		return err
	}
	if _, err := io.Copy(sink, bytes.NewReader(stream)); err != nil {
		_ = sink.Cancel()
		return err
	}
	if err := sink.Close(); err != nil {
		return err
	}
	_, source, err := d.snaps.Open(sink.ID())
	if err != nil {
		return err
	}
	defer source.Close()
	if err := d.fsm.Restore(source); err != nil {
		return err
	}
	first, _ := d.log.FirstIndex()
	last, _ := d.log.LastIndex()
	return d.log.DeleteRange(first, last)
}

// streamOf returns the stream of a snapshot of a state of n entries.
func streamOf(t *testing.T, n uint64) []byte {
	d, err := openTestDisk(vfs.NewMem())
	require.NoError(t, err)
	require.NoError(t, d.write(1, n))
	require.NoError(t, d.snapshot(n))
	list, err := d.snaps.List()
	require.NoError(t, err)
	meta, source, err := d.snaps.Open(list[0].ID)
	require.NoError(t, err)
	b, err := io.ReadAll(source)
	require.NoError(t, err)
	require.NoError(t, source.Close())
	require.Equal(t, meta.Size, int64(len(b)), "the size is not what was told")
	require.NoError(t, d.close())
	return b
}

// TestSnapshotPowerCut takes, receives and restores snapshots and cuts the power
// before each write to the disk: what is opened afterwards fits together and has
// everything that was acknowledged.
func TestSnapshotPowerCut(t *testing.T) {
	stream := streamOf(t, 100)
	for _, percent := range []int{0, 50, 100} {
		t.Run(fmt.Sprint(percent), func(t *testing.T) {
			mem := vfs.NewCrashableMem()
			rng := rand.New(rand.NewPCG(3, uint64(percent)))
			var acked atomic.Uint64
			var on atomic.Bool
			var mu sync.Mutex // The log's Pebble writes from several goroutines.
			checks := 0
			var failed error
			check := func() {
				mu.Lock()
				defer mu.Unlock()
				checks++
				floor := acked.Load()
				clone := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
				if err := checkAfterPowerCut(clone, floor); err != nil && failed == nil {
					failed = fmt.Errorf("power cut %d: %w", checks, err)
				}
			}
			fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
				if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && on.Load() {
					check()
				}
				return nil
			}))
			d, err := openTestDisk(fs)
			require.NoError(t, err)
			require.NoError(t, d.write(1, 10))
			acked.Store(10)
			on.Store(true)
			require.NoError(t, d.snapshot(10))
			require.NoError(t, d.write(11, 12))
			acked.Store(12)
			require.NoError(t, d.snapshot(12))
			require.NoError(t, d.log.DeleteRange(1, 5))
			require.NoError(t, d.install(stream, 100))
			acked.Store(100)
			check()
			require.NoError(t, d.write(101, 102))
			acked.Store(102)
			require.NoError(t, d.snapshot(102))
			list, err := d.snaps.List()
			require.NoError(t, err)
			require.Len(t, list, 2, "older snapshots are kept")
			on.Store(false)
			require.NoError(t, d.close())
			check()
			require.NoError(t, failed)
			require.Greater(t, checks, 50)
		})
	}
}

// checkAfterPowerCut opens what a power cut left: log, snapshot and state fit together
// and reach what was acknowledged.
func checkAfterPowerCut(fs vfs.FS, acked uint64) error {
	d, err := openTestDisk(fs)
	if err != nil {
		return err
	}
	applied, _ := d.fsm.state.applied()
	last, _ := d.log.LastIndex()
	var index uint64
	if m := d.snaps.Latest(); m != nil {
		index = m.Raft.Index
	}
	if max(last, index) < acked || applied < index {
		return fmt.Errorf("log to %d, snapshot of %d, state of %d; acknowledged was %d", last, index, applied, acked)
	}
	return d.close()
}

// TestSnapshotFailures fails each write to the disk in turn: the caller hears of it,
// and the old state goes on.
func TestSnapshotFailures(t *testing.T) {
	stream := streamOf(t, 50)
	for i := int32(0); ; i++ {
		var count atomic.Int32
		count.Store(-1)
		fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && count.Load() >= 0 && count.Add(-1) == 0 {
				return errorfs.ErrInjected
			}
			return nil
		}))
		d, err := openTestDisk(fs)
		require.NoError(t, err)
		require.NoError(t, d.write(1, 10))
		count.Store(i + 1)
		err = d.snapshot(10)
		if err == nil {
			err = d.install(stream, 50)
		}
		hit := count.Load() <= 0
		count.Store(-1)
		applied, _ := d.fsm.state.applied()
		if !hit {
			require.NoError(t, err)
			require.Equal(t, uint64(50), applied)
			require.NoError(t, d.close())
			return
		}
		require.Contains(t, []uint64{10, 50}, applied)
		_ = d.close()
	}
}

// TestSnapshotIsNotChangedByApply: what is applied after the checkpoint is not in it.
func TestSnapshotIsNotChangedByApply(t *testing.T) {
	d, err := openTestDisk(vfs.NewMem())
	require.NoError(t, err)
	require.NoError(t, d.write(1, 10))
	s, err := d.fsm.Snapshot()
	require.NoError(t, err)
	require.NoError(t, d.write(11, 20))
	sink, err := d.snaps.Create(1, 10, 1, raft.Configuration{}, 1, nil)
	require.NoError(t, err)
	require.NoError(t, s.Persist(sink))
	require.NoError(t, sink.Close())
	s.Release()
	_, source, err := d.snaps.Open(sink.ID())
	require.NoError(t, err)
	require.NoError(t, d.fsm.Restore(source))
	require.NoError(t, source.Close())
	applied, _ := d.fsm.state.applied()
	require.Equal(t, uint64(10), applied)
	require.NoError(t, d.close())
}

// TestReconcile: what does not fit together is refused, or put right.
func TestReconcile(t *testing.T) {
	type change func(t *testing.T, fs vfs.FS, d *disk)
	closing := func(t *testing.T, d *disk) { require.NoError(t, d.close()) }
	remove := func(dir string) change {
		return func(t *testing.T, fs vfs.FS, d *disk) {
			closing(t, d)
			require.NoError(t, fs.RemoveAll(dir))
		}
	}
	for name, tc := range map[string]struct {
		change  change
		refused bool
		applied uint64
		last    uint64
	}{
		"as it was":      {change: func(t *testing.T, _ vfs.FS, d *disk) { closing(t, d) }, applied: 20, last: 20},
		"state lost":     {change: remove("meta/state"), applied: 10, last: 20},
		"log lost":       {change: remove("meta/log"), refused: true},
		"snapshots lost": {change: remove("meta/snapshots"), refused: true},
		"end of log lost": {refused: true, change: func(t *testing.T, _ vfs.FS, d *disk) {
			require.NoError(t, d.log.DeleteRange(15, 20))
			closing(t, d)
		}},
		"log of another term": {refused: true, change: func(t *testing.T, _ vfs.FS, d *disk) {
			require.NoError(t, d.log.DeleteRange(20, 20))
			require.NoError(t, d.log.StoreLog(&raft.Log{Index: 20, Term: 9, Data: []byte{1}}))
			closing(t, d)
		}},
		"snapshot received, log not dropped": {applied: 100, last: 0, change: func(t *testing.T, _ vfs.FS, d *disk) {
			require.NoError(t, d.install(streamOf(t, 100), 100))
			for i := uint64(1); i <= 20; i++ {
				require.NoError(t, d.log.StoreLog(&raft.Log{Index: i, Term: 1, Data: []byte{1}}))
			}
			closing(t, d)
		}},
		"snapshot received, longer log of another term": {applied: 100, last: 0, change: func(t *testing.T, _ vfs.FS, d *disk) {
			require.NoError(t, d.install(streamOf(t, 100), 100))
			for i := uint64(90); i <= 120; i++ {
				require.NoError(t, d.log.StoreLog(&raft.Log{Index: i, Term: 7, Data: []byte{1}}))
			}
			closing(t, d)
		}},
		"damaged meta file": {refused: true, change: func(t *testing.T, fs vfs.FS, d *disk) {
			path := fmt.Sprintf("meta/snapshots/%d/meta", d.snaps.Latest().Number)
			closing(t, d)
			b, err := files.Read(fs, path)
			require.NoError(t, err)
			b[20] ^= 1
			require.NoError(t, files.Replace(fs, fs.PathDir(path), "meta", b))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMem()
			d, err := openTestDisk(fs)
			require.NoError(t, err)
			require.NoError(t, d.write(1, 10))
			require.NoError(t, d.snapshot(10))
			require.NoError(t, d.write(11, 20))
			require.NoError(t, d.log.DeleteRange(1, 8))
			tc.change(t, fs, d)
			d, err = openTestDisk(fs)
			if tc.refused {
				require.Equal(t, errs.Corrupt, errs.KindOf(err), "%v", err)
				require.ErrorContains(t, err, "join again")
				return
			}
			require.NoError(t, err)
			applied, _ := d.fsm.state.applied()
			last, _ := d.log.LastIndex()
			require.Equal(t, tc.applied, applied)
			require.Equal(t, tc.last, last)
			require.NoError(t, d.close())
		})
	}
}

// Raft asks for a snapshot right after it has installed one. With one of our own in
// its place the node would not start again.
func TestNoSnapshotOfAReceivedOne(t *testing.T) {
	fs := vfs.NewMem()
	d, err := openTestDisk(fs)
	require.NoError(t, err)
	require.NoError(t, d.install(streamOf(t, 100), 100))
	_, err = d.fsm.Snapshot()
	require.ErrorIs(t, err, raft.ErrNothingNewToSnapshot)
	require.NoError(t, d.close())
	d, err = openTestDisk(fs)
	require.NoError(t, err, "its log is empty, as it should be")
	require.NoError(t, d.write(101, 102))
	require.NoError(t, d.snapshot(102))
	require.NoError(t, d.close())
}

func TestHalfBootstrapIsForgotten(t *testing.T) {
	fs := vfs.NewMem()
	d, err := openTestDisk(fs)
	require.NoError(t, err)
	require.NoError(t, d.log.SetUint64([]byte(stableTerm), 1))
	require.NoError(t, d.close())
	d, err = openTestDisk(fs)
	require.NoError(t, err)
	has, err := raft.HasExistingState(d.log, d.log, d.snaps)
	require.NoError(t, err)
	require.False(t, has)
	require.NoError(t, d.log.SetUint64([]byte(stableTerm), 1))
	require.NoError(t, d.log.SetUint64([]byte(stableVoteTerm), 1))
	require.NoError(t, d.close())
	d, err = openTestDisk(fs)
	require.NoError(t, err)
	has, err = raft.HasExistingState(d.log, d.log, d.snaps)
	require.NoError(t, err)
	require.True(t, has, "a vote was forgotten")
	require.NoError(t, d.close())
}
