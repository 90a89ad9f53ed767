package group

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// isolate cuts a node off from all others, or heals it.
func (c *testCluster) isolate(n *testNode, cut bool) {
	for _, o := range c.nodes {
		if o != n {
			c.net.setCut(n.number, o.number, cut)
		}
	}
}

// TestPartitionedLeader is the shape of hashicorp/raft issue 695: the leader is cut
// off while both sides write, and comes back; the state machines must stay equal.
func TestPartitionedLeader(t *testing.T) {
	heals := effort.Of(8, 2, 1000)
	for _, voters := range []int{3, 5} {
		t.Run(fmt.Sprint(voters), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newTestCluster(t, voters, 0, nil)
				rng := testRNG(uint64(voters))
				ctx, cancel := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				var acked atomic.Int64
				for _, n := range c.nodes {
					wg.Go(func() {
						for i := 0; ctx.Err() == nil; i++ {
							limited, stop := context.WithTimeout(ctx, 2*time.Second)
							_, err := n.client.Propose(limited, setRegister(fmt.Sprint(n.number), fmt.Sprint(i)))
							stop()
							if err == nil {
								acked.Add(1)
							}
							time.Sleep(time.Millisecond)
						}
					})
				}
				for range heals {
					old := c.leader()
					c.isolate(old, true)
					c.leader(old)
					time.Sleep(time.Duration(rng.IntN(1000)) * time.Millisecond)
					c.isolate(old, false)
					time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
				}
				cancel()
				wg.Wait()
				c.converge()
				require.Greater(t, acked.Load(), int64(heals))
				c.close()
			})
		})
	}
}

func TestFollowerCatchesUpBySnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCluster(t, 3, 0, func(cfg *Config) { cfg.SnapshotThreshold, cfg.TrailingLogs = 50, 20 })
		away := c.nodes[1]
		if away == c.leader() {
			away = c.nodes[2]
		}
		c.set(away, "a", "before")
		for round := range 3 {
			c.kill(away, 50, testRNG(uint64(round)))
			for i := range 300 {
				c.set(c.leader(), fmt.Sprint("k", i), fmt.Sprint(round, i))
			}
			time.Sleep(time.Second) // Snapshots are due.
			first, _ := c.leader().group.log.FirstIndex()
			before := away.applies.Load()
			c.start(away)
			c.converge()
			d := away.data()
			require.Equal(t, fmt.Sprint(round, 299), d.Registers["k299"])
			require.Greater(t, first, uint64(100), "the log was not cut")
			require.Less(t, away.applies.Load()-before, int64(200), "it was not by snapshot")
			snaps, err := away.group.snaps.List()
			require.NoError(t, err)
			require.LessOrEqual(t, len(snaps), 2, "older snapshots are kept")
		}
		c.close()
	})
}

func TestRestartAppliesNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCluster(t, 3, 0, func(cfg *Config) { cfg.SnapshotThreshold, cfg.TrailingLogs = 1000, 1000 })
		for i := range 200 {
			c.set(c.nodes[i%3], fmt.Sprint(i), "x")
		}
		c.converge()
		for _, n := range c.nodes {
			c.stop(n)
		}
		var before int64
		for _, n := range c.nodes {
			before += n.applies.Load()
		}
		for _, n := range c.nodes {
			c.start(n)
		}
		c.leader()
		require.Equal(t, "x", c.get(c.nodes[0], "199"))
		c.converge()
		var after int64
		for _, n := range c.nodes {
			after += n.applies.Load()
		}
		require.Less(t, after-before, int64(30), "entries were applied again")
		c.close()
	})
}

func TestPowerCutOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCluster(t, 3, 0, func(cfg *Config) { cfg.SnapshotThreshold, cfg.TrailingLogs = 40, 40 })
		for round, percent := range []int{0, 50, 100} {
			for i := range 60 {
				c.set(c.nodes[i%3], fmt.Sprint(i), fmt.Sprint(round))
			}
			time.Sleep(time.Duration(round*150) * time.Millisecond)
			for i, n := range c.nodes {
				c.kill(n, percent, testRNG(uint64(round*10+i)))
			}
			for _, n := range c.nodes {
				c.start(n)
			}
			for i := range 60 {
				require.Equal(t, fmt.Sprint(round), c.get(c.nodes[i%3], fmt.Sprint(i)), "an acknowledged command is lost")
			}
			c.converge()
		}
		c.close()
	})
}

// lossy loses the answer to every so many requests.
type lossy struct {
	next  http.RoundTripper
	every int64 // 0: only the first.
	count atomic.Int64
	lost  atomic.Int64
}

