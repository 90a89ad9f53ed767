package raftlog

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/cluster/errs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t require.TestingT, fs vfs.FS) *Store {
	s, err := Open(Options{FS: fs, Dir: "log"})
	require.NoError(t, err)
	return s
}

func entry(i uint64) *raft.Log {
	return &raft.Log{Index: i, Term: i/10 + 1, Type: raft.LogType(i % 2 * 5),
		Data: bytes.Repeat([]byte{byte(i)}, int(i*7%300)), AppendedAt: time.Unix(int64(i), 5)}
}

func entries(lo, hi uint64) (out []*raft.Log) {
	for i := lo; i <= hi; i++ {
		out = append(out, entry(i))
	}
	return out
}

func requireEntry(t require.TestingT, s *Store, want *raft.Log) {
	var got raft.Log
	require.NoError(t, s.GetLog(want.Index, &got))
	require.Equal(t, want.Index, got.Index)
	require.Equal(t, want.Term, got.Term)
	require.Equal(t, want.Type, got.Type)
	require.True(t, bytes.Equal(want.Data, got.Data))
	require.True(t, bytes.Equal(want.Extensions, got.Extensions))
	require.True(t, want.AppendedAt.Equal(got.AppendedAt))
}

// TestModel runs random appends, truncations and reopenings against a slice.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fs := vfs.NewMem()
		s := open(t, fs)
		var first, last uint64
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				from := last + 1
				if first == 0 {
					from = rapid.Uint64Range(1, 1000).Draw(t, "from")
				}
				n := rapid.Uint64Range(1, 50).Draw(t, "n")
				require.NoError(t, s.StoreLogs(entries(from, from+n-1)))
				if first == 0 {
					first = from
				}
				last = from + n - 1
			},
			"gap": func(t *rapid.T) {
				if first != 0 {
					require.Error(t, s.StoreLog(entry(last+2)))
					require.Error(t, s.StoreLog(entry(last)))
				}
			},
			"cut": func(t *rapid.T) {
				if first == 0 {
					return
				}
				at := rapid.Uint64Range(first, last).Draw(t, "at")
				if rapid.Bool().Draw(t, "suffix") {
					require.NoError(t, s.DeleteRange(at, last))
					last = at - 1
				} else {
					require.NoError(t, s.DeleteRange(first, at))
					first = at + 1
				}
				if first > last {
					first, last = 0, 0
				}
			},
			"reopen": func(t *rapid.T) {
				require.NoError(t, s.Close())
				s = open(t, fs)
			},
			"": func(t *rapid.T) {
				f, _ := s.FirstIndex()
				l, _ := s.LastIndex()
				require.Equal(t, [2]uint64{first, last}, [2]uint64{f, l})
				for i := first; first != 0 && i <= last; i += 1 + (last-first)/20 {
					requireEntry(t, s, entry(i))
				}
				var e raft.Log
				require.ErrorIs(t, s.GetLog(last+1, &e), raft.ErrLogNotFound)
			},
		})
		require.NoError(t, s.Close())
	})
}

// TestReadsPastTheRing reads entries that are only on disk.
func TestReadsPastTheRing(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer s.Close()
	big := func(i uint64) *raft.Log {
		return &raft.Log{Index: i, Term: 1, Data: bytes.Repeat([]byte{byte(i)}, 100<<10), Extensions: []byte{byte(i)}}
	}
	for i := uint64(1); i <= 200; i++ {
		require.NoError(t, s.StoreLog(big(i)))
	}
	require.Greater(t, s.tail.lo, uint64(100))
	require.LessOrEqual(t, s.tail.bytes, ringBytes)
	for i := uint64(1); i <= 200; i++ {
		requireEntry(t, s, big(i))
	}
	require.NoError(t, s.StoreLog(&raft.Log{Index: 201, Data: make([]byte, ringBytes+1)}))
	require.NoError(t, s.StoreLog(big(202)))
	requireEntry(t, s, big(202))
	requireEntry(t, s, &raft.Log{Index: 201, Data: make([]byte, ringBytes+1)})
}

