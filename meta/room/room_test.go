package room

import (
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
)

const mib = 1 << 20

// disk is a file system of a size, of which others use a part. Allocated files count.
type disk struct {
	vfs.FS
	size, others uint64
	taken        map[string]uint64
}

func newDisk(size uint64) *disk {
	return &disk{FS: vfs.NewMem(), size: size, taken: map[string]uint64{}}
}

func (d *disk) free() uint64 {
	used := d.others
	for _, n := range d.taken {
		used += n
	}
	return d.size - min(used, d.size)
}

// fill leaves nothing free.
func (d *disk) fill() { d.others += d.free() }

func (d *disk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{TotalBytes: d.size, AvailBytes: d.free()}, nil
}

func (d *disk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.Create(name, c)
	return file{f, d, name}, err
}

func (d *disk) Remove(name string) error {
	delete(d.taken, name)
	return d.FS.Remove(name)
}

type file struct {
	vfs.File
	d    *disk
	name string
}

func (f file) Preallocate(off, n int64) error {
	if f.d.free() < uint64(n) {
		return syscall.ENOSPC
	}
	f.d.taken[f.name] = uint64(off + n)
	return nil
}

func open(t *testing.T, d *disk) *Room {
	t.Helper()
	require.NoError(t, d.MkdirAll("home", 0o700))
	r, err := Open(Config{FS: d, Dir: "home", Reserve: 64 * mib})
	require.NoError(t, err)
	return r
}

func looks(r *Room, n int) (s Status) {
	for range n {
		s = r.Look()
	}
	return s
}

// TestLevels fills a disk step by step, as another program does, and frees it again.
func TestLevels(t *testing.T) {
	d := newDisk(1 << 30)
	r := open(t, d)
	require.Equal(t, Plenty, r.Level())
	s := looks(r, 5)
	require.Equal(t, Status{Plenty, 1<<30 - 128*mib, 64 * mib, 128 * mib}, s)

	d.others = 1<<30 - 128*mib - 63*mib
	s = looks(r, 1)
	require.Equal(t, Low, s.Level)
	require.EqualValues(t, 128*mib, s.Ballast, "above the floor the ballast is kept")
	require.NoError(t, r.Admit(mib))

	d.fill() // To the last byte: the ballast makes room for deletions.
	require.NoError(t, r.Admit(mib))
	s = r.Status()
	require.Equal(t, Low, s.Level)
	require.EqualValues(t, 64*mib, s.Ballast)

	d.fill() // What was given up is taken by the others too,
	require.Equal(t, Low, looks(r, 1).Level)
	d.fill() // and the last piece but that for starts.
	s = looks(r, 1)
	require.Equal(t, Full, s.Level)
	require.EqualValues(t, 32*mib, s.Ballast, "the piece for starts is kept")
	require.True(t, errs.Is(r.Admit(1), errs.NoSpace))

	d.others = 0
	s = looks(r, 1)
	require.Equal(t, Low, s.Level, "the ballast is not whole yet")
	s = looks(r, 3)
	require.Equal(t, Plenty, s.Level)
	require.EqualValues(t, 128*mib, s.Ballast)
}

// TestStartOnAFullDisk: a start gets the piece that is kept for it, and one that finds it
// used up is told so until there is room.
func TestStartOnAFullDisk(t *testing.T) {
	d := newDisk(1 << 30)
	r := open(t, d)
	looks(r, 5)
	for range pieces {
		d.fill()
		r.Look()
	}
	r = open(t, d)
	require.EqualValues(t, 32*mib, r.Status().Ballast, "all but the piece for starts is used")
	require.Zero(t, r.Status().Free)
	require.True(t, r.Unlock())
	require.NotEqual(t, Plenty, r.Level())

	d.fill()
	r = open(t, d)
	require.False(t, r.Unlock())
	require.Equal(t, Full, r.Level())
	d.others = 0
	require.True(t, r.Unlock())
	require.Equal(t, Low, r.Level(), "the ballast that an earlier run had is to be made anew first")
	require.Equal(t, Plenty, looks(r, 4).Level)
}

// TestSmallDisks: what is chosen by itself leaves most of a small disk for data, and a
// file system that does not tell its size has plenty.
func TestSmallDisks(t *testing.T) {
	d := newDisk(256 * mib)
	require.NoError(t, d.MkdirAll("home", 0o700))
	r, err := Open(Config{FS: d, Dir: "home"})
	require.NoError(t, err)
	require.Equal(t, Status{Plenty, 192 * mib, 32 * mib, 64 * mib}, looks(r, 5))

	r, err = Open(Config{FS: vfs.NewMem(), Dir: "home"})
	require.NoError(t, err)
	require.True(t, r.Unlock())
	require.NoError(t, r.Admit(1<<40))
	require.Equal(t, Plenty, looks(r, 1).Level)
}

// TestSizeOfTheBallastChanges: pieces of another size are taken anew.
func TestSizeOfTheBallastChanges(t *testing.T) {
	d := newDisk(1 << 30)
	looks(open(t, d), 5)
	r, err := Open(Config{FS: d, Dir: "home", Reserve: 64 * mib, Ballast: 16 * mib})
	require.NoError(t, err)
	require.Equal(t, Status{Plenty, 1<<30 - 16*mib, 64 * mib, 16 * mib}, looks(r, 5))
	require.EqualValues(t, 1<<30-16*mib, d.free())
}

// TestRelieve: a write that finds the disk full is given the ballast, but only one to a
// log that for starts.
func TestRelieve(t *testing.T) {
	d := newDisk(1 << 30)
	r := open(t, d)
	looks(r, 5)
	d.fill()
	for _, left := range []int{3, 2, 1, 1, 1} {
		r.Relieve()
		require.EqualValues(t, left*32*mib, r.Status().Ballast)
	}
	r.RelieveLog()
	require.Zero(t, r.Status().Ballast)
	r.RelieveLog()
	require.Zero(t, r.Status().Ballast)

	d = newDisk(1 << 30)
	r = open(t, d)
	looks(r, 5)
	for left := 3; left >= 0; left-- {
		r.RelieveLog()
		require.EqualValues(t, left*32*mib, r.Status().Ballast)
	}
}
