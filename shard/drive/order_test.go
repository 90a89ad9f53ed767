package drive

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/shardtest"
)

// A shard that is written twice is what was written last (D4), also after a power cut
// that both records outlive: what marks the first one dead need not be durable, and
// the index may be gone.
func TestLastRecordWins(t *testing.T) {
	for _, test := range []struct {
		name      string
		between   int // Other shards written in between: 40 of them fill a segment.
		lostIndex bool
	}{
		{"same segment", 0, false},
		{"same segment, index lost", 0, true},
		{"later segment", 40, false},
		{"later segment, index lost", 40, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			disk := vfs.NewCrashableMem()
			d := mustOpen(t, crashOptions(disk))
			h := shardtest.Header(1, 1, 0, 0, 2, 640)
			require.NoError(t, shardtest.Put(t.Context(), d, h, shardtest.Frames(h, 1)))
			for i := range test.between {
				other := shardtest.Header(2, uint64(i+1), 0, 0, 3, 640)
				require.NoError(t, shardtest.Put(t.Context(), d, other, shardtest.Frames(other, 1)))
			}
			require.NoError(t, shardtest.Put(t.Context(), d, h, shardtest.Frames(h, 2)))
			requireFrames(t, d, h, 2)

			cut := disk.CrashClone(vfs.CrashCloneCfg{})
			if test.lostIndex {
				require.NoError(t, cut.RemoveAll("top/drive/"+indexDirName))
			}
			after := mustOpen(t, crashOptions(cut))
			requireFrames(t, after, h, 2)
			after.checkBooks(t, test.name)
		})
	}
}

// Of two writers of one shard the one that began later wins, whichever commits first:
// replay knows only where their records lie.
func TestLaterWriterWins(t *testing.T) {
	for first := range 2 {
		t.Run(fmt.Sprintf("writer %d commits first", first), func(t *testing.T) {
			disk := vfs.NewCrashableMem()
			d := mustOpen(t, crashOptions(disk))
			h := shardtest.Header(1, 1, 0, 0, 2, 640)
			var writers [2]shard.Writer
			for i := range writers {
				w, err := d.Create(t.Context(), h)
				require.NoError(t, err)
				_, err = w.Write(shardtest.Frames(h, uint64(i)))
				require.NoError(t, err)
				writers[i] = w
			}
			require.NoError(t, writers[first].Commit(t.Context()))
			require.NoError(t, writers[1-first].Commit(t.Context()))
			requireFrames(t, d, h, 1)

			cut := disk.CrashClone(vfs.CrashCloneCfg{})
			require.NoError(t, cut.RemoveAll("top/drive/"+indexDirName))
			requireFrames(t, mustOpen(t, crashOptions(cut)), h, 1)
		})
	}
}

func requireFrames(t *testing.T, d *Drive, h shard.Header, seed uint64) {
	t.Helper()
	got, err := shardtest.Get(t.Context(), d, h)
	require.NoError(t, err)
	require.True(t, bytes.Equal(got, shardtest.Frames(h, seed)), "not what was written last")
}
