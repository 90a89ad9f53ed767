package state

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/shard"
)

// No extent number is given out twice: not in volumes that the restored metadata know,
// not in those that were made after the backup and whose ids are given out again, and not
// when the same backup is restored once more.
func TestNumbersOfAnEra(t *testing.T) {
	const skip = 1000
	given := map[record.LeaseName]uint64{} // In which era.
	for era := range uint64(4) {
		m := newMachine(t, nil)
		c := newClient(t, m, 1, 2, 1) // What the backup holds, with one block given out.
		given[record.LeaseName{Volume: 1, Block: 0}] = 0
		if era > 0 {
			c.ok(t, &metapb.Command{Op: &metapb.Command_BeginEra{BeginEra: &metapb.BeginEra{Era: era, SkipBlocks: skip}}})
			c.session = id(100)
			m.apply(&metapb.Command{Op: &metapb.Command_OpenSession{OpenSession: &metapb.OpenSession{Node: 1, Session: c.session}}})
		}
		made := c.ok(t, &metapb.Command{Op: &metapb.Command_CreateVolumes{CreateVolumes: &metapb.CreateVolumes{
			ViewEpoch: m.s.mem.cluster.ViewEpoch, Volumes: []*metapb.Volume{{K: 2, M: 1, Slots: []uint64{100, 101, 102}}}}}})
		require.Equal(t, []uint32{2}, made.Volumes)
		m.restore() // As a voter that starts again has it.
		for range 3 {
			r := c.ok(t, &metapb.Command{Op: &metapb.Command_LeaseExtents{LeaseExtents: &metapb.LeaseExtents{Volumes: []uint32{1, 2}}}})
			for _, b := range r.Leases {
				l := record.LeaseName{Volume: shard.VolumeID(b.Volume), Block: b.Block}
				before, twice := given[l]
				require.False(t, twice, "volume %d, block %d: in era %d and in era %d", b.Volume, b.Block, before, era)
				given[l] = era
			}
		}
		require.NoError(t, m.s.Check())
		m.close()
	}
}
