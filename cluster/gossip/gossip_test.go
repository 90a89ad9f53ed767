package gossip

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
)

// A probe under way when memberlist shuts down ends by itself, up to seconds later.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode"))
}

var testKey = bytes.Repeat([]byte{7}, 32)

func addrOf(id int) string { return fmt.Sprintf("127.0.0.%d:7000", id) }

func configOf(n *memNet, id int, seeds ...int) Config {
	cfg := Config{Self: Meta{Node: cluster.NodeID(id), Zone: fmt.Sprint("z", id%3), RPCAddr: fmt.Sprintf("h%d:1", id), Expect: 3},
		Key: testKey, Label: "test", Transport: n.port(addrOf(id)), Fast: true}
	for _, s := range seeds {
		cfg.Seeds = append(cfg.Seeds, addrOf(s))
	}
	return cfg
}

// bubble runs f in a synctest bubble, and lets memberlist's last probes end, for
// which nobody can wait.
func bubble(t *testing.T, f func(*testing.T)) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Minute) })
		f(t)
	})
}

func start(t *testing.T, cfg Config) *Gossip {
	t.Helper()
	g, err := Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Close()) })
	return g
}

// startAll starts nodes 1 to n, each with node 1 as its seed.
func startAll(t *testing.T, net *memNet, n int) []*Gossip {
	t.Helper()
	out := make([]*Gossip, n+1)
	for id := 1; id <= n; id++ {
		out[id] = start(t, configOf(net, id, 1))
	}
	await(t, 10*time.Second, func() bool { return allSee(out[1:], n, Alive) })
	return out
}

func allSee(gs []*Gossip, n int, s State) bool {
	for _, g := range gs {
		if count(g, s) != n {
			return false
		}
	}
	return true
}

func count(g *Gossip, s State) (n int) {
	for _, m := range g.Members() {
		if m.State == s {
			n++
		}
	}
	return n
}

// await lets the bubble's time pass until ok, and returns how long it took.
func await(t *testing.T, limit time.Duration, ok func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !ok() {
		require.Less(t, time.Since(began), limit, "did not happen in time")
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(began)
}

func TestMembersFindEachOther(t *testing.T) {
	bubble(t, func(t *testing.T) {
		gs := startAll(t, newMemNet(), 6)
		for id := 1; id <= 6; id++ {
			members := gs[id].Members()
			require.True(t, slices.IsSortedFunc(members, func(a, b Member) int { return int(a.Node) - int(b.Node) }))
			require.Equal(t, Meta{Node: 4, Zone: "z1", RPCAddr: "h4:1", Expect: 3}, members[3].Meta)
			require.Equal(t, addrOf(4), members[3].Addr)
		}
		one, ok := gs[2].Member(4)
		require.True(t, ok)
		require.Equal(t, gs[2].Members()[3], one)
		_, ok = gs[2].Member(99)
		require.False(t, ok)
		require.True(t, gs[1].Alive(6))
		require.Equal(t, Alive, gs[1].State(1))
		require.Equal(t, Down, gs[1].State(99))
		require.Equal(t, addrOf(2), gs[2].Addr())
	})
}

func TestKilledNodeIsSuspectThenDown(t *testing.T) {
	for _, n := range []int{2, 3, 6} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				gs := startAll(t, newMemNet(), n)
				require.NoError(t, gs[2].Close())
				await(t, 5*time.Second, func() bool { return gs[1].State(2) != Alive })
				suspected := gs[1].State(2)
				took := await(t, 8*time.Second, func() bool { return gs[1].State(2) == Down })
				t.Logf("down %v after it was %s", took, suspected)
				if n < 6 { // Among more, another one's probe may be first.
					require.Equal(t, Suspect, suspected)
				}
				require.Equal(t, n-1, count(gs[1], Alive))
				require.Len(t, gs[1].Members(), n)
			})
		})
	}
}

func TestLeaveIsDownAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		gs := startAll(t, newMemNet(), 3)
		require.NoError(t, gs[3].Leave(time.Second))
		require.NoError(t, gs[3].Close())
		require.NoError(t, gs[3].Leave(time.Second), "leaving after Close does nothing")
		await(t, time.Second, func() bool { return gs[1].State(3) == Down && gs[2].State(3) == Down })
	})
}

