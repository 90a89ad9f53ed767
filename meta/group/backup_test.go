package group

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/snapshot"
)

var backupKey = bytes.Repeat([]byte{7}, 32) // Never changed.

func realConfig(cfg *Config) { cfg.openState = nil }

func (c *testCluster) do(n *testNode, cmd *metapb.Command) *metapb.Result {
	c.t.Helper()
	r, err := n.client.Propose(c.ctx(30*time.Second), cmd)
	require.NoError(c.t, err)
	require.Zero(c.t, r.Refusal, "%v %s", r.Refusal, r.Detail)
	return r
}

func (c *testCluster) ask(n *testNode, q *metapb.Query) *metapb.Answer {
	c.t.Helper()
	a, err := n.client.Read(c.ctx(30*time.Second), q)
	require.NoError(c.t, err)
	return a
}

// populate makes a volume, leases in it, and an object.
func populate(c *testCluster) {
	n := c.nodes[0]
	var drives []*metapb.Drive
	for i := range 3 {
		drives = append(drives, &metapb.Drive{Id: uint64(10 + i)})
	}
	c.do(n, &metapb.Command{Op: &metapb.Command_FormCluster{FormCluster: &metapb.FormCluster{Id: "the-cluster"}}})
	c.do(n, &metapb.Command{Op: &metapb.Command_RegisterNode{RegisterNode: &metapb.RegisterNode{Node: &metapb.Node{Id: 1, Drives: drives}}}})
	c.do(n, &metapb.Command{Op: &metapb.Command_CreateVolumes{CreateVolumes: &metapb.CreateVolumes{ViewEpoch: 2,
		Volumes: []*metapb.Volume{{K: 2, M: 1, Slots: []uint64{10, 11, 12}}}}}})
	c.do(n, lease())
	c.do(n, createBucket("bucket"))
	c.do(n, putInline("bucket", "before", 1, []byte("x")))
}

func lease() *metapb.Command {
	return &metapb.Command{Op: &metapb.Command_LeaseExtents{LeaseExtents: &metapb.LeaseExtents{Volumes: []uint32{1}}}}
}

func known(c *testCluster, n *testNode, seq uint64) bool {
	a := c.ask(n, &metapb.Query{Op: &metapb.Query_KnownExtents{KnownExtents: &metapb.KnownExtents{
		Extents: []*metapb.ExtentSlots{{Volume: 1, Seq: seq}}}}})
	return a.Known.Known[0]
}

func takeBackup(c *testCluster) []byte {
	var file bytes.Buffer
	head, err := c.leader().group.Backup(c.ctx(time.Minute), &file, snapshot.BackupHead{ClusterID: "the-cluster", Era: 0}, backupKey)
	require.NoError(c.t, err)
	require.NotZero(c.t, head.Index)
	return file.Bytes()
}

// lone starts a cluster of which node 0 has metadata on fs, and node 1 none.
func lone(t *testing.T, fs *vfs.MemFS) *testCluster {
	c := &testCluster{t: t, net: newNetwork(), voters: 2, config: realConfig}
	t.Cleanup(c.abandon)
	for i, fs := range []*vfs.MemFS{fs, vfs.NewCrashableMem()} {
		c.nodes = append(c.nodes, &testNode{number: i, id: cluster.NodeID(i + 1), fs: fs})
	}
	for _, n := range c.nodes {
		c.start(n)
	}
	require.Equal(t, c.nodes[0], c.leader())
	return c
}

