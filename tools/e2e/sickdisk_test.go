//go:build e2e

package e2e

import (
	"context"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/stretchr/testify/require"
)

// sickDisk is a file system over a directory, whose reads and syncs can be made to fail or to take
// long. The kernel caches nothing of it, so every read reaches it.
type sickDisk struct {
	dir        string // Where it is mounted.
	unreadable atomic.Bool
	slowness   atomic.Int64 // How many nanoseconds longer reads and syncs take.
	failSyncs  atomic.Int64 // How many of the next syncs of segments fail.
}

// newSickDisk mounts a sick disk for as long as the test lasts. It returns nil if that is not allowed.
func newSickDisk(t *testing.T) *sickDisk {
	under, dir := t.TempDir(), t.TempDir()
	d := &sickDisk{dir: dir}
	loopback, err := fs.NewLoopbackRoot(under)
	require.NoError(t, err)
	server, err := fs.Mount(dir, &sickNode{loopback.(*fs.LoopbackNode), d}, &fs.Options{
		MountOptions: fuse.MountOptions{FsName: "sickdisk", DirectMountStrict: true, DisableXAttrs: true},
	})
	if err != nil {
		t.Logf("no file system can be mounted here: %v", err)
		return nil
	}
	t.Cleanup(func() {
		d.slowness.Store(0)
		require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH))
		server.Wait()
	})
	return d
}

// suffer must be called before a read or sync. It takes as long as that is to take longer, and returns
// an error if it is to fail.
func (d *sickDisk) suffer(ctx context.Context, read bool) syscall.Errno {
	select {
	case <-time.After(time.Duration(d.slowness.Load())):
	case <-ctx.Done():
		return syscall.EINTR
	}
	if read && d.unreadable.Load() {
		return syscall.EIO
	}
	return fs.OK
}

type sickNode struct {
	*fs.LoopbackNode
	disk *sickDisk
}

func (n *sickNode) WrapChild(_ context.Context, ops fs.InodeEmbedder) fs.InodeEmbedder {
	return &sickNode{ops.(*fs.LoopbackNode), n.disk}
}

func (n *sickNode) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	f, fuseFlags, errno := n.LoopbackNode.Open(ctx, flags)
	return n.wrap(f, n.Path(nil), errno), fuseFlags | fuse.FOPEN_DIRECT_IO, errno
}

func (n *sickNode) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	child, f, fuseFlags, errno := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	return child, n.wrap(f, name, errno), fuseFlags | fuse.FOPEN_DIRECT_IO, errno
}

func (n *sickNode) wrap(f fs.FileHandle, name string, errno syscall.Errno) fs.FileHandle {
	if errno != fs.OK {
		return nil
	}
	return &sickFile{f.(*fs.LoopbackFile), n.disk, strings.HasSuffix(name, ".seg")}
}

type sickFile struct {
	*fs.LoopbackFile
	disk    *sickDisk
	segment bool
}

func (f *sickFile) PassthroughFd() (int, bool) { return 0, false }

func (f *sickFile) Read(ctx context.Context, b []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	if errno := f.disk.suffer(ctx, true); errno != fs.OK {
		return nil, errno
	}
	return f.LoopbackFile.Read(ctx, b, off)
}

func (f *sickFile) Fsync(ctx context.Context, flags uint32) syscall.Errno {
	if errno := f.disk.suffer(ctx, false); errno != fs.OK {
		return errno
	}
	if f.segment && f.disk.failSyncs.Add(-1) >= 0 {
		return syscall.EIO
	}
	return f.LoopbackFile.Fsync(ctx, flags)
}

// TestSickDisk shows that the file system of these tests does what it says.
func TestSickDisk(t *testing.T) {
	t.Parallel()
	d := newSickDisk(t)
	if d == nil {
		t.Skip("mounting a file system is not allowed here")
	}
	name := d.dir + "/a"
	require.NoError(t, os.WriteFile(name, []byte("body"), 0o600))
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, "body", string(b))
	d.unreadable.Store(true)
	_, err = os.ReadFile(name)
	require.ErrorIs(t, err, syscall.EIO)
	d.unreadable.Store(false)
	f, err := os.Create(d.dir + "/1.seg")
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	d.failSyncs.Store(1)
	require.ErrorIs(t, syscall.Fdatasync(int(f.Fd())), syscall.EIO)
	require.NoError(t, syscall.Fdatasync(int(f.Fd())), "the one and no other")
	require.NoError(t, f.Close())
	d.slowness.Store(int64(300 * time.Millisecond))
	began := time.Now()
	_, err = os.ReadFile(name)
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(began), 300*time.Millisecond)
}