func (l *lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(r)
	if err == nil && strings.HasSuffix(r.URL.Path, "/Propose") && l.loses(l.count.Add(1)) {
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		l.lost.Add(1)
		return nil, errors.New("the answer is lost")
	}
	return resp, err
}

func (l *lossy) loses(n int64) bool {
	if l.every == 0 {
		return n == 1
	}
	return n%l.every == 0
}

func (l *lossy) CloseIdleConnections() {
	l.next.(interface{ CloseIdleConnections() }).CloseIdleConnections()
}

func TestForwardedOnceFromNonvoter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCluster(t, 3, 1, nil)
		outside := c.nodes[3]
		l := &lossy{next: outside.http.Transport, every: 3}
		outside.http.Transport = l
		const n = 100
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for i := range n / 4 {
					c.set(outside, fmt.Sprint(w), fmt.Sprint(i))
				}
			})
		}
		wg.Wait()
		require.Positive(t, l.lost.Load())
		require.Equal(t, n, c.leader().data().Sets, "commands had effect more or less than once")
		c.converge()
		c.close()
	})
}

func TestUnknownIsNotReplayedInNewSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCluster(t, 3, 1, nil)
		outside := c.nodes[3]
		c.set(outside, "a", "1")
		// A second run of the node ends the session of the first.
		second := NewClient(outside.client.cfg)
		require.NoError(t, second.OpenSession(c.ctx(time.Minute)))
		c.set(outside, "a", "2") // Certainly not applied in the old one: goes into a new one.
		require.Equal(t, "2", c.get(outside, "a"))

		third := NewClient(outside.client.cfg)
		require.NoError(t, third.OpenSession(c.ctx(time.Minute)))
		l := &lossy{next: outside.http.Transport} // Loses that the session has ended.
		outside.http.Transport = l
		_, err := outside.client.Propose(c.ctx(time.Minute), setRegister("a", "3"))
		require.Equal(t, errs.Unknown, errs.KindOf(err), "%v", err)
		require.ErrorContains(t, err, "session ended")
		require.Equal(t, "2", c.get(outside, "a"))
		c.set(outside, "a", "4")
		third.Close()
		second.Close()
		c.close()
	})
}

func TestNothingSentIsUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCluster(t, 3, 1, nil)
		outside := c.nodes[3]
		c.set(outside, "a", "1")
		for _, n := range c.nodes[:3] {
			c.stop(n)
		}
		outside.http.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err := outside.client.Propose(ctx, setRegister("a", "2"))
		require.Equal(t, errs.Unavailable, errs.KindOf(err), "%v", err)
		_, err = outside.client.Read(ctx, getRegister("a"))
		require.Equal(t, errs.Unavailable, errs.KindOf(err), "%v", err)
		c.close()
	})
}

func TestTopology(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCluster(t, 1, 1, nil)
		top, err := c.nodes[1].client.Topology(c.ctx(time.Minute))
		require.NoError(t, err)
		require.Equal(t, uint64(1), top.View.Epoch)
		again, err := c.nodes[1].client.TopologyAtLeast(c.ctx(time.Minute), 1)
		require.NoError(t, err)
		require.Same(t, top, again)
		_, err = c.nodes[1].client.TopologyAtLeast(c.ctx(time.Minute), 2)
		require.Equal(t, errs.Unavailable, errs.KindOf(err))
		c.close()
	})
}

// countingTransport counts requests.
type countingTransport struct {
	next  http.RoundTripper
	count atomic.Int64
}

func (t *countingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	t.count.Add(1)
	return t.next.RoundTrip(r)
}

// TestTopologyOfAVoter: a voter whose state has come to the epoch that is wanted asks nobody. One
// that follows no leader does not go by its state: it may be of a history that was given up.
func TestTopologyOfAVoter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCluster(t, 3, 0, nil)
		leader := c.leader()
		follower := c.nodes[(leader.number+1)%3]
		sent := &countingTransport{next: follower.http.Transport}
		follower.http.Transport = sent
		_, err := follower.client.Read(c.ctx(time.Minute), getRegister("a"))
		require.NoError(t, err)
		require.EqualValues(t, 1, sent.count.Load())
		top, err := follower.client.Topology(c.ctx(time.Minute))
		require.NoError(t, err)
		require.EqualValues(t, 1, top.View.Epoch)
		require.EqualValues(t, 1, sent.count.Load(), "the leader was asked")

		for _, n := range c.nodes {
			c.net.setCut(follower.number, n.number, true)
		}
		for follower.group.Leader() != 0 {
			time.Sleep(10 * time.Millisecond)
		}
		alone := NewClient(follower.client.cfg)
		defer alone.Close()
		_, err = alone.TopologyAtLeast(c.ctx(3*time.Second), 1)
		require.Equal(t, errs.Unavailable, errs.KindOf(err), "%v", err)
		for _, n := range c.nodes {
			c.net.setCut(follower.number, n.number, false)
		}
		c.close()
	})
}

