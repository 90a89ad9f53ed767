package group

import (
	"bytes"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/meta/state"
)

// TestMend: a record that Apply cannot do without is bad, in the state and in its newest
// snapshot. The node does not start and names the command; the record is found, removed
// from both, and the node serves what it had, also with a state made from the snapshot.
func TestMend(t *testing.T) {
	for _, bad := range []struct {
		name  string
		key   []byte
		value []byte
		says  string
	}{
		{"a lease of no session", keys.AppendLease(nil, 1, 7), leaseOfNobody(t), "belongs to no live session"},
		{"a session that is none", keys.AppendSession(nil, keys.ID{9}), []byte{0xff}, "cannot"},
		{"a key that is none", []byte("v-and too long"), []byte{}, "malformed"},
	} {
		t.Run(bad.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var cfg Config
				c := newTestCluster(t, 1, 0, func(to *Config) {
					to.SnapshotThreshold, to.TrailingLogs, to.openState = 20, 10, nil
					cfg = *to
				})
				n := c.nodes[0]
				propose := func(cmd *metapb.Command) {
					r, err := n.client.Propose(c.ctx(30*time.Second), cmd)
					require.NoError(t, err)
					require.Zero(t, r.Refusal, r.Detail)
				}
				propose(createBucket("bucket"))
				for i := range 100 {
					propose(putInline("bucket", fmt.Sprint(i), uint64(i+1), []byte("body")))
				}
				time.Sleep(5 * time.Second)
				require.NotZero(t, n.group.Stats().SnapshotIndex)
				c.stop(n)

				require.NoError(t, Mend(cfg, bad.key, bad.value)) // To spoil is to mend.
				cfg.Listener = c.net.listen(n.number, n.raftAddr())
				_, err := Open(cfg)
				require.ErrorContains(t, err, "cairn meta mend")
				require.ErrorContains(t, err, record.Name(bad.key))
				var faults []state.Fault
				require.NoError(t, LookAt(cfg, func(r *state.Records) (err error) {
					faults, err = r.Faults()
					return err
				}))
				require.Len(t, faults, 1)
				require.Equal(t, bad.key, faults[0].Key)
				require.Contains(t, faults[0].What, bad.says)

				require.NoError(t, Mend(cfg, bad.key, nil))
				require.NoError(t, n.fs.RemoveAll(n.fs.PathJoin("meta", stateDirName)))
				c.start(n)
				c.leader()
				require.NoError(t, n.realState().Check())
				for i := range 100 {
					a, err := n.client.Read(c.ctx(30*time.Second), headObject("bucket", fmt.Sprint(i)))
					require.NoError(t, err)
					require.Zero(t, a.Refusal)
				}
				propose(putInline("bucket", "after", 1000, []byte("body")))
				c.close()
			})
		})
	}
}

func leaseOfNobody(t *testing.T) []byte {
	b, err := proto.Marshal(&metapb.Lease{Session: bytes.Repeat([]byte{7}, keys.IDBytes)})
	require.NoError(t, err)
	return b
}
