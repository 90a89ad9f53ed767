package drive

import (
	"context"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/shard/shardtest"
)

// twoLives returns a drive that was opened twice, so that its index's MANIFEST
// begins with the tables of the first life, and what was committed to it.
func twoLives(t *testing.T) (*vfs.MemFS, *promises) {
	t.Helper()
	mem, p := vfs.NewCrashableMem(), newPromises()
	for life := range 2 {
		d, err := Open(context.Background(), crashOptions(mem))
		require.NoError(t, err)
		for i := range 6 {
			v := version{shardtest.Header(1, uint64(3*life+i+1), 0, 0, 1, 64), uint64(life)}
			p.begin(v)
			require.NoError(t, shardtest.Put(t.Context(), d, v.h, shardtest.Frames(v.h, v.seed)))
			p.acknowledged(v)
		}
		require.NoError(t, d.Close())
	}
	return mem, p
}

// TestDamagedIndex flips a byte here and there in the index's files. Whatever
// Pebble makes of it, every shard is there, in its last form, and counted once.
func TestDamagedIndex(t *testing.T) {
	const dir = "top/drive/" + indexDirName
	stride := effort.Of[int64](7, 35, 1)
	mem, p := twoLives(t)
	names, err := mem.List(dir)
	require.NoError(t, err)
	for _, name := range names {
		name := mem.PathJoin(dir, name)
		info, err := mem.Stat(name)
		require.NoError(t, err)
		for off := int64(0); off < info.Size(); off += stride {
			clone := mem.CrashClone(vfs.CrashCloneCfg{})
			flipByte(t, clone, name, off)
			p.check(t, clone, fmt.Sprintf("%s, byte %d", name, off))
		}
	}
}

func flipByte(t *testing.T, fs vfs.FS, name string, off int64) {
	t.Helper()
	f, err := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	var b [1]byte
	require.NoError(t, readWhole(f, b[:], off))
	b[0] ^= 0xff
	_, err = f.WriteAt(b[:], off)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}
