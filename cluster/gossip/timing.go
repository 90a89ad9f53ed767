package gossip

import (
	"time"

	"github.com/hashicorp/memberlist"
)

// timing is how quickly failures are found.
//
// A member is probed every probe interval by somebody: a packet, after the probe
// timeout a stream and packets through others as well. Unanswered at the end of
// the interval, it is suspect; it is down unless it refutes that within
// suspicionMult intervals, or up to suspicionMax times as long where few others
// confirm it. So a node may stall for 3 s without suspicion and 21 s without being
// given up; with Fast, 0.6 s and 3 s.
type timing struct {
	probeInterval, probeTimeout time.Duration
	suspicionMult, suspicionMax int
	awarenessMax                int // Slows a node's own probes down when it seems starved itself.
	gossipInterval              time.Duration
	syncInterval                time.Duration
	toTheDead                   time.Duration
	streamTimeout               time.Duration
	joinFirst, joinMax          time.Duration // Backoff while alone.
	joinEvery                   time.Duration // In company.
}

// downKept is how long members that are down are remembered and called.
const downKept = 24 * time.Hour

// reclaimAfter is how long a node must be down before another address may bear its
// name: it was restarted elsewhere.
const reclaimAfter = 500 * time.Millisecond

func timingOf(fast bool) timing {
	if fast {
		return timing{
			probeInterval: 600 * time.Millisecond, probeTimeout: 250 * time.Millisecond,
			suspicionMult: 4, suspicionMax: 2, awarenessMax: 3,
			gossipInterval: 100 * time.Millisecond, syncInterval: 5 * time.Second,
			toTheDead: 15 * time.Second, streamTimeout: 2 * time.Second,
			joinFirst: 100 * time.Millisecond, joinMax: time.Second, joinEvery: time.Second,
		}
	}
	return timing{
		probeInterval: 3 * time.Second, probeTimeout: 1400 * time.Millisecond,
		suspicionMult: 6, suspicionMax: 2, awarenessMax: 4,
		gossipInterval: 200 * time.Millisecond, syncInterval: 30 * time.Second,
		toTheDead: time.Minute, streamTimeout: 3 * time.Second,
		joinFirst: 500 * time.Millisecond, joinMax: 15 * time.Second, joinEvery: 10 * time.Second,
	}
}

func (t timing) apply(c *memberlist.Config) {
	c.ProbeInterval, c.ProbeTimeout = t.probeInterval, t.probeTimeout
	c.SuspicionMult, c.SuspicionMaxTimeoutMult = t.suspicionMult, t.suspicionMax
	c.AwarenessMaxMultiplier = t.awarenessMax
	c.GossipInterval, c.PushPullInterval = t.gossipInterval, t.syncInterval
	c.GossipToTheDeadTime = t.toTheDead
	c.TCPTimeout = t.streamTimeout
	c.DeadNodeReclaimTime = reclaimAfter
}
