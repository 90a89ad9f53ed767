package upkeep

import (
	"cmp"
	"slices"

	"github.com/cairnstore/cairn/cluster"
)

// maxVoters is the most voters that there are. Five bear the loss of two. More would make every commit
// wait for more disks.
const maxVoters = 5

// VoterCount returns how many of n nodes vote: the largest odd number up to
// maxVoters.
func VoterCount(n int) int {
	n = min(n, maxVoters)
	if n%2 == 0 {
		n--
	}
	return max(n, 1)
}

// seat is a node as the planner of voters sees it: registered, a member of the
// Raft group, or both.
type seat struct {
	node       cluster.NodeID
	zone       string
	addr       string // The address of its Raft, with which it has registered.
	registered bool
	leaving    bool // An operator drains or removes it.
	gone       bool // It is lost, or down for so long that another should vote in its place.
	alive      bool
	settled    bool // It has been alive for a while: a node that comes and goes gets no vote of another.
	member     bool // It is in the Raft group, with or without a vote.
	voter      bool
	memberAddr string // The address that the Raft group has of it.
	leads      bool

	// An earlier incarnation of the node is in the Raft group; staleVote: as a voter. It never votes.
	stale, staleVote bool
}

// stays reports whether a node is a voter that should keep its vote.
func (s *seat) stays() bool { return s.voter && s.registered && !s.leaving && !s.gone }

// candidate reports whether a node could be given a vote now.
func (s *seat) candidate() bool {
	return !s.voter && s.registered && !s.leaving && !s.gone && s.alive
}

// voterAction is the kind of a step.
type voterAction int

const (
	noAction voterAction = iota
	readdress
	addStandby
	promote // Makes a node a standby, where it is none, and gives it a vote once it has caught up.
	demote
	remove
	expel    // Removes the earlier incarnation of a node.
	handOver // Makes the node the leader.
)

// voterStep is one change of the Raft group.
type voterStep struct {
	do   voterAction
	node cluster.NodeID
}

// planVoters returns the next step towards the voters that there should be: one, three or five of
// them, spread over zones, none of which is gone or leaving. In small clusters all other nodes are
// standbys, which hold the metadata without a vote.
//
// A voter that is gone keeps its vote until another node has caught up and votes in its place. So the
// number of voters that may fail does not shrink by itself; only a node that leaves on purpose lowers
// it. The earlier incarnation of a node that has lost its metadata goes first: it never votes, so
// every other step is easier without it, and the node's new server cannot come in beside it. No step
// leaves the living voters without a majority. Where nothing is to be done there is no step.
func planVoters(seats []seat) voterStep {
	p := newVoterPlan(seats)
	for _, rule := range []func() voterStep{p.expel, p.readdress, p.fill, p.dismiss, p.shrink, p.spread, p.standbys} {
		if s := rule(); s.do != noAction {
			return s
		}
	}
	return voterStep{}
}

type voterPlan struct {
	seats []seat
	want  int
	zones map[string]int // How many voters stay in each zone.

	votes, alive, stay int
}

func newVoterPlan(seats []seat) *voterPlan {
	p := &voterPlan{seats: slices.Clone(seats), zones: map[string]int{}}
	slices.SortFunc(p.seats, func(a, b seat) int { return cmp.Compare(a.node, b.node) })
	nodes := 0
	for i := range p.seats {
		s := &p.seats[i]
		if s.registered && !s.leaving {
			nodes++
		}
		if s.voter {
			p.votes++
			if s.alive {
				p.alive++
			}
		}
		if s.stays() {
			p.stay++
			p.zones[s.zone]++
		}
	}
	p.want = VoterCount(nodes)
	return p
}

// expel removes the earlier incarnation of a node. That needs a majority of living voters in spite of
// it.
func (p *voterPlan) expel() voterStep {
	for i := range p.seats {
		if s := &p.seats[i]; s.stale {
			return voterStep{expel, s.node}
		}
	}
	return voterStep{}
}

// readdress tells the Raft group the new address of a member.
func (p *voterPlan) readdress() voterStep {
	for i := range p.seats {
		if s := &p.seats[i]; s.member && s.registered && s.alive && s.addr != s.memberAddr {
			return voterStep{readdress, s.node}
		}
	}
	return voterStep{}
}