func TestStable(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, fs)
	_, err := s.Get([]byte("a"))
	require.EqualError(t, err, "not found")
	_, err = s.GetUint64([]byte("a"))
	require.EqualError(t, err, "not found")
	require.NoError(t, s.Set([]byte("a"), []byte("x")))
	require.NoError(t, s.SetUint64([]byte("n"), 7))
	require.NoError(t, s.Close())
	s = open(t, fs)
	v, err := s.Get([]byte("a"))
	require.NoError(t, err)
	require.Equal(t, "x", string(v))
	n, err := s.GetUint64([]byte("n"))
	require.NoError(t, err)
	require.Equal(t, uint64(7), n)
	_, err = s.GetUint64([]byte("a"))
	require.Equal(t, errs.Corrupt, errs.KindOf(err))
	require.NoError(t, s.Close())
}

// TestPowerCut cuts the power at each write and sync: whatever was acknowledged is
// there afterwards, and the log is whole.
func TestPowerCut(t *testing.T) {
	for _, percent := range []int{0, 50, 100} {
		t.Run(fmt.Sprint(percent), func(t *testing.T) {
			mem := vfs.NewCrashableMem()
			rng := rand.New(rand.NewPCG(1, uint64(percent)))
			var acked, cut, vote atomic.Uint64
			var mu sync.Mutex // Pebble writes from several goroutines.
			var ops int
			check := func() error {
				floor, first, voted := acked.Load(), cut.Load(), vote.Load()
				clone := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
				return checkAfterPowerCut(clone, floor, first, voted)
			}
			var failed atomic.Pointer[error]
			fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
				if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
					return nil
				}
				mu.Lock()
				defer mu.Unlock()
				if ops++; ops%3 == 0 {
					if err := check(); err != nil {
						failed.CompareAndSwap(nil, &err)
					}
				}
				return nil
			}))
			s := open(t, fs)
			for i := uint64(1); i <= 300; i += 5 {
				require.NoError(t, s.StoreLogs(entries(i, i+4)))
				acked.Store(i + 4)
				if i%50 == 1 {
					require.NoError(t, s.SetUint64([]byte("vote"), i))
					vote.Store(i)
				}
				if i == 101 || i == 201 {
					cut.Store(i - 50)
					require.NoError(t, s.DeleteRange(1, i-50))
					require.NoError(t, s.db.Flush())
				}
			}
			require.NoError(t, s.Close())
			require.NoError(t, check())
			if err := failed.Load(); err != nil {
				t.Fatal(*err)
			}
			require.Greater(t, ops, 60)
		})
	}
}

// checkAfterPowerCut opens what a power cut left and compares it with what had been
// acknowledged: entries up to floor, of which those up to cut may be gone, and a vote.
func checkAfterPowerCut(fs vfs.FS, floor, cut, vote uint64) error {
	s, err := Open(Options{FS: fs, Dir: "log"})
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Cut(); err != nil {
		return fmt.Errorf("a power cut is taken for damage: %w", err)
	}
	last, _ := s.LastIndex()
	if last < floor {
		return fmt.Errorf("the log ends at %d although %d was acknowledged", last, floor)
	}
	for i := cut + 1; i <= last; i++ {
		var e raft.Log
		if err := s.GetLog(i, &e); err != nil || !bytes.Equal(e.Data, entry(i).Data) || e.Term != entry(i).Term {
			return fmt.Errorf("entry %d: %v, %+v", i, err, e)
		}
	}
	if vote > 0 {
		if v, err := s.GetUint64([]byte("vote")); err != nil || v < vote {
			return fmt.Errorf("vote %d where %d was acknowledged: %v", v, vote, err)
		}
	}
	return nil
}

// walBlockBytes is the block of Pebble's write-ahead log. In the last one damage looks
// like a torn tail.
const walBlockBytes = 32 << 10

