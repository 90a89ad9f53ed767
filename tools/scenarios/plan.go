package main

import "time"

// plan is the size of everything.
type plan struct {
	Begin       int           `json:"begin"`  // Nodes at first.
	Middle      int           `json:"middle"` // Grown to in a first step, which may widen the scheme; 0: there is none.
	Full        int           `json:"full"`   // Grown to in the last step.
	Drained     int           `json:"drained"`
	Lost        int           `json:"lost"`
	Replaced    int           `json:"replaced"` // New nodes after the loss: the widest scheme in use needs as many as it has slots.
	LeaderKills int           `json:"leader_kills"`
	Clients     int           `json:"clients"`
	MaxObject   int64         `json:"max_object"`
	KeptBytes   int64         `json:"kept_bytes"` // Of each client.
	Pause       time.Duration `json:"pause_ns"`   // Mean, of a client between two operations.
	Hold        time.Duration `json:"hold_ns"`    // How long a phase without an end of its own lasts.
	Idle        time.Duration `json:"idle_ns"`    // How long the cost of an idle cluster is measured; 0: not.
	StepTimeout time.Duration `json:"-"`
}

const (
	partBytes = 1 << 20 // The cluster's smallest part.
	opTimeout = 2 * time.Minute

	// Clients wait so long for a node to take a connection before they try the next.
	dialTimeout = 2 * time.Second
)

// upkeepInterval is how often nodes look at what there is to do.
const upkeepInterval = time.Second

// restTime is how long nothing may be moved or re-encoded for a cluster to be at rest:
// some rounds of all that plans it.
const restTime = 4 * upkeepInterval

// serverFlags make failures count within seconds rather than minutes.
var serverFlags = []string{"--min-part", "1MiB", "--gc-grace", "30s", "--upkeep-interval", upkeepInterval.String(),
	"--lost-after", "20s", "--voter-replace-after", "10s"}

// long is for the numbers.
func long() plan {
	return plan{Begin: 3, Middle: 6, Full: 9, Drained: 2, Lost: 2, Replaced: 2, LeaderKills: 5, Clients: 8, MaxObject: 32 << 20,
		KeptBytes: 192 << 20, Pause: 50 * time.Millisecond, Hold: 30 * time.Second, Idle: time.Minute, StepTimeout: 20 * time.Minute}
}

// short is for every change of the code.
func short() plan {
	return plan{Begin: 3, Middle: 4, Full: 5, Drained: 1, Lost: 1, Replaced: 1, LeaderKills: 1, Clients: 3, MaxObject: 3 << 20,
		KeptBytes: 12 << 20, Pause: 60 * time.Millisecond, Hold: 5 * time.Second, StepTimeout: 4 * time.Minute}
}
