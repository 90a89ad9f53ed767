package meta

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/stripe"
)

// TestGeometryOfRecords: what was written of a geometry is the geometry again, under the
// scheme of the volume where the extent lies by now.
func TestGeometryOfRecords(t *testing.T) {
	narrow, wide := shard.Scheme{K: 2, M: 1}, shard.Scheme{K: 4, M: 2}
	for _, plain := range []int64{1, 1000, shard.BlockBytes, 3 << 20, shard.ExtentMaxBytes / 2} {
		for _, overhead := range []int{0, 16} {
			g := stripe.NewGeometry(narrow, plain, overhead)
			require.Equal(t, g, Geometry(&shard.Volume{Scheme: narrow}, ExtentOf(g)))
			moved := g
			moved.Scheme = wide
			require.Equal(t, moved, Geometry(&shard.Volume{Scheme: wide}, ExtentOf(g)))
		}
	}
}