// fill gives a node a vote where too few voters stay. The first voters of a cluster need not be
// settled; a node that takes the place of another must be.
func (p *voterPlan) fill() voterStep {
	if p.stay >= p.want {
		return voterStep{}
	}
	replaces := p.votes >= p.want
	if s := p.best(func(s *seat) bool { return s.settled || !replaces }); s != nil {
		return voterStep{promote, s.node}
	}
	return voterStep{}
}

// best returns the candidate whose zone has the fewest voters. Of several it takes a standby, which
// has caught up already, and then the one with the lowest id.
func (p *voterPlan) best(ok func(*seat) bool) *seat {
	var best *seat
	for i := range p.seats {
		s := &p.seats[i]
		if !s.candidate() || !ok(s) {
			continue
		}
		if best == nil || p.zones[s.zone] < p.zones[best.zone] ||
			p.zones[s.zone] == p.zones[best.zone] && s.member && !best.member {
			best = s
		}
	}
	return best
}

// dismiss takes the vote of a node that is gone, once another votes in its place, and of a node that
// leaves even where there is no other.
func (p *voterPlan) dismiss() voterStep {
	for i := range p.seats {
		s := &p.seats[i]
		if !s.voter || s.stays() {
			continue
		}
		left := s.leaving || !s.registered
		replaceable := p.stay < p.want && p.best(func(*seat) bool { return true }) != nil
		if p.stay == 0 || replaceable || !left && p.stay < p.want {
			continue
		}
		if step := p.unseat(s); step.do != noAction {
			return step
		}
	}
	return voterStep{}
}

// unseat takes the vote of a node if the living voters keep a majority without it. A leader hands
// leadership over first.
func (p *voterPlan) unseat(s *seat) voterStep {
	alive := p.alive
	if s.alive {
		alive--
	}
	if alive < (p.votes-1)/2+1 {
		return voterStep{}
	}
	if !s.leads {
		return voterStep{demote, s.node}
	}
	for i := range p.seats {
		if heir := &p.seats[i]; heir != s && heir.stays() && heir.alive {
			return voterStep{handOver, heir.node}
		}
	}
	return voterStep{}
}

// shrink takes a vote where there are too many: that of a node which is down, else that of one in the
// zone with the most voters. It is never the leader's.
func (p *voterPlan) shrink() voterStep {
	if p.stay <= p.want {
		return voterStep{}
	}
	var worst *seat
	for i := range p.seats {
		s := &p.seats[i]
		if !s.stays() || s.leads {
			continue
		}
		if worst == nil || worst.alive && !s.alive ||
			worst.alive == s.alive && p.zones[s.zone] > p.zones[worst.zone] {
			worst = s
		}
	}
	if worst == nil {
		return voterStep{}
	}
	return p.unseat(worst)
}

// spread gives a vote to a node of a zone that has two voters fewer than another zone, where shrink
// takes one afterwards. It comes last, when nothing else is to be done.
func (p *voterPlan) spread() voterStep {
	if p.stay != p.want || p.votes != p.want || p.alive != p.votes {
		return voterStep{}
	}
	most := 0
	for _, n := range p.zones {
		most = max(most, n)
	}
	if s := p.best(func(s *seat) bool { return s.settled && most-p.zones[s.zone] >= 2 }); s != nil {
		return voterStep{promote, s.node}
	}
	return voterStep{}
}

// standbys adds and removes members of the Raft group that have no vote.
func (p *voterPlan) standbys() voterStep {
	nodes := 0
	for i := range p.seats {
		if s := &p.seats[i]; s.registered && !s.leaving {
			nodes++
		}
	}
	for i := range p.seats {
		s := &p.seats[i]
		if s.voter {
			continue
		}
		wanted := s.registered && !s.leaving && !s.gone && nodes <= maxVoters
		switch {
		case s.member && !wanted:
			return voterStep{remove, s.node}
		case !s.member && wanted && s.alive && s.settled && p.votes == p.want:
			return voterStep{addStandby, s.node}
		}
	}
	return voterStep{}
}
