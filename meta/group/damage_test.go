package group

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/files"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/snapshot"
	"github.com/cairnstore/cairn/meta/state"
)

const (
	damagedLast     = 90
	damagedSnapshot = 60 // Index of the newest snapshot.
)

func openRealDisk(fs vfs.FS) (*disk, error) {
	return openDiskOf(fs, openRealState(Config{CacheBytes: 1 << 20, Events: Events{Fatal: func(error) {}}.withDefaults()}))
}

// realEntry is an entry of a log that fills the real state machine.
func realEntry(t *testing.T, i uint64) *raft.Log {
	session := []byte("0123456789abcdef")
	var cmd *metapb.Command
	switch i {
	case 1:
		cmd = &metapb.Command{Op: &metapb.Command_FormCluster{FormCluster: &metapb.FormCluster{Id: "c"}}}
	case 2:
		cmd = &metapb.Command{Op: &metapb.Command_RegisterNode{RegisterNode: &metapb.RegisterNode{Node: &metapb.Node{Id: 1}}}}
	case 3:
		cmd = &metapb.Command{Op: &metapb.Command_OpenSession{OpenSession: &metapb.OpenSession{Node: 1, Session: session}}}
	case 4:
		cmd = createBucket("b")
	default:
		cmd = putInline("b", fmt.Sprint(i%7), i, []byte{byte(i)})
	}
	if i > 3 {
		cmd.Session, cmd.Seq, cmd.Floor, cmd.TimeMs = session, i, i, 1700000000000
	}
	b, err := proto.Marshal(cmd)
	require.NoError(t, err)
	return &raft.Log{Index: i, Term: 1, Type: raft.LogCommand, Data: b}
}

func (d *disk) fill(t *testing.T, lo, hi uint64) {
	for i := lo; i <= hi; i++ {
		l := realEntry(t, i)
		require.NoError(t, d.log.StoreLog(l))
		r, ok := d.fsm.ApplyBatch([]*raft.Log{l})[0].(*metapb.Result)
		require.True(t, ok)
		require.Zero(t, r.Refusal, r.Detail)
	}
}

// damagedDisk is a disk whose state was flushed at several places, with two snapshots,
// and whose log was cut behind the newer one.
func damagedDisk(t *testing.T) *vfs.MemFS {
	mem := vfs.NewCrashableMem()
	d, err := openRealDisk(mem)
	require.NoError(t, err)
	d.fill(t, 1, 30)
	require.NoError(t, d.snapshot(30))
	require.NoError(t, d.close())
	d, err = openRealDisk(mem)
	require.NoError(t, err)
	d.fill(t, 31, damagedSnapshot)
	require.NoError(t, d.snapshot(damagedSnapshot))
	d.fill(t, damagedSnapshot+1, 75)
	require.NoError(t, d.log.DeleteRange(1, damagedSnapshot-10))
	require.NoError(t, d.fsm.state.current.Flush())
	d.fill(t, 76, damagedLast)
	require.NoError(t, d.close())
	return mem
}