// TestDamage flips bytes of the log's files at rest: Open must refuse, or have lost
// nothing, or say what is lost; in the last block of the write-ahead log too.
func TestDamage(t *testing.T) {
	mem := vfs.NewCrashableMem()
	s := open(t, mem)
	require.NoError(t, s.StoreLogs(entries(1, 200)))
	require.NoError(t, s.db.Flush())
	const last = 1000
	for i := uint64(201); i <= last; i++ {
		require.NoError(t, s.StoreLog(entry(i)))
	}
	syncMark(s)
	clone := func() *vfs.MemFS { return mem.CrashClone(vfs.CrashCloneCfg{}) }
	names, err := clone().List("log")
	require.NoError(t, err)
	refused, whole, short, tail := 0, 0, 0, 0
	stride := effort.Of[int64](331, 5*331, 331)
	for _, name := range names {
		ext := name[strings.LastIndexByte(name, '.')+1:]
		if ext != "log" && ext != "sst" {
			continue
		}
		size := fileSize(t, clone(), "log/"+name)
		for off := int64(0); off < size; off += stride {
			fs := clone()
			flip(t, fs, "log/"+name, off)
			s, err := Open(Options{FS: fs, Dir: "log", still: true, Events: Events{Fatal: func(error) {}}})
			if err != nil {
				refused++
				require.Equal(t, errs.Corrupt, errs.KindOf(err), "%s at %d: %v", name, off, err)
				require.ErrorContains(t, err, "join again")
				continue
			}
			if have, _ := s.LastIndex(); have == last {
				whole++
			} else {
				short++
				if off >= size/walBlockBytes*walBlockBytes {
					tail++
				}
				require.ErrorContains(t, s.Cut(), fmt.Sprintf("up to entry %d once", last),
					"%s at %d of %d: entries after %d are lost silently", name, off, size, have)
			}
			require.NoError(t, s.Close())
		}
	}
	t.Logf("refused %d, whole %d, short %d (%d by the last block)", refused, whole, short, tail)
	require.Greater(t, refused, effort.Of(50, 10, 50))
	require.Positive(t, tail)
	require.NoError(t, s.Close())
}

// syncMark makes the mark as durable as it is a moment after the last entry.
func syncMark(s *Store) { s.mark.note(true, func(_, _ *uint64) {}) }

// TestCutVote: a vote that rotted in the write-ahead log is missed, and a log that was
// accepted as it is counts from then on.
func TestCutVote(t *testing.T) {
	mem := vfs.NewCrashableMem()
	s := open(t, mem)
	require.NoError(t, s.StoreLogs(entries(1, 20)))
	require.NoError(t, s.db.Flush())
	require.NoError(t, s.SetUint64([]byte("term"), 7))
	cut := mem.CrashClone(vfs.CrashCloneCfg{})
	require.NoError(t, s.Close())
	names, err := cut.List("log")
	require.NoError(t, err)
	slices.Sort(names) // They come in no order.
	var newest string
	for _, name := range names {
		if strings.HasSuffix(name, ".log") {
			newest = name
		}
	}
	flip(t, cut, "log/"+newest, 20)
	s = open(t, cut)
	require.ErrorContains(t, s.Cut(), "0 changes of term and vote, but 1 were durable once")
	require.NoError(t, s.Accept())
	require.NoError(t, s.Cut())
	require.NoError(t, s.Close())
	s = open(t, cut)
	require.NoError(t, s.Cut())
	require.NoError(t, s.Close())
}

// TestMark: what was deleted on purpose is not missed, nor does damage of the mark raise
// a false alarm.
func TestMark(t *testing.T) {
	mem := vfs.NewCrashableMem()
	s := open(t, mem)
	require.NoError(t, s.StoreLogs(entries(1, 50)))
	require.NoError(t, s.DeleteRange(41, 50))
	require.NoError(t, s.StoreLogs(entries(41, 45)))
	require.NoError(t, s.DeleteRange(1, 45))
	require.NoError(t, s.StoreLogs(entries(30, 32)))
	require.NoError(t, s.SetUint64([]byte("term"), 7))
	require.NoError(t, s.Close())
	for at := range fileSize(t, mem, "log/"+markName) {
		if effort.Leaves(int(at), 5) {
			continue
		}
		fs := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
		flip(t, fs, "log/"+markName, at)
		s := open(t, fs)
		require.NoError(t, s.Cut(), "byte %d", at)
		require.NoError(t, s.Close())
	}
	require.NoError(t, mem.Remove("log/"+markName))
	s = open(t, mem)
	require.NoError(t, s.Cut())
	require.NoError(t, s.Close())
}

func fileSize(t *testing.T, fs vfs.FS, name string) int64 {
	info, err := fs.Stat(name)
	require.NoError(t, err)
	return info.Size()
}

func flip(t *testing.T, fs vfs.FS, name string, off int64) {
	f, err := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	var b [1]byte
	_, err = f.ReadAt(b[:], off)
	require.NoError(t, err)
	b[0] ^= 0x40
	_, err = f.WriteAt(b[:], off)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, f.Close())
}

