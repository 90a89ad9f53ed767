package sim

import (
	"bytes"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/cairnstore/cairn/cluster/effort"
)

// rareEvent is something that the simulation is there for, and that many of its runs never come to. A
// line in the log of a node, or of the run itself, shows that it happened.
type rareEvent struct {
	test string // The test whose runs should come to it.
	name string
	line string // What the line contains. Empty: several lines show it, see reached.see.
}

const (
	repairedWhileMoved = "a slot moves while an extent of its volume is to be repaired"
	leaderLeftACopy    = "the leader of the metadata is replaced while a copy is made"
)

// rareEvents are the events that the runs of CAIRN_TEST_LONG must come to, each at least once.
var rareEvents = []rareEvent{
	{"TestSimulation", "a voter has forgotten, and is refused", `given a vote again" metadata="are gone"`},
	{"TestSimulation", "a voter is put back, and is refused", `given a vote again" metadata="end at log entry`},
	{"TestSimulation", "the end of a log is gone", `given a vote again" metadata="have lost their end`},
	{"TestSimulation", "a snapshot is installed", `msg="metadata snapshot restored"`},
	{"TestSimulation", "an orphan is deleted", `msg="shards without an extent deleted"`},
	{"TestSimulation", "a drive's index is made anew", `msg="drive index made anew from its segments"`},
	{"TestSimulation", "a drive is taken out of use", `msg="drive taken out of use`},
	{"TestSimulation", "scrub finds a bad block", `msg="bad block at rest"`},
	{"TestSimulation", "a reader finds a bad block", `msg="bad block" `},
	{"TestSimulation", "an extent is repaired", `msg="extent repaired"`},
	{"TestSimulation", "a write below quorum goes elsewhere", `msg="extent written below quorum, re-encoded elsewhere"`},
	{"TestSimulation", leaderLeftACopy, leaderLeftACopy},
	{"TestLinearizable", "the lead is handed over", `msg="leadership of the metadata handed over"`},
	{"TestLife", "a node is given up", `msg="node declared lost`},
	{"TestLife", "a node that was given up is back", `msg="lost node is back"`},
	{"TestLife", "a slot is copied", `kind=copy`},
	{"TestLife", "a slot is rebuilt", `kind=rebuild`},
	{"TestLife", repairedWhileMoved, ""},
	{"TestBeyond", "more than may be lost are gone for long, and back", "all are back"},
	{"TestRestore", "a backup is restored onto drives in use", "restore the backup of log entry"},
	{"TestRestore", "a shard is brought to the drive that lacks it", `msg="shard brought to the drive that lacked it"`},
	{"TestRestore", "an orphan of a restore is deleted", `msg="shards without an extent deleted"`},
	{"TestRestore", "a drive is drained", `msg="drive is drained`},
	{"TestRestore", "an extent is re-encoded", `msg="extent re-encoded into a wider scheme"`},
	{"TestFullDisks", "a full disk refuses", `msg="the file system of the metadata is full`},
	{"TestFullDisks", "a machine starts on a full disk", `msg="the metadata have no room: this node comes up`},
	{"TestFullDisks", "a full disk has room again", `msg="the metadata have room again"`},
	{"TestClockJump", "a leader whose clock is wrong leaves", `was handed over: this node's clock is wrong"`},
}

// watched returns a log for a run of the test, which counts the events that the test should come to.
func watched(t *testing.T) *Log {
	test, _, _ := strings.Cut(t.Name(), "/")
	r := &reached{runs: map[string]int{}, broken: map[string]bool{}}
	for _, e := range rareEvents {
		if e.test == test {
			r.events = append(r.events, e)
		}
	}
	t.Cleanup(func() { counts.add(test, r) })
	return &Log{seen: r.see}
}

// reached is what one run has come to.
type reached struct {
	events []rareEvent
	runs   map[string]int  // How often each event has happened, by its name.
	broken map[string]bool // The extents that were found to lack a shard, as "volume/number".
}

// see looks at one line of the log. It must be called with one line at a time.
func (r *reached) see(line []byte) {
	for _, e := range r.events {
		if e.line != "" && bytes.Contains(line, []byte(e.line)) {
			r.runs[e.name]++
		}
	}
	text := string(line)
	switch {
	case strings.Contains(text, `msg="shard recorded for repair"`):
		id, _, _ := strings.Cut(field(text, "shard"), ".")
		r.broken[id] = true
	case strings.Contains(text, `msg="extent repaired"`):
		delete(r.broken, field(text, "extent"))
	case strings.Contains(text, `msg="slot moved here"`):
		volume := field(text, "volume") + "/"
		for id := range r.broken {
			if strings.HasPrefix(id, volume) {
				r.runs[repairedWhileMoved]++
			}
		}
	}
}

// field returns the value of an attribute in a line of a node's log.
func field(line, name string) string {
	_, after, _ := strings.Cut(line, " "+name+"=")
	value, _, _ := strings.Cut(after, " ")
	return strings.TrimSpace(value)
}

// counts says how many runs of each test there were, and how many have come to each event.
var counts = counted{runs: map[string]int{}, reached: map[rareEvent]int{}}

type counted struct {
	mu      sync.Mutex
	runs    map[string]int // By test.
	reached map[rareEvent]int
}

func (c *counted) add(test string, r *reached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.runs[test]++
	for _, e := range r.events {
		if r.runs[e.name] > 0 {
			c.reached[e]++
		}
	}
}

// mustReach logs, when a test is over, how many of its runs have come to each event. With
// CAIRN_TEST_LONG the test fails if none has come to one of them.
func mustReach(t *testing.T) {
	t.Cleanup(func() {
		counts.mu.Lock()
		defer counts.mu.Unlock()
		all := effort.Long() && os.Getenv("CAIRN_SIM_SEED") == "" && os.Getenv("CAIRN_SIM_BLOW") == ""
		for _, e := range rareEvents {
			if e.test != t.Name() {
				continue
			}
			t.Logf("%s: %d of %d runs", e.name, counts.reached[e], counts.runs[e.test])
			if all && counts.reached[e] == 0 {
				t.Errorf("in no run it came to this: %s", e.name)
			}
		}
	})
}