// Node 1 has no seeds, so when it comes back the others must call it.
func TestRestartWithoutSeeds(t *testing.T) {
	for _, leave := range []bool{false, true} {
		t.Run(fmt.Sprint("leave=", leave), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				net := newMemNet()
				gs := startAll(t, net, 3)
				if leave {
					require.NoError(t, gs[1].Leave(time.Second))
				}
				require.NoError(t, gs[1].Close())
				await(t, 10*time.Second, func() bool { return gs[2].State(1) == Down && gs[3].State(1) == Down })
				time.Sleep(time.Minute)
				gs[1] = start(t, configOf(net, 1))
				await(t, 5*time.Second, func() bool { return allSee(gs[1:], 3, Alive) })
			})
		})
	}
}

// A node that restarts at once elsewhere is refused its name until its old
// address is found dead, and must be known by the new one soon after.
func TestRestartAtNewAddress(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := newMemNet()
		gs := startAll(t, net, 3)
		require.NoError(t, gs[3].Close())
		cfg := configOf(net, 33, 1)
		cfg.Self.Node = 3
		gs[3] = start(t, cfg)
		knows := func(g *Gossip) bool {
			m := g.Members()[2]
			return m.State == Alive && m.Addr == "127.0.0.33:7000"
		}
		took := await(t, 15*time.Second, func() bool { return knows(gs[1]) && knows(gs[2]) })
		t.Log("known at its new address after", took)
	})
}

// Both halves declare each other dead, stay apart until memberlist has forgotten them, and meet again.
func TestPartitionHeals(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := newMemNet()
		gs := startAll(t, net, 4)
		halves := func(up bool) {
			for _, a := range []int{1, 2} {
				for _, b := range []int{3, 4} {
					net.link(addrOf(a), addrOf(b), up)
				}
			}
		}
		halves(false)
		await(t, 20*time.Second, func() bool { return allSee(gs[1:], 2, Down) })
		time.Sleep(5 * time.Minute)
		halves(true)
		took := await(t, 10*time.Second, func() bool { return allSee(gs[1:], 4, Alive) })
		t.Log("whole again after", took)
	})
}

// One link is cut: others reach the node, so it is never down; for the two ends it
// is at most suspect.
func TestOneLinkCutIsNotDeath(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := newMemNet()
		gs := startAll(t, net, 5)
		net.link(addrOf(1), addrOf(2), false)
		for range 600 {
			time.Sleep(100 * time.Millisecond)
			require.NotEqual(t, Down, gs[1].State(2))
			require.NotEqual(t, Down, gs[3].State(2))
		}
		net.link(addrOf(1), addrOf(2), true)
		await(t, 10*time.Second, func() bool { return allSee(gs[1:], 5, Alive) })
	})
}

func TestWrongKeyIsRefusedAndReported(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := newMemNet()
		var mu sync.Mutex
		said := make(map[string][]string)
		note := func(who, text string) {
			mu.Lock()
			defer mu.Unlock()
			said[who] = append(said[who], text)
		}
		right := configOf(net, 1)
		right.Events.WrongKey = func(text string) { note("right", text) }
		wrong := configOf(net, 2, 1)
		wrong.Key = bytes.Repeat([]byte{8}, 32)
		wrong.Events.WrongKey = func(text string) { note("wrong", text) }
		wrong.Events.JoinFailed = func(seeds []string, err error) { note("join", fmt.Sprint(seeds, err)) }
		a, b := start(t, right), start(t, wrong)
		time.Sleep(time.Minute)
		require.Len(t, a.Members(), 1)
		require.Len(t, b.Members(), 1)
		mu.Lock()
		defer mu.Unlock()
		require.NotEmpty(t, said["right"])
		require.Contains(t, said["right"][0], "same cluster key file")
		require.LessOrEqual(t, len(said["right"]), 2, "a report a minute")
		require.NotEmpty(t, said["join"])
		require.Contains(t, said["join"][0], "127.0.0.1:7000")
		require.Contains(t, said["join"][0], "give every node the same --cluster-key-file")
		t.Log(said["right"][0], "|", said["wrong"], "|", said["join"][0])
	})
}

// TestKeyIsRotated changes the key of a cluster one node after the other, in the three
// steps that docs/operations.md tells: all hear each other all the time.
func TestKeyIsRotated(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := newMemNet()
		older, newer := testKey, bytes.Repeat([]byte{9}, 32)
		gs := startAll(t, net, 3)
		for _, step := range []struct {
			key    []byte
			others [][]byte
		}{{older, [][]byte{newer}}, {newer, [][]byte{older}}, {newer, nil}} {
			for i := 1; i <= 3; i++ {
				require.NoError(t, gs[i].Leave(time.Second))
				require.NoError(t, gs[i].Close())
				cfg := configOf(net, i, 1, 2, 3)
				cfg.Key, cfg.OtherKeys = step.key, step.others
				gs[i] = start(t, cfg)
				for _, g := range gs[1:] {
					await(t, 30*time.Second, func() bool { return g.Alive(1) && g.Alive(2) && g.Alive(3) })
				}
			}
		}
	})
}

