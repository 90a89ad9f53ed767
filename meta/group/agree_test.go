package group

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// refusalsOf makes what a server tells that has refused some entries and remembers a few.
func refusalsOf(refused []uint64, applied uint64, kept int) Refusals {
	r := Refusals{Applied: applied}
	digest := ""
	for _, i := range refused {
		if i > applied {
			break
		}
		digest = fmt.Sprintf("%s %d", digest, i)
		r.Count++
		r.Latest = append(r.Latest, RefusedEntry{i, digest})
	}
	r.Latest = r.Latest[max(0, len(r.Latest)-kept):]
	return r
}

// TestRefusalsDiffer compares what is said of two servers with whether they have refused
// the same of what both have applied. It is never said of two that agree, whatever they
// remember; and of two that do not it is, where both remember enough.
func TestRefusalsDiffer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a, b []uint64
		first := uint64(0) // That one refused and the other did not.
		for i := uint64(1); i <= 30; i++ {
			switch rapid.IntRange(0, 20).Draw(t, "entry") {
			case 0, 1, 2, 3:
				a, b = append(a, i), append(b, i)
			case 4:
				a = append(a, i)
				if first == 0 {
					first = i
				}
			case 5:
				b = append(b, i)
				if first == 0 {
					first = i
				}
			}
		}
		at, bt := rapid.Uint64Range(1, 40).Draw(t, "applied"), rapid.Uint64Range(1, 40).Draw(t, "applied")
		kept := rapid.IntRange(1, 40).Draw(t, "kept")
		x, y := refusalsOf(a, at, kept), refusalsOf(b, bt, kept)
		since, differ := x.differs(y)
		other, also := y.differs(x)
		require.Equal(t, differ, also)
		require.Equal(t, since, other)
		truth := first != 0 && first <= min(at, bt)
		if differ {
			require.True(t, truth, "%v of %d, %v of %d", a, at, b, bt)
			require.GreaterOrEqual(t, since, first)
		}
		if truth && kept == 40 {
			require.True(t, differ)
			require.Equal(t, first, since)
		}
	})
}

// hearAll has all nodes that are up tell each other what they have refused.
func (c *testCluster) hearAll() {
	for _, n := range c.nodes {
		for _, o := range c.nodes {
			if n.up && o.up && n != o {
				n.group.HeardRefusals(o.group.Server(), o.group.Refusals())
			}
		}
	}
}

// spoil makes a node refuse an entry that it applies next.
func (n *testNode) spoil() {
	s := fakeOf(n.group.fsm.state.current)
	index, _ := s.Applied()
	s.refused.Store(&metapb.Contradictions{Count: 1, Latest: []*metapb.Contradiction{{Index: index + 1, Digest: []byte("digest")}}})
}

// TestDisagreement: one of three voters refuses alone what the other two apply. It learns
// that it is wrong, leads nobody and answers nothing, and has its metadata made anew as
// another server; the others know which one it is, and lose nothing. A start that is cut
// off after some of it was set aside goes on.
func TestDisagreement(t *testing.T) {
	for _, cutOff := range []string{"", logDir, stateDirName} {
		t.Run("cut off after "+cutOff, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, r := witnessed(t)
				leader := c.leader()
				wrong, right := c.nodes[0], c.nodes[1]
				if wrong == leader {
					wrong = c.nodes[2]
				} else if right == leader {
					right = c.nodes[2]
				}
				require.NoError(t, c.put(leader, "before"))
				c.converge()
				wrong.spoil()
				c.hearAll()
				require.True(t, wrong.group.Judge().Open, "nobody has applied so far yet")
				require.Empty(t, wrong.group.Judge().Wrong)
				require.NoError(t, c.put(leader, "after"))
				c.converge()
				c.hearAll()
				j := wrong.group.Judge()
				require.Contains(t, j.Wrong, "disagreed with those of 2 of 3 voters")
				require.False(t, j.Open)
				for _, n := range []*testNode{leader, right} {
					require.Equal(t, Judgement{Differ: []cluster.NodeID{wrong.id}}, n.group.Judge())
				}

				// Beside it nobody is elected: one of the two would lead with a state that is wrong.
				c.kill(leader, 100, testRNG(1))
				time.Sleep(time.Minute)
				require.False(t, wrong.group.IsLeader())
				require.False(t, right.group.IsLeader())
				was := wrong.group.Server()
				require.NoError(t, wrong.group.Disown(j.Wrong))
				require.True(t, errs.Is(wrong.group.agreeWith("1"), errs.Denied))
				c.stop(wrong)
				c.start(leader)
				l := c.leader()
				if cutOff != "" {
					to := wrong.fs.PathJoin("meta", disownedName, was)
					require.NoError(t, wrong.fs.MkdirAll(to, 0o755))
					require.NoError(t, wrong.fs.Rename(wrong.fs.PathJoin("meta", cutOff), wrong.fs.PathJoin(to, cutOff)))
					require.NoError(t, wrong.fs.MkdirAll(wrong.fs.PathJoin("meta", cutOff), 0o755))
				}
				c.start(wrong)
				require.NotEqual(t, was, wrong.group.Server())
				require.Contains(t, wrong.group.Forgot(), "disagreed with those of 2 of 3 voters")
				require.Zero(t, wrong.group.Stats().LastLogIndex)
				require.Equal(t, Refusals{}, wrong.group.Refusals())
				kept, err := wrong.fs.List(wrong.fs.PathJoin("meta", disownedName, was))
				require.NoError(t, err)
				require.ElementsMatch(t, []string{logDir, stateDirName, snapshotsDir}, kept)

				r.register(wrong)
				require.NoError(t, l.group.Expel(c.ctx(time.Minute), wrong.id))
				require.NoError(t, l.group.AddVoter(c.ctx(time.Minute), wrong.id, wrong.raftAddr()))
				c.allKnowVoters()
				require.Empty(t, wrong.group.Forgot())
				c.hearAll()
				for _, n := range c.nodes {
					require.Equal(t, Judgement{}, n.group.Judge())
				}
				require.Equal(t, "after", c.get(l, "after"))
				c.converge()

				// It starts again as what it is now.
				now := wrong.group.Server()
				c.stop(wrong)
				c.start(wrong)
				require.Equal(t, now, wrong.group.Server())
				require.Empty(t, wrong.group.Forgot())
				c.close()
			})
		})
	}
}
