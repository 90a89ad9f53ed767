package alloc

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

// leasing is metadata of one node with one drive and one volume, which lease blocks of
// extent numbers in turn.
type leasing struct {
	topology *meta.Topology
	next     uint64
	released []uint64 // Blocks.
}

func newLeasing() *leasing {
	view := cluster.NewView(1, []cluster.Node{{ID: 1, Drives: []cluster.Drive{{ID: 100, CapacityBytes: 1 << 40}}}})
	return &leasing{topology: &meta.Topology{View: view, Volumes: map[shard.VolumeID]*shard.Volume{
		1: {ID: 1, Scheme: shard.Scheme{K: 1}, Slots: []cluster.DriveID{100}}}}}
}

// Topology implements Topology.
func (m *leasing) Topology(context.Context) (*meta.Topology, error) { return m.topology, nil }

// Read implements meta.Client.
func (m *leasing) Read(context.Context, *metapb.Query) (*metapb.Answer, error) {
	return &metapb.Answer{}, nil
}

// Propose implements meta.Client.
func (m *leasing) Propose(_ context.Context, cmd *metapb.Command) (*metapb.Result, error) {
	for _, b := range cmd.GetReleaseLeases().GetBlocks() {
		m.released = append(m.released, b.Block)
	}
	out := &metapb.Result{}
	for _, v := range cmd.GetLeaseExtents().GetVolumes() {
		out.Leases = append(out.Leases, &metapb.LeaseBlock{Volume: v, Block: m.next})
		m.next++
	}
	return out, nil
}

func newAllocator(m *leasing) *Allocator {
	return New(m, m, func(cluster.NodeID) bool { return true }, Config{VolumesPerScheme: 1, VolumesPerDrive: 1}, Events{})
}

// grantAll takes a whole block of ids.
func grantAll(t *testing.T, a *Allocator) (ids []shard.ExtentID) {
	t.Helper()
	for range meta.LeaseBlockExtents {
		g, err := a.Grant(t.Context(), Standard)
		require.NoError(t, err)
		ids = append(ids, g.ID)
	}
	return ids
}

// Every id is granted once, and a block is given back when its last id is resolved, not
// before.
func TestBlocksAreGivenBack(t *testing.T) {
	m := newLeasing()
	a := newAllocator(m)
	first, second := grantAll(t, a), grantAll(t, a)
	seen := map[shard.ExtentID]bool{}
	for _, id := range append(first, second...) {
		require.False(t, seen[id], "%s was granted twice", id)
		seen[id] = true
	}
	require.Equal(t, 2*meta.LeaseBlockExtents, a.Outstanding())
	for _, id := range second {
		a.Resolve(id)
	}
	for _, id := range first[1:] {
		a.Resolve(id)
	}
	_, err := a.Grant(t.Context(), Standard) // The command that leases gives back.
	require.NoError(t, err)
	require.Equal(t, []uint64{blockOf(second[0]).block}, m.released)
	a.Resolve(first[0])
	require.Equal(t, 1, a.Outstanding())
	grantAll(t, a)
	require.Equal(t, []uint64{blockOf(second[0]).block, blockOf(first[0]).block}, m.released)
}

// TestLeaseGoneKeepsNewerLeases: a session that is over takes its own leases along, not
// those that were taken after it.
func TestLeaseGoneKeepsNewerLeases(t *testing.T) {
	m := newLeasing()
	a := newAllocator(m)
	old := grantAll(t, a)
	young, err := a.Grant(t.Context(), Standard)
	require.NoError(t, err)
	a.LeaseGone(old[0])
	require.Nil(t, a.blocks[blockOf(old[0])])
	require.NotNil(t, a.blocks[blockOf(young.ID)])
	for _, id := range old {
		a.Resolve(id)
	}
	a.Resolve(young.ID)
	require.Zero(t, a.Outstanding())
	require.Empty(t, a.spent, "what is over is not given back")
}

// A command that does not come through costs no ids: the next asks again.
func TestGrantAfterAFailedLease(t *testing.T) {
	m := &failing{leasing: newLeasing(), left: 1}
	a := New(m, m, func(cluster.NodeID) bool { return true }, Config{VolumesPerScheme: 1, VolumesPerDrive: 1}, Events{})
	_, err := a.Grant(t.Context(), Standard)
	require.True(t, errs.Is(err, errs.Unavailable), err)
	_, err = a.Grant(t.Context(), Standard)
	require.NoError(t, err)
}

// failing refuses some commands for want of a quorum.
type failing struct {
	*leasing
	left int
}

// Propose implements meta.Client.
func (m *failing) Propose(ctx context.Context, cmd *metapb.Command) (*metapb.Result, error) {
	if m.left--; m.left >= 0 {
		return nil, errs.Newf("test", errs.Unknown, "no quorum")
	}
	return m.leasing.Propose(ctx, cmd)
}
