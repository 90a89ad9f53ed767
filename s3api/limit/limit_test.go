package limit

import (
	"context"
	"math"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var acme = Subject{Account: "acme"}

// model is a cluster of limiters that tell each other what was asked of them, as nodes do.
type model struct {
	nodes []*Limiter
	cut   func(a, b int) bool // Nil: all hear each other.
	down  func(a, b int) bool // Whether a takes b for down; nil: whoever is not heard.
}

func newModel(n int) *model {
	m := &model{}
	for range n {
		m.nodes = append(m.nodes, New())
	}
	return m
}

func (m *model) set(limits map[Subject]Values) {
	for _, l := range m.nodes {
		l.Set(limits)
	}
}

func (m *model) round() {
	told := make([]map[LoadOf]float64, len(m.nodes))
	for i, l := range m.nodes {
		l.Close()
		told[i] = map[LoadOf]float64{}
		for _, load := range l.Loads(false) {
			told[i][LoadOf{load.Name, load.Measure}] = load.Demand
		}
	}
	for i, l := range m.nodes {
		var peers []Peer
		for j := range m.nodes {
			if j == i {
				continue
			}
			heard := m.cut == nil || !m.cut(i, j)
			p := Peer{ID: uint64(j), Heard: heard, Down: !heard && (m.down == nil || m.down(i, j))}
			if heard {
				p.Loads = told[j]
			}
			peers = append(peers, p)
		}
		l.Share(uint64(i), peers)
	}
}

// offer has each node be asked for so many requests per second, for some rounds. It returns how many
// each let through.
func (m *model) offer(rounds int, perSecond ...int) []int {
	through := make([]int, len(m.nodes))
	const slots = 100
	due := make([]float64, len(m.nodes))
	for range rounds {
		for range slots {
			time.Sleep(Round / slots)
			for i, l := range m.nodes {
				for due[i] += float64(perSecond[i]) / slots; due[i] >= 1; due[i]-- {
					if c, no := l.Begin(acme, Read); no == nil {
						through[i]++
						c.End(0, 0)
					}
				}
			}
		}
		m.round()
	}
	return through
}

func sum(list []int) (total int) {
	for _, n := range list {
		total += n
	}
	return total
}

// requireNear requires a figure to be as exact as limits promise.
func requireNear(t *testing.T, want, got float64) {
	t.Helper()
	require.InEpsilon(t, want, got, 0.2)
}

// A limit is exact for the cluster, however what is asked is spread over nodes, and again soon
// after that has changed.
func TestRequestsAreExact(t *testing.T) {
	for name, offers := range map[string][]int{
		"even": {400, 400, 400, 400, 400, 400}, "one node": {3000, 0, 0, 0, 0, 0}, "skewed": {2000, 300, 50, 10, 5, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newModel(6)
				m.set(map[Subject]Values{acme: {Requests: 600}})
				m.offer(5, offers...)
				requireNear(t, 6000, float64(sum(m.offer(10, offers...))))
				slices.Reverse(offers)
				m.offer(5, offers...)
				requireNear(t, 6000, float64(sum(m.offer(10, offers...))))
			})
		})
	}
}

// Below the limit nothing is refused, whichever node is asked.
func TestBelowTheLimitNothingIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel(6)
		m.set(map[Subject]Values{acme: {Requests: 600}})
		m.offer(5, 300, 100, 0, 0, 0, 0)
		require.Equal(t, []int{3000, 1000, 0, 0, 0, 0}, m.offer(10, 300, 100, 0, 0, 0, 0))
	})
}

// Two halves of a cluster that do not hear each other take no more than the limit together as long
// as nobody says that the other half is down. A half whose other half is down takes all of it.
func TestCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel(6)
		m.set(map[Subject]Values{acme: {Requests: 600}})
		m.offer(5, 400, 400, 400, 400, 400, 400)
		m.cut = func(a, b int) bool { return (a < 2) != (b < 2) }
		m.down = func(int, int) bool { return false }
		m.offer(10, 400, 400, 400, 400, 400, 400)
		got := m.offer(10, 400, 400, 400, 400, 400, 400)
		requireNear(t, 6000, float64(sum(got)))
		requireNear(t, 2000, float64(sum(got[:2])))
		m.down = nil
		m.offer(10, 0, 0, 400, 400, 400, 400)
		requireNear(t, 6000, float64(sum(m.offer(10, 0, 0, 400, 400, 400, 400))))
	})
}

// A node that has just started, and has heard nobody, takes an even part and not all.
func TestAloneAtFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel(6)
		m.cut = func(int, int) bool { return true }
		m.down = func(int, int) bool { return false }
		m.set(map[Subject]Values{acme: {Requests: 600}})
		m.round()
		m.offer(2, 900, 0, 0, 0, 0, 0)
		requireNear(t, 1000, float64(m.offer(10, 900, 0, 0, 0, 0, 0)[0]))
	})
}

