package upkeep

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/drive"
)

// gauge is a drive with an id, a filling and perhaps a failure.
type gauge struct {
	fakeDrive
	id     cluster.DriveID
	usage  drive.Usage
	failed error
}

func (g *gauge) ID() cluster.DriveID { return g.id }
func (g *gauge) Usage() drive.Usage  { return g.usage }
func (g *gauge) Failed() error       { return g.failed }

// newGauged returns a community whose leader has drives 1 and 2, and reports of them.
func newGauged(t *testing.T) (c *community, one, two *gauge, report func()) {
	c = newCommunity(t, 4, []uint64{1, 2, 3}, []uint64{2, 3, 4})
	usage := drive.Usage{UsedBytes: 100 << 20, FreeBytes: 900 << 20, CapacityBytes: 1 << 30}
	one, two = &gauge{id: 1, usage: usage}, &gauge{id: 2, usage: usage}
	c.leader.c.Drives = []Drive{one, two}
	r := newReporter(c.leader)
	return c, one, two, func() { require.NoError(t, r.run(t.Context())) }
}

// What a drive holds is told when it has changed by much, else not: every report is a
// commit.
func TestReportsOfDrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, one, _, report := newGauged(t)
		report()
		require.Equal(t, uint64(100<<20), c.topology().View.Drive(1).UsedBytes)
		index := c.index
		one.usage.UsedBytes += 15 << 20 // Less than a 64th of 1 GiB.
		one.usage.FreeBytes -= 15 << 20
		report()
		require.Equal(t, index, c.index)
		one.usage.UsedBytes += 2 << 20
		report()
		require.Equal(t, index+1, c.index)
		require.Equal(t, uint64(117<<20), c.topology().View.Drive(1).UsedBytes)
		require.Empty(t, c.said)
	})
}

// A full drive gets no slots until there is room again; it is told once each time.
func TestReportsOfFullDrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, _, report := newGauged(t)
		c.full[1] = true
		report()
		report()
		require.True(t, c.topology().View.Drive(1).Full)
		require.Equal(t, []string{"drive 1 failed false full true slow false"}, c.said)

		c.down[4] = true // Its slot of volume 2 would go to drive 1.
		c.live(lostAfter + 3*roundEvery)
		require.Equal(t, cluster.Lost, c.stateOf(4))
		require.Empty(t, c.moving())
		delete(c.full, 1)
		report()
		c.live(2 * roundEvery)
		require.Equal(t, []shard.VolumeID{2}, c.moving())
		require.Equal(t, cluster.DriveID(1), c.topology().Volumes[2].Move.To)
	})
}

// A slow drive is shown as such, keeps what it has, and is well again when it is told.
func TestReportsOfSlowDrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, _, report := newGauged(t)
		c.slow[2] = true
		report()
		require.True(t, c.topology().View.Drive(2).Slow)
		require.False(t, c.topology().View.Drive(1).Slow)
		c.live(3 * roundEvery)
		require.Zero(t, c.moves)
		delete(c.slow, 2)
		report()
		require.False(t, c.topology().View.Drive(2).Slow)
		require.Len(t, c.said, 2)
	})
}

// A drive that fails is taken out at once, without any threshold, and its slots go
// elsewhere; the other drives of its node stay.
func TestReportsOfFailedDrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, one, _, report := newGauged(t)
		report()
		one.failed = errors.New("input/output error")
		report()
		require.Equal(t, cluster.Failed, c.topology().View.StateOf(1))
		require.Equal(t, cluster.Active, c.topology().View.StateOf(2))
		require.Equal(t, []string{"drive 1 failed true full false slow false"}, c.said)
		c.live(2 * roundEvery)
		require.Equal(t, []shard.VolumeID{1}, c.moving())
		move := c.topology().Volumes[1].Move
		require.Equal(t, shard.Move{Slot: 0, To: 4, Rebuild: true}, shard.Move{Slot: move.Slot, To: move.To, Rebuild: move.Rebuild})
		index := c.index
		report()
		require.Equal(t, index, c.index, "it is told already")
	})
}

// A drive that was removed from the cluster is not told of.
func TestReportsOfRemovedDrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, one, _, report := newGauged(t)
		one.id = 77
		report()
		require.Nil(t, c.topology().View.Drive(77))
		require.NotZero(t, c.topology().View.Drive(2).UsedBytes)
	})
}
