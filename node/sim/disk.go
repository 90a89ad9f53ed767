package sim

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// disk is the file system of a machine from one power cut to the next. It counts syncs, and on demand
// it hangs, fails syncs, or loses power right before one of them. Several goroutines may use it.
type disk struct {
	*vfs.MemFS

	mu    sync.Mutex
	rng   *rand.Rand
	syncs int
	cutAt int           // The number of the sync before which the power goes; 0: none.
	down  func()        // Takes the machine off the network.
	after *vfs.MemFS    // What the disk holds after the power cut. Nil: there was none yet.
	cut   chan struct{} // Closed by the power cut.
	hang  chan struct{} // Syncs of hung wait until it is closed. Nil: the disk answers.
	hung  part
	fails func(path string) bool // Says which syncs fail. Nil: none.
	room  capacity
}

// capacity is the size of a disk, and how much of it others use and files have preallocated. What files
// have written is not counted: a test says how full the disk is.
type capacity struct {
	size   uint64 // 0: the file system does not tell its size.
	others uint64
	taken  map[string]uint64 // What each file has preallocated, by its path.
}

func (c *capacity) free() uint64 {
	used := c.others
	for _, n := range c.taken {
		used += n
	}
	return c.size - min(used, c.size)
}

// fill sets how much of the disk others use.
func (d *disk) fill(others uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.room.others = others
}

// used returns how much of the disk is used.
func (d *disk) used() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.room.size - d.room.free()
}

// full reports whether a write that needs room finds none.
func (d *disk) full() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.room.size > 0 && d.room.free() == 0
}

// allocate takes room for a file, or returns ENOSPC.
func (d *disk) allocate(path string, n uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.room.size == 0 {
		return nil
	}
	if d.room.free() < n {
		return syscall.ENOSPC
	}
	d.room.taken[path] = n
	return nil
}

// GetDiskUsage implements vfs.FS.
func (d *disk) GetDiskUsage(path string) (vfs.DiskUsage, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.room.size == 0 {
		return d.MemFS.GetDiskUsage(path)
	}
	free := d.room.free()
	return vfs.DiskUsage{TotalBytes: d.room.size, AvailBytes: free, UsedBytes: d.room.size - free}, nil
}

func newDisk(fs *vfs.MemFS, rng *rand.Rand, down func()) *disk {
	return &disk{MemFS: fs, rng: rng, down: down, cut: make(chan struct{})}
}

// powerCut takes the machine off the network and keeps what its disk holds at that moment: all that was
// synced, and a random share of the rest. What the old process writes later is lost. A second cut does
// nothing.
func (d *disk) powerCut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.powerCutLocked()
}

func (d *disk) powerCutLocked() {
	if d.after != nil {
		return
	}
	d.down()
	d.after = d.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 50, 100}[d.rng.IntN(3)],
		RNG: rand.New(rand.NewPCG(d.rng.Uint64(), 2))})
	if d.hang != nil {
		close(d.hang) // The process counts as dead, and could not be stopped while it waited for its disk.
		d.hang = nil
	}
	d.fails = nil
	close(d.cut)
}

// cutAtSync cuts the power right before the i-th sync from now on.
func (d *disk) cutAtSync(i int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cutAt = d.syncs + i
}

// stall makes syncs of a part of the disk wait until resume. After a power cut it does nothing.
func (d *disk) stall(p part) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.after == nil && d.hang == nil {
		d.hang, d.hung = make(chan struct{}), p
	}
}

// resume ends stall.
func (d *disk) resume() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hang != nil {
		close(d.hang)
		d.hang = nil
	}
}

// failSyncs makes the syncs of files below a directory fail until the next power cut.
func (d *disk) failSyncs(dir string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.after == nil {
		d.fails = func(path string) bool { return strings.HasPrefix(path, dir) }
	}
}

