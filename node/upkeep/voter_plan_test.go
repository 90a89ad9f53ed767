package upkeep

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/cluster"
)

// parseSeats reads one seat a word: a node number, "@" and its zone, and letters: L
// leads, V votes, M standby, d down just now, g gone, x leaving, f flapping (alive, not
// settled), u not registered any more, a new address.
func parseSeats(t *testing.T, text string) (seats []seat) {
	for i, word := range strings.Fields(text) {
		s := seat{node: cluster.NodeID(i + 1), registered: true, alive: true, settled: true}
		s.addr = s.node.String()
		zone, flags, ok := strings.Cut(word, ":")
		require.True(t, ok, word)
		s.zone = zone
		for _, f := range flags {
			switch f {
			case 'L':
				s.leads, s.voter, s.member = true, true, true
			case 'V':
				s.voter, s.member = true, true
			case 'M':
				s.member = true
			case 'd':
				s.alive, s.settled = false, false
			case 'g':
				s.alive, s.settled, s.gone = false, false, true
			case 'x':
				s.leaving = true
			case 'f':
				s.settled = false
			case 'u':
				s.registered = false
			case 'a':
				s.addr = "new"
			default:
				t.Fatalf("flag %c", f)
			}
		}
		s.memberAddr = cluster.NodeID(i + 1).String()
		seats = append(seats, s)
	}
	return seats
}

func (s voterStep) String() string {
	if s.do == noAction {
		return "nothing"
	}
	verb := map[voterAction]string{readdress: "readdress", addStandby: "standby", promote: "promote", demote: "demote",
		remove: "remove", handOver: "hand over to"}[s.do]
	return fmt.Sprintf("%s %d", verb, s.node)
}

func TestPlanVoters(t *testing.T) {
	for _, c := range []struct{ what, seats, want string }{
		{"one node", "a:L", "nothing"},
		{"two nodes keep one voter and a standby", "a:L b:", "standby 2"},
		{"two nodes are done with that", "a:L b:M", "nothing"},
		{"the third makes three voters, the standby first", "a:L b:M c:", "promote 2"},
		{"the standby first in the same zone", "a:L b: b:M", "promote 3"},
		{"and the last of them", "a:L b:V c:", "promote 3"},
		{"a new cluster does not wait for nodes to settle", "a:L b:f c:f", "promote 2"},
		{"a fourth is a standby", "a:L b:V c:V a:", "standby 4"},
		{"five vote", "a:L b:V c:V a:M b:M", "promote 4"},
		{"of six nodes five vote, and there is no standby", "a:L b:V c:V a:V b:V c:", "nothing"},
		{"a standby of a large cluster goes", "a:L b:V c:V a:V b:V c:M", "remove 6"},
		{"a voter that is down for a moment stays", "a:L b:Vd c:V d:", "standby 4"},
		{"one that is gone is replaced: first the new one", "a:L b:Vg c:V d:", "promote 4"},
		{"then the old one goes", "a:L b:Vg c:V d:V", "demote 2"},
		{"and leaves", "a:L b:Mg c:V d:V", "remove 2"},
		{"not by a node that flaps", "a:L b:Vg c:V d:f", "nothing"},
		{"without another, the gone one keeps its vote", "a:L b:Vg c:V", "nothing"},
		{"two gone of five: one after the other", "a:L b:Vg c:Vg d:V e:V f:", "promote 6"},
		{"two gone of five, one replaced", "a:L b:Vg c:Vg d:V e:V f:V", "nothing"},
		{"who leaves is replaced first", "a:L b:Vx c:V d:M", "promote 4"},
		{"who leaves waits for a node that settles", "a:L b:Vx c:V d:f", "nothing"},
		{"who leaves goes without another", "a:L b:Vx c:V", "demote 2"},
		{"then there is one too many", "a:L b:Mx c:V", "demote 3"},
		{"a leader that leaves hands over", "a:Lx b:V c:V d:V", "hand over to 2"},
		{"not to one that is down", "a:Lx b:Vd c:V d:V", "hand over to 3"},
		{"not to itself", "a:Lx b:", "promote 2"},
		{"who is not registered any more goes", "a:L b:Vu c:V d:V", "demote 2"},
		{"zones are spread", "a:L a:V a:V b:", "promote 4"},
		{"and the crowded one gives a vote", "a:L a:V a:V b:V", "demote 2"},
		{"not while something is down", "a:L a:V a:Vd b:M", "nothing"},
		{"not to a flapping node", "a:L a:V a:V b:Mf", "nothing"},
		{"a new address", "a:L b:V c:Va", "readdress 3"},
		{"who is down goes before who leaves", "a:L b:Vx c:Vd", "demote 3"},
	} {
		require.Equal(t, c.want, planVoters(parseSeats(t, c.seats)).String(), "%s: %s", c.what, c.seats)
	}
}