func TestMembership(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCluster(t, 3, 0, nil)
		leader := c.leader()
		members, id := leader.group.Members()
		require.Len(t, members, 3)
		require.Equal(t, leader.id, id)
		require.NoError(t, leader.group.Remove(c.ctx(time.Minute), leader.id))
		next := c.leader(leader)
		require.NotSame(t, leader, next)
		c.set(leader, "a", "1") // As a client.
		require.NoError(t, next.group.AddVoter(c.ctx(time.Minute), leader.id, leader.raftAddr()))
		require.Equal(t, 3, next.group.Stats().Voters)
		require.Equal(t, errs.Unavailable, errs.KindOf(leader.group.Remove(c.ctx(time.Minute), next.id)))
		c.converge()
		c.close()
	})
}

// hangFS is a file system whose syncs can be made to hang.
type hangFS struct {
	vfs.FS
	hang chan struct{} // Not nil and open: syncs wait for its end.
	on   *atomic.Bool
}

type hangFile struct {
	vfs.File
	fs hangFS
}

func (f hangFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, c)
	return hangFile{file, f}, err
}

func (f hangFS) ReuseForWrite(o, n string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.ReuseForWrite(o, n, c)
	return hangFile{file, f}, err
}

func (f hangFile) wait() {
	if f.fs.on.Load() {
		<-f.fs.hang
	}
}

func (f hangFile) Sync() error     { f.wait(); return f.File.Sync() }
func (f hangFile) SyncData() error { f.wait(); return f.File.SyncData() }
func (f hangFile) SyncTo(n int64) (bool, error) {
	f.wait()
	return f.File.SyncTo(n)
}

// TestHungLogDisk: the leader's process must end, and another must lead.
func TestHungLogDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang, on := make(chan struct{}), make([]atomic.Bool, 3)
		c := newTestCluster(t, 3, 1, func(cfg *Config) {
			cfg.FS = hangFS{cfg.FS, hang, &on[cfg.Node-1]}
		})
		old := c.leader()
		c.set(c.nodes[3], "a", "1")
		var down atomic.Int64
		start := time.Now()
		fatal := old.group.fsm.events.Fatal
		require.NotNil(t, fatal)
		on[old.number].Store(true)
		go func() { // What the end of the process does.
			for old.fatal.Load() == nil {
				time.Sleep(10 * time.Millisecond)
			}
			down.Store(int64(time.Since(start)))
			c.net.setDown(old.number, true)
		}()
		c.set(c.nodes[3], "a", "2")
		require.Less(t, time.Since(start), 15*time.Second)
		require.LessOrEqual(t, time.Duration(down.Load()), DefaultLogWriteTimeout+time.Second)
		require.Equal(t, "2", c.get(c.nodes[3], "a"))
		require.ErrorContains(t, *old.fatal.Load(), "hangs")
		on[old.number].Store(false)
		close(hang)
		c.close()
	})
}

// TestDeposedLeaderServesNoReads: a leader that is cut off and has not noticed yet
// must not answer from its state.
func TestDeposedLeaderServesNoReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCluster(t, 3, 0, func(cfg *Config) {
			cfg.Timing.Heartbeat, cfg.Timing.Election = 700*time.Millisecond, 700*time.Millisecond
			if cfg.Node == 1 { // It leads first and is slow to see that it is alone.
				cfg.Timing.Heartbeat, cfg.Timing.Election = 4*time.Second, 4*time.Second
				cfg.Timing.LeaderLease = 4 * time.Second
			}
		})
		old := c.leader()
		require.Same(t, c.nodes[0], old)
		c.set(old, "r", "1")
		require.Equal(t, "1", c.get(old, "r"))
		c.isolate(old, true)
		next := c.leader(old)
		c.set(next, "r", "2")
		require.True(t, old.group.IsLeader(), "it has noticed too early for this test")
		a, err := old.group.read(c.ctx(10*time.Second), getRegister("r"))
		require.Error(t, err, "a stale answer: %v", a)
		c.isolate(old, false)
		require.Equal(t, "2", c.get(old, "r"))
		c.converge()
		c.close()
	})
}

