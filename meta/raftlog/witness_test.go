package raftlog

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/files"
)

const (
	livesEntries = 20
	livesLast    = 3 * livesEntries
)

// live is one of three lives of a log, which each end with a flush: it appends
// entries and votes.
func live(t *testing.T, fs vfs.FS, life uint64) *Store {
	t.Helper()
	s := open(t, fs)
	first := life*livesEntries + 1
	require.NoError(t, s.StoreLogs(entries(first, first+livesEntries-1)))
	require.NoError(t, s.SetUint64([]byte("term"), first+livesEntries-1))
	require.NoError(t, s.Set([]byte("vote"), fmt.Append(nil, first+livesEntries-1)))
	return s
}

// threeLives returns a log that was closed, and one whose last life a power cut ended
// right after a flush.
func threeLives(t *testing.T) map[string]*vfs.MemFS {
	t.Helper()
	mem := vfs.NewCrashableMem()
	require.NoError(t, live(t, mem, 0).Close())
	require.NoError(t, live(t, mem, 1).Close())
	s := live(t, mem, 2)
	require.NoError(t, s.db.Flush())
	cut := mem.CrashClone(vfs.CrashCloneCfg{})
	require.NoError(t, s.Close())
	return map[string]*vfs.MemFS{"closed": mem, "cut": cut}
}

// checkLives opens the log and wants everything that was acknowledged, and once more
// after it has gone on, since what is hidden may come back later.
func checkLives(fs vfs.FS) error {
	for last := uint64(livesLast); last < livesLast+2; last++ {
		s, err := Open(Options{FS: fs, Dir: "log", still: true})
		if err != nil {
			return err
		}
		if have, _ := s.LastIndex(); have != last {
			return fmt.Errorf("the log ends at %d and not %d", have, last)
		}
		if err := checkWhole(s, last); err != nil {
			return err
		}
		if err := errors.Join(s.StoreLog(entry(last+1)), s.Close()); err != nil {
			return err
		}
	}
	return nil
}

func checkWhole(s *Store, last uint64) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	for i := uint64(1); i <= last; i++ {
		requireEntry(panics{}, s, entry(i))
	}
	if term, err := s.GetUint64([]byte("term")); err != nil || term != livesLast {
		return fmt.Errorf("term %d: %v", term, err)
	}
	if vote, err := s.Get([]byte("vote")); err != nil || string(vote) != fmt.Sprint(livesLast) {
		return fmt.Errorf("vote %s: %v", vote, err)
	}
	return nil
}

// panics is a test that says by a panic that it has failed.
type panics struct{}

func (panics) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (panics) FailNow()                          { panic("failed") }

// damages are what may happen to a file; each byte or length of it is one case.
var damages = map[string]func(t *testing.T, fs vfs.FS, name string, at int64){
	"flip":     func(t *testing.T, fs vfs.FS, name string, at int64) { flip(t, fs, name, at) },
	"truncate": truncate,
}

func truncate(t *testing.T, fs vfs.FS, name string, length int64) {
	b, err := files.Read(fs, name)
	require.NoError(t, err)
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	_, err = f.Write(b[:length])
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// TestDamagedManifest flips bytes of the files by which Pebble knows what it holds,
// cuts them short and removes them: nothing that was acknowledged is missing, or Open
// says that it may be.
func TestDamagedManifest(t *testing.T) {
	for state, mem := range threeLives(t) {
		inForce := manifestInForce(t, mem)
		names, err := mem.List("log")
		require.NoError(t, err)
		for _, name := range names {
			if strings.HasSuffix(name, ".log") || strings.HasSuffix(name, ".sst") || name == "LOCK" {
				continue // TestDamage.
			}
			t.Run(state+"/"+name, func(t *testing.T) {
				name, stride := "log/"+name, int64(1)
				if !effort.Long() && !strings.HasPrefix(name, inForce) {
					stride = 23
				}
				if effort.Lessened() {
					stride *= 11
				}
				refused, whole := 0, 0
				check := func(fs vfs.FS, what string, at int64) {
					switch err := checkLives(fs); {
					case err == nil:
						whole++
					case errs.Is(err, errs.Corrupt):
						require.ErrorContains(t, err, "join again")
						refused++
					default:
						t.Errorf("%s at %d: %v", what, at, err)
					}
				}
				for what, damage := range damages {
					for at := int64(0); at < fileSize(t, mem, name); at += stride {
						fs := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
						damage(t, fs, name, at)
						check(fs, what, at)
					}
				}
				fs := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
				require.NoError(t, fs.Remove(name))
				check(fs, "remove", 0)
				t.Logf("refused %d, whole %d", refused, whole)
				if name == inForce {
					require.Zero(t, whole)
				}
			})
		}
	}
}

// TestManifestPowerCut cuts the power before each write while MANIFESTs are made and
// grow: a tail that was never relied on is not taken for damage.
func TestManifestPowerCut(t *testing.T) {
	effort.SkipLessened(t)
	for _, percent := range []int{50, 0, 100} {
		t.Run(fmt.Sprint(percent), func(t *testing.T) {
			mem := vfs.NewCrashableMem()
			rng := rand.New(rand.NewPCG(2, uint64(percent)))
			var acked atomic.Uint64
			var mu sync.Mutex // Pebble writes from several goroutines.
			var failed error
			manifests, markers := 0, 0
			fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
				if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
					return nil
				}
				mu.Lock()
				defer mu.Unlock()
				if strings.Contains(op.Path, manifestPrefix) {
					manifests++
				}
				if strings.Contains(op.Path, "marker.") {
					markers++
				}
				floor := acked.Load()
				clone := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
				if err := checkAfterPowerCut(clone, floor, 0, 0); err != nil && failed == nil {
					failed = fmt.Errorf("before %v of %s: %w", op.Kind, op.Path, err)
				}
				return nil
			}))
			for life := range uint64(4) {
				s := open(t, fs)
				for i := range uint64(3) {
					next := life*30 + i*10 + 1
					require.NoError(t, s.StoreLogs(entries(next, next+9)))
					acked.Store(next + 9)
					require.NoError(t, s.db.Flush())
				}
				require.NoError(t, s.Close())
			}
			require.NoError(t, failed)
			require.Greater(t, manifests, 20)
			require.Greater(t, markers, 3)
		})
	}
}