// Bytes wait, and so many go through as the limit says, however few streams there are.
func TestBytesArePaced(t *testing.T) {
	for name, streams := range map[string][]int{
		"one": {1, 0, 0}, "on one node": {16, 0, 0}, "on all": {4, 4, 4}, "skewed": {9, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const rate = 30 << 20
				m := newModel(3)
				m.set(map[Subject]Values{acme: {BytesIn: rate}})
				ctx, cancel := context.WithCancel(t.Context())
				var all sync.WaitGroup
				var through atomic.Int64
				for i, n := range streams {
					for range n {
						all.Go(func() {
							for ctx.Err() == nil {
								c, no := m.nodes[i].Begin(acme, Write)
								if no != nil {
									time.Sleep(no.Retry)
									continue
								}
								for range 64 {
									if c.Wait(ctx, BytesIn) != nil {
										break
									}
									n := c.Chunk(BytesIn)
									c.Spend(BytesIn, n)
									through.Add(int64(n))
								}
								c.End(0, 0)
							}
						})
					}
				}
				rounds := func(n int) {
					for range n {
						time.Sleep(Round)
						m.round()
					}
				}
				rounds(8)
				before := through.Load()
				rounds(10)
				requireNear(t, 10*rate, float64(through.Load()-before))
				cancel()
				all.Wait()
			})
		})
	}
}

// Requests at once are counted until they end, and a refused request holds none of its other limits.
func TestConcurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel(1)
		bucket := Subject{Account: "acme", Bucket: "b"}
		m.set(map[Subject]Values{acme: {Concurrent: 2}, bucket: {Requests: 2}})
		begin := func() (*Charge, *Refusal) { return m.nodes[0].Begin(Subject{Account: "acme", Bucket: "b"}, Read) }
		a, no := begin()
		require.Nil(t, no)
		_, no = begin()
		require.Nil(t, no)
		_, no = begin()
		require.Equal(t, &Refusal{Subject: acme, Measure: Concurrent, Retry: time.Second}, no)
		a.End(0, 0)
		_, no = begin()
		require.Equal(t, &Refusal{Subject: bucket, Measure: Requests, Retry: time.Second}, no)
		m.set(map[Subject]Values{acme: {Concurrent: 2}})
		_, no = begin()
		require.Nil(t, no, "what the bucket refused is not held")
		_, no = begin()
		require.NotNil(t, no)
	})
}

// A large body waits for its turn, and is told to slow down where the turn does not come.
func TestStreamsWaitForTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New()
		l.Set(map[Subject]Values{acme: {BytesIn: 1 << 20}})
		var charges []*Charge
		for range streamsMin {
			c, _ := l.Begin(acme, Write)
			require.NoError(t, c.Await(t.Context(), BytesIn, largeBytes))
			charges = append(charges, c)
		}
		late, _ := l.Begin(acme, Write)
		require.Error(t, late.Await(t.Context(), BytesIn, largeBytes))
		require.NoError(t, late.Await(t.Context(), BytesIn, largeBytes-1), "a small one needs none")
		charges[0].End(0, 0)
		require.NoError(t, late.Await(t.Context(), BytesIn, largeBytes))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		gone, _ := l.Begin(acme, Write)
		require.Error(t, gone.Await(ctx, BytesIn, largeBytes), "its client has left")
	})
}

func TestNoLimitNoCharge(t *testing.T) {
	l := New()
	require.False(t, l.On())
	l.Set(map[Subject]Values{acme: {}})
	require.False(t, l.On())
	l.Set(map[Subject]Values{acme: {Lists: 1}})
	require.True(t, l.On())
	c, no := l.Begin(Subject{Account: "other", Bucket: "b"}, List)
	require.Nil(t, c)
	require.Nil(t, no)
	c.End(1, 1)
	require.NoError(t, c.Wait(t.Context(), BytesIn))
	c, no = l.Begin(acme, Read)
	require.NotNil(t, c, "another class")
	require.Nil(t, no)
}

func TestNames(t *testing.T) {
	for _, s := range []Subject{
		acme, {Account: "a", User: "u/v"}, {Account: "a", AccessKey: "k"}, {Account: "a", Bucket: "b"},
	} {
		got, err := ParseName(s.Name())
		require.NoError(t, err)
		require.Equal(t, s, got)
	}
	for _, bad := range []string{"", "a", "/account", "a/account/b", "a/user/", "a/robot/r", "/user/u"} {
		_, err := ParseName(bad)
		require.Error(t, err, bad)
	}
}

func TestSplit(t *testing.T) {
	require.Equal(t, []float64{100, 100, 100}, split(300, []float64{0, 0, 0}, 0))
	require.Equal(t, []float64{200, 50, 50}, split(300, []float64{150, 0, 0}, 0))
	require.Equal(t, []float64{250, 50, 0}, split(300, []float64{500, 100, 0}, 0))
	require.Equal(t, []float64{150}, split(300, []float64{500}, 1))
	for limit := range 20 {
		total := 0.0
		for _, s := range whole(split(float64(limit), []float64{3, 1, 4, 1, 5}, 0)) {
			require.Equal(t, math.Floor(s), s)
			total += s
		}
		require.Equal(t, float64(limit), total)
	}
}

// What everybody takes is counted whether there is a limit or not, for a bounded number of accounts.
func TestTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New()
		for range 10 {
			l.Count("acme", false, 1<<20, 0)
		}
		for i := range 2 * accountsMax {
			l.Count(strconv.Itoa(i), false, 0, 1)
		}
		time.Sleep(2 * Round)
		l.Close()
		got := l.Taken()
		require.LessOrEqual(t, len(got), accountsMax+1)
		byName := map[string]Taken{}
		for _, g := range got {
			byName[g.Name] = g
		}
		require.Equal(t, Taken{Name: "acme/account", Requests: 5, BytesIn: 5 << 20}, byName["acme/account"])
		require.Positive(t, byName[Others+"/account"].Requests)
		time.Sleep(Round)
		l.Close()
		require.Empty(t, l.Taken())
	})
}
