package upkeep

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/shard"
)

// TestMoveTranscripts plays the scripts of testdata/moves: a cluster, what happens to it,
// and the whole plan of moves each time. Renew them with -rewrite and read the difference.
//
//	cluster nodes=N       nodes with a drive each, drive i on node i; a line of input is the
//	                      drives of a volume of 2+1
//	set                   a line each: node|drive ID active|draining|lost|failed, node ID down|up,
//	                      drive ID full, pause|resume JOB, move VOLUME.SLOT DRIVE [rebuild],
//	                      missing VOLUME SLOT EXTENTS
//	plan                  what is to be begun and ended
//	settle                plans, carries out what is planned, until nothing is
func TestMoveTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/moves", func(t *testing.T, path string) {
		var p *planned
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "cluster":
				p = scriptCluster(t, d)
				return "ok\n"
			case "set":
				for line := range strings.Lines(d.Input) {
					p.set(t, d, strings.Fields(line))
				}
				return "ok\n"
			case "plan":
				return p.plan().text()
			case "settle":
				return p.settle()
			}
			d.Fatalf(t, "unknown command %q", d.Cmd)
			return ""
		})
	})
}

func scriptCluster(t *testing.T, d *datadriven.TestData) *planned {
	var nodes int
	d.ScanArgs(t, "nodes", &nodes)
	var volumes [][]cluster.DriveID
	for line := range strings.Lines(d.Input) {
		var v [3]cluster.DriveID
		if _, err := fmt.Sscan(line, &v[0], &v[1], &v[2]); err != nil {
			d.Fatalf(t, "%q: %v", line, err)
		}
		volumes = append(volumes, v[:])
	}
	return newPlanned(nodes, volumes...)
}

// set carries out a line of the command set.
func (p *planned) set(t *testing.T, d *datadriven.TestData, words []string) {
	number := func(i int) (n int) {
		if _, err := fmt.Sscan(words[i], &n); err != nil {
			d.Fatalf(t, "%q: %v", words, err)
		}
		return n
	}
	lives := map[string]cluster.Life{"active": cluster.Active, "draining": cluster.Draining, "lost": cluster.Lost, "failed": cluster.Failed}
	switch words[0] {
	case "node":
		node := &p.nodes[number(1)-1]
		switch life, ok := lives[words[2]]; {
		case ok:
			node.State = life
		default:
			p.dead[node.ID] = words[2] == "down"
		}
	case "drive":
		drive := &p.nodes[number(1)-1].Drives[0]
		if life, ok := lives[words[2]]; ok {
			drive.State = life
		} else {
			drive.Full = words[2] == "full"
		}
	case "pause", "resume":
		p.paused[words[1]] = words[0] == "pause"
	case "move":
		var volume shard.VolumeID
		m := &shard.Move{To: cluster.DriveID(number(2)), Rebuild: slices.Contains(words, "rebuild")}
		if _, err := fmt.Sscanf(words[1], "%d.%d", &volume, &m.Slot); err != nil {
			d.Fatalf(t, "%q: %v", words, err)
		}
		p.volumes[volume].Move = m
	case "missing":
		stats := p.stats[shard.VolumeID(number(1))]
		stats.Missing, stats.MissingSlots = []uint64{uint64(number(3))}, make([]uint64, 3)
		stats.MissingSlots[number(2)] = uint64(number(3))
	default:
		d.Fatalf(t, "unknown: %q", words)
	}
}

// text is the whole plan, a line for each thing.
func (p movePlan) text() string {
	lines := p.said()
	for _, c := range []struct {
		n     int
		what  string
		bytes uint64
	}{
		{p.lost, "slots on drives that are gone", p.lostBytes}, {p.draining, "slots on draining drives", p.drainingBytes},
		{p.noSpare, "slots that no drive can take", 0}, {p.beyond, "lost slots that nothing could make anew", 0},
		{p.rebalancing, "slots that are levelled", p.rebalancingBytes},
	} {
		switch {
		case c.bytes > 0:
			lines = append(lines, fmt.Sprintf("(%d %s, %d bytes)", c.n, c.what, c.bytes))
		case c.n > 0:
			lines = append(lines, fmt.Sprintf("(%d %s)", c.n, c.what))
		}
	}
	if len(lines) == 0 {
		return "nothing to do\n"
	}
	return strings.Join(lines, "\n") + "\n"
}

// settleRounds is more than any script needs: a plan that goes round in circles ends.
const settleRounds = 20

// settle carries out plan after plan and tells each, until one has nothing to begin or end.
func (p *planned) settle() string {
	var b strings.Builder
	for range settleRounds {
		plan := p.plan()
		b.WriteString(plan.text())
		if len(plan.start)+len(plan.cancel) == 0 {
			b.WriteString("slots:")
			for _, id := range slices.Sorted(maps.Keys(p.volumes)) {
				fmt.Fprintf(&b, " %d", p.volumes[id].Slots)
			}
			return b.String() + "\n"
		}
		for _, v := range plan.cancel {
			v.Move = nil
		}
		for _, s := range plan.start {
			s.volume.Slots = slices.Clone(s.volume.Slots)
			s.volume.Slots[s.slot] = s.to
		}
		b.WriteString("then\n")
	}
	return b.String() + "this goes on for ever\n"
}