// checkGoesOn checks that a cluster that begins anew gives out no number twice, keeps
// shards it does not know until it is told otherwise, and takes new voters.
func checkGoesOn(t *testing.T, c *testCluster) {
	n := c.nodes[0]
	view := c.ask(n, &metapb.Query{Op: &metapb.Query_View{View: &metapb.GetView{}}}).View
	require.True(t, view.OrphansHeld)
	require.Equal(t, "the-cluster", view.ClusterId)
	require.GreaterOrEqual(t, c.do(n, lease()).Leases[0].Block, uint64(eraSkipBlocks), "a number could be given out twice")
	require.True(t, known(c, n, 999), "a shard that nothing knows would be deleted")
	release := &metapb.Command{Op: &metapb.Command_ReleaseOrphans{ReleaseOrphans: &metapb.ReleaseOrphans{}}}
	r, err := n.client.Propose(c.ctx(time.Minute), release)
	require.NoError(t, err)
	require.Equal(t, metapb.Refusal_REFUSAL_ORPHANS_NEEDED, r.Refusal, "no drive was compared with these metadata")
	for _, node := range view.Nodes {
		for _, d := range node.Drives {
			c.do(n, &metapb.Command{Op: &metapb.Command_DriveReconciled{DriveReconciled: &metapb.DriveReconciled{Drive: d.Id, Era: view.Era}}})
		}
	}
	c.do(n, release)
	require.False(t, known(c, n, 999))
	require.NoError(t, n.group.AddVoter(c.ctx(30*time.Second), n.id, n.raftAddr()), "its own address")
	require.NoError(t, n.group.AddVoter(c.ctx(30*time.Second), 2, c.nodes[1].raftAddr()))
	c.do(c.nodes[1], putInline("bucket", "after", 3, []byte("z")))
	c.stop(n)
	c.start(n)
	require.Zero(t, c.ask(n, headObject("bucket", "after")).Refusal)
	require.NoError(t, n.realState().Check())
	c.close()
}

func TestBackupRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCluster(t, 3, 0, realConfig)
		populate(c)
		file := takeBackup(c)
		c.do(c.nodes[1], putInline("bucket", "lost", 2, []byte("y")))
		for _, n := range c.nodes {
			if n != c.leader() {
				_, err := n.group.Backup(c.ctx(time.Second), &bytes.Buffer{}, snapshot.BackupHead{}, backupKey)
				require.True(t, errs.Is(err, errs.Unavailable), "a follower may be behind: %v", err)
			}
		}
		c.close()

		head, err := snapshot.VerifyBackup(bytes.NewReader(file), backupKey)
		require.NoError(t, err)
		require.Equal(t, "the-cluster", head.ClusterID)
		fs := vfs.NewCrashableMem()
		cfg := Config{Node: 1, FS: fs, Dir: "meta"}
		_, r, err := Restore(cfg, 0, bytes.NewReader(file), backupKey)
		require.NoError(t, err)
		require.Equal(t, Recovered{Era: 1, Index: head.Index, Term: head.Term}, r)
		_, _, err = Restore(cfg, 0, bytes.NewReader(file), backupKey)
		require.True(t, errs.Is(err, errs.Exists), "over metadata: %v", err)

		fs = fs.CrashClone(vfs.CrashCloneCfg{}) // What was synced, and nothing else.
		c = lone(t, fs)
		require.Zero(t, c.ask(c.nodes[0], headObject("bucket", "before")).Refusal)
		require.NotZero(t, c.ask(c.nodes[0], headObject("bucket", "lost")).Refusal)
		checkGoesOn(t, c)
	})
}

