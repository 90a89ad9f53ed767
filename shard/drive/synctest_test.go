package drive

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/shard/shardtest"
)

// TestInABubble: simulated clusters run drives in a synctest bubble, which ends
// only if the drive leaves nothing running.
func TestInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, err := Open(context.Background(), testOptions(vfs.NewMem(), "d"))
		require.NoError(t, err)
		for i := range 20 {
			h := shardtest.Header(1, uint64(i+1), 0, 2, 0, 0)
			require.NoError(t, shardtest.Put(t.Context(), d, h, shardtest.Frames(h, 1)))
		}
		require.NoError(t, d.Close())
	})
}
