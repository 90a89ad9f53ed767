package group

import (
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/room"
)

// fullFS is full for everything that is written outside of the ballast, for as long as
// pieces of the ballast are there that a write could have; it tells its room.
type fullFS struct {
	vfs.FS
	full func(name string) bool
}

func (f fullFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{TotalBytes: 1 << 30, AvailBytes: 1 << 29}, nil
}

func (f fullFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if f.full(name) {
		return nil, &vfsError{}
	}
	return f.FS.Create(name, c)
}

type vfsError struct{}

func (*vfsError) Error() string { return "no space left on device" }
func (*vfsError) Unwrap() error { return syscall.ENOSPC }

// TestOnlyLogsTakeThePieceForStarts: a database flushes onto a full disk again and again,
// then begins a new log on it. The flushes leave the piece for starts, the log takes it.
func TestOnlyLogsTakeThePieceForStarts(t *testing.T) {
	mem := vfs.NewMem()
	require.NoError(t, mem.MkdirAll("home/db", 0o700))
	var r *room.Room
	var tables, logs atomic.Bool // Are refused; flushes ask in goroutines of their own.
	fs := fullFS{mem, func(name string) bool {
		switch {
		case strings.HasSuffix(name, ".sst"):
			return tables.Load()
		case strings.HasSuffix(name, ".log"):
			return logs.Load() && r.Status().Ballast > 0 // What the last piece leaves is enough.
		}
		return false
	}}
	const piece = 1 << 20
	r, err := room.Open(room.Config{FS: fs, Dir: "home", Reserve: 1 << 20, Ballast: 4 * piece})
	require.NoError(t, err)
	for range 5 {
		r.Look()
	}
	require.EqualValues(t, 4*piece, r.Status().Ballast)

	failed := make(chan struct{}, 1000)
	db, err := pebble.Open("home/db", &pebble.Options{FS: newBallastFS(fs, r), Logger: quietLogger{}, DisableAutomaticCompactions: true,
		EventListener: &pebble.EventListener{BackgroundError: func(error) {
			select {
			case failed <- struct{}{}:
			default:
			}
		}}})
	require.NoError(t, err)
	require.NoError(t, db.Set([]byte("k"), []byte("v"), pebble.Sync))
	tables.Store(true)
	flushed, err := db.AsyncFlush()
	require.NoError(t, err)
	for range 8 {
		<-failed
	}
	require.EqualValues(t, piece, r.Status().Ballast, "flushes took all but the piece for starts, and wait")

	logs.Store(true)
	w, err := newBallastFS(fs, r).Create("home/db/000999.log", "test")
	require.NoError(t, err, "the log gets the last piece")
	require.NoError(t, w.Close())
	require.Zero(t, r.Status().Ballast)

	tables.Store(false)
	logs.Store(false)
	<-flushed
	require.NoError(t, mem.Remove("home/db/000999.log"))
	require.NoError(t, db.Close())
}

type quietLogger struct{}

func (quietLogger) Infof(string, ...any)         {}
func (quietLogger) Errorf(string, ...any)        {}
func (quietLogger) Fatalf(f string, args ...any) { panic(f) }
