package drive

import (
	"context"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/shardtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testOptions keeps segments small, so that tests cross their ends.
func testOptions(fs vfs.FS, dir string) Options {
	return Options{FS: fs, Dir: dir, SegmentBytes: 1 << 20, ReserveBytes: -1, CacheBytes: 1 << 20}
}

func mustOpen(t *testing.T, o Options) *Drive {
	t.Helper()
	d, err := Open(context.Background(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

func TestStoreInMemory(t *testing.T) {
	shardtest.Run(t, func(t *testing.T) shard.Store {
		return mustOpen(t, testOptions(vfs.NewMem(), "drive"))
	})
}

func TestStoreOnDisk(t *testing.T) {
	shardtest.Run(t, func(t *testing.T) shard.Store {
		return mustOpen(t, testOptions(vfs.Default, t.TempDir()))
	})
}
