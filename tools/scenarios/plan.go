package main

import "time"

// plan says how large a story is, and how long it takes.
type plan struct {
	Begin   int `json:"begin"`  // How many nodes there are at first.
	Middle  int `json:"middle"` // How many after a first growth, which may widen the scheme; 0: there is none.
	Full    int `json:"full"`   // How many there are after the last growth.
	Drained int `json:"drained"`
	Lost    int `json:"lost"`
	// Replaced is how many new nodes there are after the loss. The widest scheme needs as many nodes as
	// it has slots.
	Replaced    int           `json:"replaced"`
	LeaderKills int           `json:"leader_kills"`
	Clients     int           `json:"clients"`
	MaxObject   int64         `json:"max_object"`
	KeptBytes   int64         `json:"kept_bytes"` // How much each client keeps in the cluster.
	Pause       time.Duration `json:"pause_ns"`   // How long a client pauses between two operations, on average.
	Hold        time.Duration `json:"hold_ns"`    // How long a phase without an end of its own lasts.
	Idle        time.Duration `json:"idle_ns"`    // How long the cost of an idle cluster is measured; 0: it is not.
	StepTimeout time.Duration `json:"-"`
}

const (
	partBytes = 1 << 20 // The smallest part that the cluster takes (--min-part).
	opTimeout = 2 * time.Minute

	// dialTimeout is how long a client waits for a node to take a connection, before it tries the next
	// one.
	dialTimeout = 2 * time.Second
)

// upkeepInterval is how often the nodes' upkeep looks for work.
const upkeepInterval = time.Second

// restTime is for how long nothing must be moved or re-encoded before a cluster counts as at rest. It
// is some rounds of upkeep.
const restTime = 4 * upkeepInterval

// serverFlags make the nodes act on failures within seconds rather than minutes.
var serverFlags = []string{"--min-part", "1MiB", "--gc-grace", "30s", "--upkeep-interval", upkeepInterval.String(),
	"--lost-after", "20s", "--voter-replace-after", "10s"}

// long returns the plan of a run for the numbers.
func long() plan {
	return plan{Begin: 3, Middle: 6, Full: 9, Drained: 2, Lost: 2, Replaced: 2, LeaderKills: 5, Clients: 8, MaxObject: 32 << 20,
		KeptBytes: 192 << 20, Pause: 50 * time.Millisecond, Hold: 30 * time.Second, Idle: time.Minute, StepTimeout: 20 * time.Minute}
}

// short returns the plan of a run for every change of the code.
func short() plan {
	return plan{Begin: 3, Middle: 4, Full: 5, Drained: 1, Lost: 1, Replaced: 1, LeaderKills: 1, Clients: 3, MaxObject: 3 << 20,
		KeptBytes: 12 << 20, Pause: 60 * time.Millisecond, Hold: 5 * time.Second, StepTimeout: 4 * time.Minute}
}