// TestDamagedBackup flips and cuts bytes: every time the backup is refused and nothing
// of it is left.
func TestDamagedBackup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCluster(t, 1, 0, realConfig)
		populate(c)
		file := takeBackup(c)
		c.close()
		_, err := snapshot.VerifyBackup(bytes.NewReader(file), nil)
		require.NoError(t, err, "without the key only damage shows")
		_, err = snapshot.VerifyBackup(bytes.NewReader(file), bytes.Repeat([]byte{8}, 32))
		require.ErrorContains(t, err, "another cluster key")
		rng := testRNG(1)
		for range 200 {
			bad := slices.Clone(file)
			at := rng.IntN(len(bad))
			what := fmt.Sprint("flipped at ", at, " of ", len(file))
			if rng.IntN(3) == 0 {
				bad, what = bad[:at], fmt.Sprint("cut at ", at)
			} else {
				bad[at] ^= 1 << rng.IntN(8)
			}
			_, err := snapshot.VerifyBackup(bytes.NewReader(bad), backupKey)
			require.Error(t, err, what)
		}
		_, err = snapshot.VerifyBackup(bytes.NewReader(append(file, 0)), backupKey)
		require.ErrorContains(t, err, "after its end")

		fs := vfs.NewMem()
		_, _, err = Restore(Config{Node: 1, FS: fs, Dir: "meta"}, 0, bytes.NewReader(file[:len(file)-1]), backupKey)
		require.Error(t, err)
		_, err = fs.Stat("meta")
		require.Error(t, err, "half a restore was left")
	})
}

// TestRecover loses two of three voters for good.
func TestRecover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCluster(t, 3, 0, realConfig)
		populate(c)
		requireEqualStates(t, c)
		last := c.nodes[0]
		for _, n := range c.nodes[1:] {
			c.kill(n, 0, testRNG(1))
		}
		c.kill(last, 0, testRNG(2))
		cfg := Config{Node: last.id, FS: last.fs, Dir: "meta"}
		s, err := Inspected(cfg)
		require.NoError(t, err)
		require.Len(t, s.Members, 3)
		r, err := Recover(cfg, 0)
		require.NoError(t, err)
		require.Equal(t, Recovered{Era: 1, Index: s.LastIndex, Term: s.LastTerm}, r)
		s, err = Inspected(cfg)
		require.NoError(t, err)
		require.Equal(t, uint64(1), s.Era)
		require.Equal(t, "the-cluster", s.ClusterID)
		require.Len(t, s.Members, 1)

		c = lone(t, last.fs.CrashClone(vfs.CrashCloneCfg{}))
		require.Zero(t, c.ask(c.nodes[0], headObject("bucket", "before")).Refusal)
		checkGoesOn(t, c)

		_, err = Recover(Config{Node: 9, FS: vfs.NewMem(), Dir: "meta"}, 0)
		require.ErrorContains(t, err, "holds no metadata")
	})
}

// TestRecoverAgain cuts the power at each write of a recovery: it can be begun again,
// and what it makes is whole.
func TestRecoverAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCluster(t, 3, 0, realConfig)
		populate(c)
		requireEqualStates(t, c)
		last := c.nodes[0]
		for _, n := range c.nodes {
			c.kill(n, 0, testRNG(1))
		}
		before, err := Inspected(Config{Node: last.id, FS: last.fs.CrashClone(vfs.CrashCloneCfg{}), Dir: "meta"})
		require.NoError(t, err)
		for _, kept := range []int{0, 100} { // Per cent of what was not synced.
			fs := last.fs.CrashClone(vfs.CrashCloneCfg{})
			var mu sync.Mutex
			var cuts []*vfs.MemFS
			watched := errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
				if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
					mu.Lock()
					defer mu.Unlock()
					cuts = append(cuts, fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: testRNG(uint64(len(cuts)))}))
				}
				return nil
			}))
			_, err := Recover(Config{Node: last.id, FS: watched, Dir: "meta"}, 0)
			require.NoError(t, err)
			require.Greater(t, len(cuts), 20)
			for at, fs := range cuts {
				cfg := Config{Node: last.id, FS: fs, Dir: "meta"}
				r, err := Recover(cfg, 0)
				require.NoError(t, err, "write %d of %d, %d %% kept", at, len(cuts), kept)
				s, err := Inspected(cfg)
				require.NoError(t, err)
				require.Equal(t, r.Era, s.Era)
				require.Greater(t, s.AppliedIndex, before.AppliedIndex)
				require.Len(t, s.Members, 1)
			}
		}
	})
}