// TestClustersDoNotMerge lets a node of one cluster call one of another.
func TestClustersDoNotMerge(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := newMemNet()
		a := configOf(net, 1)
		a.Self.ClusterID = "aaaa"
		b := configOf(net, 2, 1)
		b.Self.ClusterID = "bbbb"
		said := make(chan error, 1)
		b.Events.JoinFailed = func(_ []string, err error) {
			select {
			case said <- err:
			default:
			}
		}
		one, other := start(t, a), start(t, b)
		err := <-said
		require.True(t, errs.Is(err, errs.Denied))
		require.Regexp(t, `^gossip\.Join: denied: \S+ is a node of cluster aaaa, this is one of cluster bbbb: check --join and the data directories$`, err.Error())
		time.Sleep(time.Minute)
		require.Len(t, one.Members(), 1)
		require.Len(t, other.Members(), 1)
	})
}

func TestOtherLabelIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := newMemNet()
		cfg := configOf(net, 2, 1)
		cfg.Label = "another cluster"
		a, b := start(t, configOf(net, 1)), start(t, cfg)
		time.Sleep(time.Minute)
		require.Len(t, a.Members(), 1)
		require.Len(t, b.Members(), 1)
	})
}

func TestSetClusterReachesAll(t *testing.T) {
	bubble(t, func(t *testing.T) {
		gs := startAll(t, newMemNet(), 3)
		for _, g := range gs[1:] { // Old news.
			select {
			case <-g.Changed():
			default:
			}
		}
		require.NoError(t, gs[2].SetCluster("c-1", 3))
		for _, g := range gs[1:] {
			<-g.Changed() // A bubble that waits for ever fails.
			await(t, time.Second, func() bool { return g.Members()[1].ClusterID == "c-1" })
		}
		require.True(t, errs.Is(gs[2].SetCluster(string(make([]byte, 100)), 0), errs.Invalid))
	})
}

func TestStartRefusesBadSettings(t *testing.T) {
	good := Config{Self: Meta{Node: 1}, Key: testKey, BindAddr: "127.0.0.1:0"}
	for name, spoil := range map[string]func(*Config){
		"a node id":           func(c *Config) { c.Self.Node = 0 },
		"not 32":              func(c *Config) { c.Key = c.Key[:16] },
		"shorten the zone":    func(c *Config) { c.Self.Zone = string(make([]byte, 500)) },
		"seed \"x\"":          func(c *Config) { c.Seeds = []string{"x"} },
		"\"a:b\" is not host": func(c *Config) { c.BindAddr = "a:b" },
		"advertised":          func(c *Config) { c.AdvertiseAddr = "nowhere" },
		"label":               func(c *Config) { c.Label = string(make([]byte, 300)) },
	} {
		cfg := good
		spoil(&cfg)
		_, err := Start(t.Context(), cfg)
		require.ErrorContains(t, err, name)
		require.True(t, errs.Is(err, errs.Invalid))
	}
}

// The real network, on loopback: joined, killed, found out.
func TestLoopback(t *testing.T) {
	gs := make([]*Gossip, 3)
	var seeds []string
	for i := range gs {
		gs[i] = start(t, Config{Self: Meta{Node: cluster.NodeID(i + 1)}, Key: testKey,
			BindAddr: "127.0.0.1:0", Seeds: slices.Clone(seeds), Fast: true})
		seeds = append(seeds, gs[i].Addr())
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	until := func(g *Gossip, ok func() bool) {
		t.Helper()
		for !ok() {
			select {
			case <-g.Changed():
			case <-ctx.Done():
				require.Fail(t, "did not happen in a minute")
			}
		}
	}
	until(gs[0], func() bool { return count(gs[0], Alive) == 3 })
	began := time.Now()
	require.NoError(t, gs[2].Close())
	until(gs[0], func() bool { return gs[0].State(3) == Down })
	t.Log("found dead after", time.Since(began))
	_, err := Start(ctx, Config{Self: Meta{Node: 9}, Key: testKey, BindAddr: gs[0].Addr()})
	require.True(t, errs.Is(err, errs.Unavailable), "%v", err)
}