// TestRefusesGapsAndMisplacedEntries damages the log above Pebble's own checksums.
func TestRefusesGapsAndMisplacedEntries(t *testing.T) {
	for name, damage := range map[string]func(*pebble.DB) error{
		"gap": func(db *pebble.DB) error { return db.Delete(logKey(7), pebble.Sync) },
		"misplaced": func(db *pebble.DB) error {
			v, c, err := db.Get(logKey(6))
			if err != nil {
				return err
			}
			defer c.Close()
			return db.Set(logKey(7), v, pebble.Sync)
		},
		"empty":   func(db *pebble.DB) error { return db.Set(logKey(7), nil, pebble.Sync) },
		"bad key": func(db *pebble.DB) error { return db.Set([]byte("lx"), []byte("1234567"), pebble.Sync) },
	} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMem()
			s := open(t, fs)
			require.NoError(t, s.StoreLogs(entries(1, 10)))
			require.NoError(t, damage(s.db))
			require.NoError(t, s.Close())
			_, err := Open(Options{FS: fs, Dir: "log"})
			require.Equal(t, errs.Corrupt, errs.KindOf(err), "%v", err)
		})
	}
}

// TestFailedSync: an error of a sync is fatal, and nothing is written after it.
func TestFailedSync(t *testing.T) {
	mem := vfs.NewMem()
	var on atomic.Bool
	var after atomic.Int64
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !on.Load() || !strings.HasSuffix(op.Path, ".log") {
			return nil
		}
		switch op.Kind {
		case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
			after.Add(1)
			return errorfs.ErrInjected
		}
		return nil
	}))
	fatal := make(chan error, 10)
	s, err := Open(Options{FS: fs, Dir: "log", still: true, Events: Events{Fatal: func(err error) { fatal <- err }}})
	require.NoError(t, err)
	require.NoError(t, s.StoreLogs(entries(1, 3)))
	on.Store(true)
	require.Error(t, s.StoreLogs(entries(4, 5)))
	require.Error(t, <-fatal)
	require.Empty(t, fatal)
	n := after.Load()
	require.Error(t, s.StoreLogs(entries(4, 5)))
	require.Error(t, s.SetUint64([]byte("vote"), 1))
	require.Error(t, s.DeleteRange(1, 2))
	require.Equal(t, n, after.Load(), "a sync was tried again")
	last, _ := s.LastIndex()
	require.Equal(t, uint64(3), last)
	on.Store(false)
	_ = s.Close()
}

// TestHungSync: a sync that does not end is fatal after the deadline.
func TestHungSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var on atomic.Bool
		release := make(chan struct{})
		fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
			if on.Load() && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) {
				<-release
			}
			return nil
		}))
		fatal := make(chan error, 1)
		s, err := Open(Options{FS: fs, Dir: "log", still: true, Events: Events{Fatal: func(err error) { fatal <- err }}})
		require.NoError(t, err)
		on.Store(true)
		start := time.Now()
		done := make(chan error)
		go func() { done <- s.StoreLogs(entries(1, 1)) }()
		require.ErrorContains(t, <-fatal, "hangs")
		require.Equal(t, DefaultWriteTimeout, time.Since(start))
		on.Store(false)
		close(release)
		require.Error(t, <-done, "a write past its deadline is acknowledged")
		require.NoError(t, s.Close())
	})
}

func FuzzDecode(f *testing.F) {
	var e raft.Log
	for i := uint64(1); i < 4; i++ {
		b := appendHeader(nil, entry(i))
		f.Add(i, append(b, entry(i).Data...))
	}
	f.Fuzz(func(t *testing.T, index uint64, body []byte) {
		key := logKey(index)
		sum := checksum(key, body)
		v := append(append([]byte(nil), body...), byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24))
		if decode(key, v, &e) == nil {
			require.Equal(t, index, e.Index)
			again := append(append(appendHeader(nil, &e), e.Extensions...), e.Data...)
			var f raft.Log
			sum := checksum(key, again)
			again = append(again, byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24))
			require.NoError(t, decode(key, again, &f))
			require.Equal(t, e, f)
		}
	})
}

func BenchmarkStoreLogs(b *testing.B) {
	s := open(b, vfs.NewMem())
	defer s.Close()
	data := make([]byte, 4<<10)
	var next uint64 = 1
	b.ReportAllocs()
	for b.Loop() {
		logs := make([]*raft.Log, 16)
		for i := range logs {
			logs[i] = &raft.Log{Index: next, Term: 1, Data: data}
			next++
		}
		require.NoError(b, s.StoreLogs(logs))
		if next%4096 == 1 {
			require.NoError(b, s.DeleteRange(1, next-2048))
		}
	}
}