// sync must be called before every sync, which must fail if it returns an error.
func (d *disk) sync(path string) error {
	d.mu.Lock()
	hang := d.hang
	if hang != nil && !d.hangs(path) {
		hang = nil
	}
	d.mu.Unlock()
	if hang != nil {
		<-hang
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.syncs++
	if d.syncs == d.cutAt {
		d.powerCutLocked()
	}
	if d.fails != nil && d.fails(path) {
		return syscall.EIO
	}
	return nil
}

// part is what of a disk may hang: the syncs of shards, or those of the metadata's log. Other syncs
// happen while a mutex is held, and the clock of the bubble stands still while a goroutine waits for a
// mutex.
type part int

const (
	theShards part = iota
	theLog
)

// hangs reports whether a file belongs to the part of the disk that hangs.
func (d *disk) hangs(path string) bool {
	if d.hung == theShards {
		return strings.HasSuffix(path, ".seg")
	}
	return strings.HasPrefix(path, metaDir+"/log") && strings.HasSuffix(path, ".log")
}

// corrupt overwrites bytes of the drive's segments where they lie, so that nobody notices. It returns
// how many places it has hit.
func (d *disk) corrupt(rng *rand.Rand, places int) (hit int) {
	names, _ := d.List(segments)
	for range places {
		if len(names) == 0 {
			return hit
		}
		path := d.PathJoin(segments, names[rng.IntN(len(names))])
		info, err := d.Stat(path)
		if err != nil || info.Size() == 0 {
			continue
		}
		f, err := d.MemFS.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
		if err != nil {
			continue
		}
		noise := make([]byte, 1+rng.IntN(40))
		for i := range noise {
			noise[i] = byte(rng.Uint32())
		}
		if off := rng.Int64N(info.Size()); off+int64(len(noise)) <= info.Size() {
			if _, err := f.WriteAt(noise, off); err == nil {
				hit++
			}
		}
		_ = f.Close()
	}
	return hit
}

// rotLogEnd overwrites the last bytes of the metadata's log, within its last block. Damage in an
// earlier block could be told from an end that was torn, by the blocks after it; this cannot.
func (d *disk) rotLogEnd(rng *rand.Rand) error {
	const block, most = 32 << 10, 8 << 10
	names, err := d.List(metaDir + "/log")
	if err != nil {
		return err
	}
	slices.Sort(names) // The newest is the last.
	for _, name := range slices.Backward(names) {
		path := d.PathJoin(metaDir+"/log", name)
		info, err := d.MemFS.Stat(path)
		if err != nil {
			return err
		}
		if !strings.HasSuffix(name, ".log") || info.Size() == 0 {
			continue
		}
		f, err := d.MemFS.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
		if err != nil {
			return err
		}
		noise := make([]byte, min(info.Size()-(info.Size()-1)/block*block, 1+rng.Int64N(most)))
		for i := range noise {
			noise[i] = byte(rng.Uint32())
		}
		_, err = f.WriteAt(noise, info.Size()-int64(len(noise)))
		return errors.Join(err, f.Sync(), f.Close())
	}
	return nil
}

// Where a simulated node keeps its files.
const (
	dataDir  = "/data"
	metaDir  = dataDir + "/meta"
	segments = dataDir + "/seg"
	indexDir = dataDir + "/index"
)

// keepOrder makes durable what was created and removed in the directory of one of Pebble's markers,
// before the marker is. Pebble moves a marker and syncs the directory only after that: it relies on the
// file system to keep the order of changes within a directory. ext4, XFS and Btrfs do so, but MemFS
// does not.
func (d *disk) keepOrder(name string) error {
	if !strings.HasPrefix(d.PathBase(name), "marker.") {
		return nil
	}
	dir, err := d.MemFS.OpenDir(d.PathDir(name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Remove implements vfs.FS.
func (d *disk) Remove(name string) error {
	if err := d.keepOrder(name); err != nil {
		return err
	}
	d.mu.Lock()
	delete(d.room.taken, name)
	d.mu.Unlock()
	return d.MemFS.Remove(name)
}

// Create implements vfs.FS.
func (d *disk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := d.keepOrder(name); err != nil {
		return nil, err
	}
	f, err := d.MemFS.Create(name, c)
	return d.wrap(f, name, err)
}

// OpenReadWrite implements vfs.FS.
func (d *disk) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := d.MemFS.OpenReadWrite(name, c, opts...)
	return d.wrap(f, name, err)
}

// OpenDir implements vfs.FS.
func (d *disk) OpenDir(name string) (vfs.File, error) {
	f, err := d.MemFS.OpenDir(name)
	return d.wrap(f, name, err)
}

// ReuseForWrite implements vfs.FS.
func (d *disk) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.MemFS.ReuseForWrite(from, to, c)
	return d.wrap(f, to, err)
}

func (d *disk) wrap(f vfs.File, path string, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	out := &file{File: f, d: d, path: path}
	if strings.HasPrefix(path, metaDir+"/log") && strings.HasSuffix(path, ".log") && !d.full() {
		out.allocated = logAllocated // On a real file system Pebble allocates it. On this one it does not.
	}
	return out, nil
}

// logAllocated is how much Pebble preallocates of the Raft log's write-ahead log.
const logAllocated = 16 << 20

// file is an open file of a disk.
type file struct {
	vfs.File
	d    *disk
	path string

	at, allocated int64 // How much Write has written, and how much it may write even if the disk is full.
}

// Write implements vfs.File.
func (f *file) Write(p []byte) (int, error) {
	if f.d.full() && f.at+int64(len(p)) > f.allocated {
		return 0, syscall.ENOSPC
	}
	n, err := f.File.Write(p)
	f.at += int64(n)
	return n, err
}

// WriteAt implements vfs.File. To overwrite what a file has already needs no room.
func (f *file) WriteAt(p []byte, off int64) (int, error) {
	if f.d.full() {
		info, err := f.Stat()
		if err != nil {
			return 0, err
		}
		if off+int64(len(p)) > info.Size() {
			return 0, syscall.ENOSPC
		}
	}
	return f.File.WriteAt(p, off)
}

// Preallocate implements vfs.File. Only the files of the ballast take room by it.
func (f *file) Preallocate(off, n int64) error {
	if !strings.Contains(f.path, "/ballast/") {
		return nil
	}
	return f.d.allocate(f.path, uint64(off+n))
}

// Sync implements vfs.File.
func (f *file) Sync() error {
	path := f.path
	if strings.HasSuffix(path, ".seg") {
		path = segments // The segment is new, and the drive holds a mutex: this sync must not hang (see part).
	}
	if err := f.d.sync(path); err != nil {
		return err
	}
	return f.File.Sync()
}

// SyncData implements vfs.File.
func (f *file) SyncData() error {
	if err := f.d.sync(f.path); err != nil {
		return err
	}
	return f.File.SyncData()
}

// SyncTo implements vfs.File.
func (f *file) SyncTo(length int64) (bool, error) {
	if err := f.d.sync(f.path); err != nil {
		return false, err
	}
	return f.File.SyncTo(length)
}

// isWhole reports whether there has been no power cut yet.
func (d *disk) isWhole() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.after == nil
}
