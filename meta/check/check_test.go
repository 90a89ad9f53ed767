package check

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
)

// TestRecordsOfAnyIterator: a check takes records from whoever has them, however damaged.
// (That it finds every record that is missing is proven in meta/state, of states that
// commands have made.)
func TestRecordsOfAnyIterator(t *testing.T) {
	volume, err := proto.Marshal(&metapb.Volume{Id: 1, K: 2, M: 1, Slots: []uint64{1, 2, 3}})
	require.NoError(t, err)
	cluster, err := proto.Marshal(&metapb.Cluster{LastVolume: 1})
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		next []byte
		want string
	}{
		"whole":              {make([]byte, 8), ""},
		"a value cut short":  {make([]byte, 3), "the next lease block of volume 1 has 3 bytes"},
		"a value of no byte": {nil, "the next lease block of volume 1 has 0 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Records(func(f func(key, value []byte) error) error {
				for _, r := range [][2][]byte{
					{keys.AppendApplied(nil), nil}, {keys.AppendCluster(nil), cluster},
					{keys.AppendNextBlock(nil, 1), tc.next}, {keys.AppendVolume(nil, 1), volume},
				} {
					if err := f(r[0], r[1]); err != nil {
						return err
					}
				}
				return nil
			})
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.True(t, errs.Is(err, errs.Corrupt), "%v", err)
			require.ErrorContains(t, err, tc.want)
		})
	}
}