// TestTornManifest: what a MANIFEST holds beyond its witness may be anything.
func TestTornManifest(t *testing.T) {
	for name, tail := range map[string]string{
		"zeros": strings.Repeat("\x00", 300), "junk": strings.Repeat("\xa5", 300), "little": "x",
	} {
		t.Run(name, func(t *testing.T) {
			mem := threeLives(t)["closed"]
			file := manifestInForce(t, mem)
			b, err := files.Read(mem, file)
			require.NoError(t, err)
			f, err := mem.Create(file, vfs.WriteCategoryUnspecified)
			require.NoError(t, err)
			_, err = f.Write(append(b, tail...))
			require.NoError(t, errors.Join(err, f.Close()))
			require.NoError(t, checkLives(mem))
		})
	}
}

func manifestInForce(t *testing.T, fs vfs.FS) string {
	t.Helper()
	name, err := atomicfs.ReadMarker(fs, "log", manifestMarker)
	require.NoError(t, err)
	return fs.PathJoin("log", name)
}

// TestWitnessesOfOldManifestsGo: each Open makes a MANIFEST, and removes the witnesses
// of earlier ones.
func TestWitnessesOfOldManifestsGo(t *testing.T) {
	mem := vfs.NewMem()
	for life := range uint64(5) {
		require.NoError(t, live(t, mem, life).Close())
	}
	names, err := mem.List("log")
	require.NoError(t, err)
	witnesses := 0
	for _, name := range names {
		if strings.HasSuffix(name, witnessSuffix) {
			witnesses++
		}
	}
	require.LessOrEqual(t, witnesses, 3)
	require.Contains(t, names, mem.PathBase(manifestInForce(t, mem))+witnessSuffix)
}

// TestOpenTwice: a log in use is not a damaged one.
func TestOpenTwice(t *testing.T) {
	mem := vfs.NewMem()
	s := open(t, mem)
	_, err := Open(Options{FS: mem, Dir: "log"})
	require.Equal(t, errs.Internal, errs.KindOf(err), "%v", err)
	require.NoError(t, s.Close())
	require.NoError(t, open(t, mem).Close())
}

// TestFailedOpenIsNoDamage: an error of the file system does not send anybody to
// rebuild the node.
func TestFailedOpenIsNoDamage(t *testing.T) {
	mem := vfs.NewMem()
	require.NoError(t, live(t, mem, 0).Close())
	failing := func(n int64) error {
		var calls atomic.Int64
		fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == errorfs.OpOpen && calls.Add(1) == n {
				return &iofs.PathError{Op: "open", Path: op.Path, Err: errors.New("input/output error")}
			}
			return nil
		}))
		s, err := Open(Options{FS: fs, Dir: "log", still: true, Events: Events{Fatal: func(error) {}}})
		if err == nil {
			return s.Close()
		}
		require.Equal(t, errs.Internal, errs.KindOf(err), "%v", err)
		return err
	}
	require.Error(t, failing(1)) // The witness.
	require.Error(t, failing(2)) // The MANIFEST.
	require.Error(t, failing(3)) // The MANIFEST, by Pebble.
	require.NoError(t, failing(1000))
}

// TestFailedWitnessIsFatal: Pebble must not go on to remove what only the MANIFEST's
// last record makes obsolete.
func TestFailedWitnessIsFatal(t *testing.T) {
	mem := vfs.NewCrashableMem()
	var on atomic.Bool
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if on.Load() && op.Kind == errorfs.OpFileSync && strings.HasSuffix(op.Path, witnessSuffix) {
			return errorfs.ErrInjected
		}
		return nil
	}))
	// What is on the disk when the process ends: here it goes on, and Pebble tries again.
	var once sync.Once
	var cut *vfs.MemFS
	fatal := make(chan error, 1)
	s, err := Open(Options{FS: fs, Dir: "log", still: true, Events: Events{Fatal: func(err error) {
		once.Do(func() {
			cut = mem.CrashClone(vfs.CrashCloneCfg{})
			fatal <- err
		})
	}}})
	require.NoError(t, err)
	require.NoError(t, s.StoreLogs(entries(1, 20)))
	on.Store(true)
	_, err = s.db.AsyncFlush()
	require.NoError(t, err)
	require.ErrorContains(t, <-fatal, "MANIFEST sync failed")
	require.Error(t, s.StoreLogs(entries(21, 21)))
	on.Store(false)
	require.NoError(t, checkAfterPowerCut(cut, 20, 0, 0))
	_ = s.Close()
}
