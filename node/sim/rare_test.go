package sim

import (
	"bytes"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/cairnstore/cairn/cluster/effort"
)

// rareEvent is something that the simulation is there for, and that many of its runs
// never come to. It is known by a line of the log: of a node, or of the run itself.
type rareEvent struct {
	test string // The test that comes to it.
	name string
	line string // What the line has. Empty: it is known by more than one, see reached.see.
}

const (
	repairedWhileMoved = "a slot moves while an extent of its volume is to be repaired"
	leaderLeftACopy    = "the leader of the metadata is replaced while a copy is made"
)

// rareEvents are those that the runs of CAIRN_TEST_LONG must come to, each at least once.
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

// watched returns the log of a run, which counts the events that its test should come to.
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
	runs   map[string]int  // How often, by name.
	broken map[string]bool // Extents that were found to lack a shard, "volume/number".
}

// see looks at one line of the log.
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

// field returns an attribute of a line of a node's log.
func field(line, name string) string {
	_, after, _ := strings.Cut(line, " "+name+"=")
	value, _, _ := strings.Cut(after, " ")
	return strings.TrimSpace(value)
}

// counts are how many runs of each test have come to what.
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

// mustReach tells, when a test is over, what its runs came to. With CAIRN_TEST_LONG each
// event must have been come to.
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