// TestNewLeaderReadsAfterBarrier: a new leader whose state is behind the log must
// not answer before it has caught up.
func TestNewLeaderReadsAfterBarrier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCluster(t, 3, 0, nil)
		old := c.leader()
		c.converge()
		for _, n := range c.nodes {
			if n != old {
				n.group.fsm.state.current.(*fakeState).delay.Store(int64(5 * time.Second))
			}
		}
		c.set(old, "r", "1")
		time.Sleep(100 * time.Millisecond) // The others learn that it is committed.
		c.kill(old, 100, testRNG(1))
		for _, n := range c.nodes {
			if n != old {
				n.group.fsm.state.current.(*fakeState).delay.Store(int64(time.Second))
			}
		}
		next := c.leader(old)
		a, err := next.group.read(c.ctx(time.Minute), getRegister("r"))
		require.NoError(t, err)
		require.Equal(t, "1", a.Bucket.Owner, "the new leader's state is behind what was acknowledged")
		c.start(old)
		c.close()
	})
}

// TestLateAnswersDoNotConfirm: answers to heartbeats that were sent before another node
// began to lead arrive after a read has begun, and confirm nothing, though Raft itself
// counts them.
func TestLateAnswersDoNotConfirm(t *testing.T) {
	for _, patient := range []bool{false, true} {
		t.Run(fmt.Sprintf("patient=%v", patient), func(t *testing.T) { lateAnswers(t, patient) })
	}
}

func lateAnswers(t *testing.T, patient bool) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCluster(t, 3, 0, func(cfg *Config) {
			cfg.Timing.Heartbeat, cfg.Timing.Election = 700*time.Millisecond, 700*time.Millisecond
			if cfg.Node == 1 { // It leads first, and waits long for answers.
				cfg.Timing.Heartbeat, cfg.Timing.Election = 8*time.Second, 8*time.Second
				cfg.Timing.LeaderLease, cfg.Timing.RPC = 8*time.Second, 10*time.Second
			}
		})
		old := c.leader()
		require.Same(t, c.nodes[0], old)
		c.set(old, "r", "1")
		hold := func(answers, hold bool) {
			for _, n := range c.nodes[1:] {
				c.net.hold(way{n.number, old.number, answers}, hold)
			}
		}
		hold(true, true)
		hold(false, true)
		next := c.leader(old)
		c.set(next, "r", "2")
		require.True(t, old.group.IsLeader(), "it has noticed too early for this test")

		var a *metapb.Answer
		var err error
		done := make(chan struct{})
		go func() {
			defer close(done)
			q := getRegister("r")
			q.Patient = patient
			a, err = old.group.read(c.ctx(30*time.Second), q)
		}()
		synctest.Wait() // The read waits for its confirmation.
		hold(true, false)
		<-done
		require.Error(t, err, "a stale answer: %v", a)
		hold(false, false)
		require.Equal(t, "2", c.get(old, "r"))
		c.converge()
		c.close()
	})
}

// TestPatientReads: a patient read sends nothing, so it waits for the next heartbeats. It is
// answered within the time after which a follower would campaign, by the leader and for others.
func TestPatientReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCluster(t, 3, 1, nil)
		outside := c.nodes[3]
		c.set(outside, "a", "1")
		var waited time.Duration
		for i := range 20 {
			for _, n := range []*testNode{c.leader(), outside} {
				began := time.Now()
				_, err := n.client.Read(c.ctx(time.Minute), getRegister("a"))
				require.NoError(t, err)
				require.Zero(t, time.Since(began), "a read that cannot wait has waited for a heartbeat")

				q := getRegister("a")
				q.Patient = true
				began = time.Now()
				a, err := n.client.Read(c.ctx(time.Minute), q)
				require.NoError(t, err)
				require.Equal(t, "1", a.Bucket.Owner)
				require.Less(t, time.Since(began), FastTiming().Heartbeat)
				waited += time.Since(began)
			}
			time.Sleep(time.Duration(i) * time.Millisecond) // At another moment between two heartbeats.
		}
		require.Positive(t, waited, "patient reads make the leader send heartbeats")
		c.close()
	})
}

// TestPatientReadOfOne: the only voter needs no heartbeats.
func TestPatientReadOfOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCluster(t, 1, 0, nil)
		q := getRegister("a")
		q.Patient = true
		began := time.Now()
		_, err := c.nodes[0].client.Read(c.ctx(time.Minute), q)
		require.NoError(t, err)
		require.Zero(t, time.Since(began))
		c.close()
	})
}