// TestVotersProperty lets random nodes come, go, fail and leave, and takes the
// planner's steps in between: it must come to rest, where the right number votes, and
// never leave the living voters without the majority that they had.
func TestVotersProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &voterWorld{seats: []seat{{node: 1, zone: "a", registered: true, alive: true, settled: true, member: true, voter: true, leads: true}}}
		for range rapid.IntRange(1, 30).Draw(t, "events") {
			w.event(t)
			w.rest(t)
		}
	})
}

type voterWorld struct{ seats []seat }

func (w *voterWorld) majority() bool {
	votes, alive := 0, 0
	for _, s := range w.seats {
		if s.voter {
			votes++
			if s.alive {
				alive++
			}
		}
	}
	return alive >= votes/2+1
}

// event changes a node; what would take the majority away is taken back.
func (w *voterWorld) event(t *rapid.T) {
	before := append([]seat(nil), w.seats...)
	if len(w.seats) < 9 && rapid.Bool().Draw(t, "join") {
		w.seats = append(w.seats, seat{node: cluster.NodeID(len(w.seats) + 1), zone: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "zone"),
			registered: true, alive: true, settled: true})
		return
	}
	s := &w.seats[rapid.IntRange(0, len(w.seats)-1).Draw(t, "node")]
	switch rapid.IntRange(0, 4).Draw(t, "what") {
	case 0:
		s.alive, s.settled = false, false
	case 1:
		s.alive, s.settled, s.gone = false, false, true
	case 2:
		s.alive, s.settled, s.gone = true, true, false
	case 3:
		s.leaving = true
	case 4:
		s.registered = false
	}
	if !w.majority() {
		w.seats = before
		return
	}
	w.elect()
}

// elect makes a living voter the leader where the leader is none.
func (w *voterWorld) elect() {
	heir := -1
	for i := range w.seats {
		s := &w.seats[i]
		if s.leads && s.alive && s.voter {
			return
		}
		s.leads = false
		if s.voter && s.alive && heir < 0 {
			heir = i
		}
	}
	w.seats[heir].leads = true
}

// rest takes steps until there are none, and checks where that leads.
func (w *voterWorld) rest(t *rapid.T) {
	for range 40 {
		step := planVoters(w.seats)
		if step.do == noAction {
			w.checkAtRest(t)
			return
		}
		w.take(t, step)
		if !w.majority() {
			t.Fatalf("%s leaves no majority: %+v", step, w.seats)
		}
	}
	t.Fatalf("it does not come to rest: %+v", w.seats)
}

func (w *voterWorld) take(t *rapid.T, step voterStep) {
	for i := range w.seats {
		s := &w.seats[i]
		if s.node != step.node {
			continue
		}
		switch step.do {
		case addStandby:
			s.member = true
		case promote:
			if !s.alive {
				t.Fatalf("a vote for node %d, which is down", s.node)
			}
			s.member, s.voter = true, true
		case demote:
			if s.leads {
				t.Fatalf("the leader %d loses its vote", s.node)
			}
			s.voter = false
		case remove:
			if s.voter {
				t.Fatalf("the voter %d is removed", s.node)
			}
			s.member = false
		case handOver:
			for j := range w.seats {
				w.seats[j].leads = j == i
			}
		}
	}
}

func (w *voterWorld) checkAtRest(t *rapid.T) {
	nodes, votes, spare := 0, 0, 0
	down := false
	zones, free := map[string]int{}, map[string]bool{}
	for _, s := range w.seats {
		if s.registered && !s.leaving {
			nodes++
		}
		if s.candidate() {
			spare++
			free[s.zone] = true
		}
		if s.voter {
			votes++
			zones[s.zone]++
			down = down || !s.alive || !s.stays()
		}
	}
	if down {
		return // What is down may keep its vote; TestPlanVoters says when.
	}
	if votes != VoterCount(nodes) && (votes > VoterCount(nodes) || spare > 0) {
		t.Fatalf("%d of %d nodes vote: %+v", votes, nodes, w.seats)
	}
	for crowded, n := range zones {
		for zone := range free {
			if n-zones[zone] >= 2 {
				t.Fatalf("%d voters in zone %s, %d in zone %s: %+v", n, crowded, zones[zone], zone, w.seats)
			}
		}
	}
}
