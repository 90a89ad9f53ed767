package gossip

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/cluster"
)

func TestMetaRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 40, 90)
		m := Meta{Node: cluster.NodeID(rapid.Uint64Min(1).Draw(t, "node")), Zone: text.Draw(t, "zone"),
			RPCAddr: text.Draw(t, "rpc"), RaftAddr: text.Draw(t, "raft"), S3Addr: text.Draw(t, "s3"),
			ClusterID: rapid.StringN(0, 20, 64).Draw(t, "cluster"), Expect: rapid.IntRange(0, 1000).Draw(t, "expect"),
			Era: rapid.Uint64Max(1000).Draw(t, "era")}
		if m.check() == nil {
			require.LessOrEqual(t, len(m.encode()), metaMaxBytes)
		}
		got, err := decodeMeta(append(m.encode(), "a later field"...))
		require.NoError(t, err)
		require.Equal(t, m, got)
	})
}

func TestMetaLimitLeavesRoomForClusterID(t *testing.T) {
	for n := 400; n < 520; n++ {
		m := Meta{Node: 1, Zone: strings.Repeat("z", n)}
		if m.check() != nil {
			continue
		}
		m.ClusterID = strings.Repeat("c", clusterIDMaxBytes)
		require.NoError(t, m.check())
		require.LessOrEqual(t, len(m.encode()), metaMaxBytes)
	}
}

func FuzzDecodeMeta(f *testing.F) {
	f.Add((&Meta{Node: 1, Zone: "a", RPCAddr: "h:1", ClusterID: "c"}).encode())
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeMeta(b)
		if err != nil {
			return
		}
		again, err := decodeMeta(m.encode())
		require.NoError(t, err)
		require.Equal(t, m, again)
	})
}
