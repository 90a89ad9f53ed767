package group

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
)

// TestShared: commands share an entry in their order, as many as fit; a great one is alone.
func TestShared(t *testing.T) {
	sizes := func(n, size int) (all []int) {
		for range n {
			all = append(all, size)
		}
		return all
	}
	for name, row := range map[string]struct {
		sizes []int
		alone bool
		want  []int // Commands of each entry.
	}{
		"one":                           {sizes(1, 10), false, []int{1}},
		"a few":                         {sizes(5, 10), false, []int{5}},
		"a few that may not":            {sizes(5, 10), true, []int{1, 1, 1, 1, 1}},
		"more than an entry may have":   {sizes(2*sharedCommands+1, 10), false, []int{sharedCommands, sharedCommands, 1}},
		"more bytes than it may have":   {sizes(5, sharedBytes/2), false, []int{2, 2, 1}},
		"a great one between small":     {[]int{1, sharedBytes + 1, 1, 1}, false, []int{1, 1, 2}},
		"one that fills it to the byte": {[]int{sharedBytes - 1, 1, 1}, false, []int{2, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			c := &call{}
			var taken []waiting
			for i, n := range row.sizes {
				c.commands = append(c.commands, make([]byte, n))
				taken = append(taken, waiting{c, i})
			}
			var got []int
			next := 0
			for _, b := range shared(taken, !row.alone) {
				got = append(got, len(b))
				for _, w := range b {
					require.Equal(t, next, w.at)
					next++
				}
			}
			require.Equal(t, row.want, got)
		})
	}
}

// leveled is a state of a cluster at another feature level.
type leveled struct {
	stateMachine
	level uint32
}

func (s leveled) FeatureLevel() uint32 { return s.level }

// registerCommands returns commands, marshalled, that set registers r0, r1, … to v0, v1, ….
func registerCommands(t *testing.T, n *testNode, count int) (commands [][]byte) {
	t.Helper()
	s, err := n.client.session(context.Background())
	require.NoError(t, err)
	for i := range count {
		cmd := setRegister(fmt.Sprint("r", i), fmt.Sprint("v", i))
		cmd.Session = s.id
		cmd.Seq, cmd.Floor, _ = s.begin()
		b, err := proto.Marshal(cmd)
		require.NoError(t, err)
		commands = append(commands, b)
	}
	return commands
}

// TestCommandsShareEntries: commands that come to an idle leader one after the other have an
// entry each. Those that come together share entries, unless a node of an older release is
// there. Each has its own result, and all voters apply the same.
func TestCommandsShareEntries(t *testing.T) {
	const commands = sharedCommands + 36
	for name, row := range map[string]struct {
		level   uint32
		entries uint64
	}{"this release": {cluster.FeatureLevelMax, 2}, "one before": {cluster.LevelSharedEntries - 1, commands}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newTestCluster(t, 3, 0, func(cfg *Config) {
					open := cfg.openState
					cfg.openState = func(fs vfs.FS, dir string) (stateMachine, error) {
						s, err := open(fs, dir)
						return leveled{s, row.level}, err
					}
				})
				leader := c.leader()
				c.set(leader, "alone", "first") // It opens the session.
				before := leader.group.raft.LastIndex()
				for i := range 5 {
					c.set(leader, "alone", fmt.Sprint(i))
				}
				require.Equal(t, before+5, leader.group.raft.LastIndex())

				outcomes, err := leader.group.propose(c.ctx(30*time.Second), registerCommands(t, leader, commands))
				require.NoError(t, err)
				require.Len(t, outcomes, commands)
				for i, o := range outcomes {
					require.NoError(t, o.unknown)
					require.Zero(t, o.result.Refusal, "command %d", i)
				}
				require.Equal(t, before+5+row.entries, leader.group.raft.LastIndex())
				// What its room and clock would judge as one command is no entry of several.
				_, err = leader.group.propose(t.Context(), [][]byte{entryOf(registerCommands(t, leader, 2))})
				require.True(t, errs.Is(err, errs.Invalid), "%v", err)
				require.Equal(t, before+5+row.entries, leader.group.raft.LastIndex())
				for i := range commands {
					require.Equal(t, fmt.Sprint("v", i), c.get(leader, fmt.Sprint("r", i)))
				}
				c.converge()
				c.close()
			})
		})
	}
}

// TestCommandsWaitForTheLog: commands of many callers that come while the leader writes its log
// go into one entry after it.
func TestCommandsWaitForTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang, on := make(chan struct{}), new(atomic.Bool)
		c := newTestCluster(t, 1, 0, func(cfg *Config) { cfg.FS = hangFS{cfg.FS, hang, on} })
		leader := c.leader()
		c.set(leader, "a", "1")
		before := leader.group.raft.LastIndex()
		on.Store(true)
		var callers sync.WaitGroup
		callers.Go(func() { c.set(leader, "a", "2") })
		synctest.Wait()
		for i := range sharedCommands {
			callers.Go(func() { c.set(leader, fmt.Sprint("b", i), "3") })
		}
		synctest.Wait()
		on.Store(false)
		close(hang)
		callers.Wait()
		require.Equal(t, before+2, leader.group.raft.LastIndex())
		for i := range sharedCommands {
			require.Equal(t, "3", c.get(leader, fmt.Sprint("b", i)))
		}
		c.close()
	})
}