// goOn opens the disk and does what Raft does: it applies the entries behind the newest
// snapshot. It returns the hash of the state.
func goOn(fs vfs.FS) (hash [32]byte, err error) {
	d, err := openRealDisk(fs)
	if err != nil {
		return hash, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	last, _ := d.log.LastIndex()
	if last != damagedLast {
		return hash, fmt.Errorf("the log ends at entry %d", last)
	}
	var logs []*raft.Log
	for i := d.snaps.Latest().Raft.Index + 1; i <= last; i++ {
		l := new(raft.Log)
		if err := d.log.GetLog(i, l); err != nil {
			return hash, err
		}
		logs = append(logs, l)
	}
	for _, reply := range d.fsm.ApplyBatch(logs) {
		if err, failed := reply.(error); failed {
			return hash, err
		}
	}
	return d.fsm.state.current.(*state.State).Hash()
}

// eachDamage calls f with a copy of the disk for each byte of each file below dir that
// is flipped, and for each length it is cut to. Tables and logs have tests of their own.
func eachDamage(t *testing.T, mem *vfs.MemFS, dir string, f func(t *testing.T, fs *vfs.MemFS) error) {
	names, err := mem.List(dir)
	require.NoError(t, err)
	for _, name := range names {
		path := mem.PathJoin(dir, name)
		info, err := mem.Stat(path)
		require.NoError(t, err)
		if info.IsDir() {
			eachDamage(t, mem, path, f)
			continue
		}
		if name == "LOCK" || slices.Contains([]string{".sst", ".blob", ".log"}, filepath.Ext(name)) {
			continue
		}
		stride := int64(1)
		if !effort.Long() && (strings.HasPrefix(name, "OPTIONS") || name == "meta") {
			stride = 61
		}
		if effort.Lessened() {
			stride *= 11
		}
		t.Run(path, func(t *testing.T) {
			b, err := files.Read(mem, path)
			require.NoError(t, err)
			refused, right := 0, 0
			for at := int64(0); at < int64(len(b)); at += stride {
				flipped := bytes.Clone(b)
				flipped[at] ^= 0x40
				for _, bad := range [][]byte{flipped, b[:at]} {
					fs := mem.CrashClone(vfs.CrashCloneCfg{})
					require.NoError(t, files.Replace(fs, fs.PathDir(path), fs.PathBase(path), bad))
					err := f(t, fs)
					if err == nil {
						right++
						continue
					}
					require.Equal(t, errs.Corrupt, errs.KindOf(err), "byte %d, %d left: %v", at, len(bad), err)
					refused++
				}
			}
			t.Logf("refused %d, right %d", refused, right)
		})
	}
}

// TestDamagedDisk: whatever is damaged, the node refuses to start or comes to hold what
// was acknowledged; it does not take an older state for the current one.
func TestDamagedDisk(t *testing.T) {
	mem := damagedDisk(t)
	want, err := goOn(mem.CrashClone(vfs.CrashCloneCfg{}))
	require.NoError(t, err)
	eachDamage(t, mem, "meta", func(t *testing.T, fs *vfs.MemFS) error {
		got, err := goOn(fs)
		if err == nil {
			require.Equal(t, want, got, "another state")
		}
		return err
	})
}

// TestDamagedSnapshot: a damaged snapshot is neither restored nor sent.
func TestDamagedSnapshot(t *testing.T) {
	mem := damagedDisk(t)
	require.NoError(t, mem.RemoveAll("meta/state")) // What is left needs the snapshot.
	require.NoError(t, files.SyncDir(mem, "meta"))
	want, err := goOn(mem.CrashClone(vfs.CrashCloneCfg{}))
	require.NoError(t, err)
	snaps, err := snapshot.Open(mem, "meta/snapshots")
	require.NoError(t, err)
	newest := fmt.Sprintf("meta/snapshots/%d/state", snaps.Latest().Number)
	t.Run("restored", func(t *testing.T) {
		eachDamage(t, mem, newest, func(t *testing.T, fs *vfs.MemFS) error {
			got, err := goOn(fs)
			if err == nil {
				require.Equal(t, want, got, "another state")
			}
			return err
		})
	})
	t.Run("sent", func(t *testing.T) {
		eachDamage(t, mem, newest, func(t *testing.T, fs *vfs.MemFS) error {
			s, err := snapshot.Open(fs, "meta/snapshots")
			require.NoError(t, err)
			_, source, err := s.Open(s.Latest().Raft.ID)
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, source)
			require.Error(t, err, "it was sent")
			require.NoError(t, source.Close())
			if errors.Is(err, io.ErrUnexpectedEOF) { // It was cut short.
				return errs.New("", errs.Corrupt, err)
			}
			return err
		})
	})
}

// TestRestoreOfAnotherState: a snapshot whose state is not of the entry it names leaves the
// old state in force.
func TestRestoreOfAnotherState(t *testing.T) {
	d, err := openTestDisk(vfs.NewMem())
	require.NoError(t, err)
	require.NoError(t, d.write(1, 10))
	wrong, err := d.snaps.Checkpoint(11, 1, d.fsm.state.current.Checkpoint)
	require.NoError(t, err)
	sink, err := d.snaps.Create(1, 11, 1, raft.Configuration{}, 1, nil)
	require.NoError(t, err)
	require.NoError(t, wrong.Persist(sink))
	_, source, err := d.snaps.Open(sink.ID())
	require.NoError(t, err)
	defer source.Close()
	err = d.fsm.Restore(source)
	require.Equal(t, errs.Corrupt, errs.KindOf(err), "%v", err)
	applied, _ := d.fsm.state.applied()
	require.Equal(t, uint64(10), applied)
	require.NoError(t, d.write(11, 12))
	require.NoError(t, d.close())
}
