package place

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/cairnstore/cairn/cluster"
)

// TestTranscripts plays the scripts of testdata/transcripts: nodes with their drives, and
// which of them are chosen. Renew them with -rewrite and read the difference: a choice
// that changes moves no data, but must be meant.
//
//	nodes                             a line each: node ID ZONE: DRIVE[=SLOTS] DRIVE… (1 TiB each)
//	plan slots=N spare=N count=N      lists for so many volumes, and how often each drive is used
//	spare list=(…) slot=N spare=N     who takes a slot over
//	promised slots=N spare=N          what may be lost of such lists
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		s := &script{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			return s.run(t, d)
		})
	})
}

type script struct {
	view  *cluster.View
	slots map[cluster.DriveID]int
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	var w Width
	count, slot := 1, 0
	d.MaybeScanArgs(t, "slots", &w.Slots)
	d.MaybeScanArgs(t, "spare", &w.Spare)
	d.MaybeScanArgs(t, "count", &count)
	d.MaybeScanArgs(t, "slot", &slot)
	if d.Cmd == "nodes" {
		return s.nodes(t, d)
	}
	drives := NewDrives(s.view, all, func(id cluster.DriveID) int { return s.slots[id] })
	switch d.Cmd {
	case "plan":
		lists, err := Plan(drives, w, count, 1)
		if err != nil {
			return err.Error() + "\n"
		}
		return s.told(lists)
	case "spare":
		q := Vacancy{Slot: slot, Spare: w.Spare, Seed: 1}
		for _, arg := range d.CmdArgs {
			if arg.Key == "list" {
				q.Slots = driveIDs(t, d, arg.Vals)
			}
		}
		id, err := SpareFor(drives, q)
		if err != nil {
			return err.Error() + "\n"
		}
		return fmt.Sprintf("%d\n", id)
	case "promised":
		p := drives.Promised(w)
		return fmt.Sprintf("%+v\n", p)
	}
	d.Fatalf(t, "unknown command %q", d.Cmd)
	return ""
}

func driveIDs(t *testing.T, d *datadriven.TestData, words []string) (ids []cluster.DriveID) {
	for _, w := range words {
		var id cluster.DriveID
		if _, err := fmt.Sscan(w, (*uint64)(&id)); err != nil {
			d.Fatalf(t, "%q: %v", w, err)
		}
		ids = append(ids, id)
	}
	return ids
}

// nodes reads the lines of the command nodes.
func (s *script) nodes(t *testing.T, d *datadriven.TestData) string {
	s.slots = map[cluster.DriveID]int{}
	var nodes []cluster.Node
	for line := range strings.Lines(d.Input) {
		head, tail, _ := strings.Cut(line, ":")
		var n cluster.Node
		if _, err := fmt.Sscan(head, (*uint64)(&n.ID), &n.Zone); err != nil {
			d.Fatalf(t, "%q: %v", line, err)
		}
		for word := range strings.FieldsSeq(tail) {
			name, held, _ := strings.Cut(word, "=")
			id := driveIDs(t, d, []string{name})[0]
			if held != "" {
				slots := driveIDs(t, d, []string{held})
				s.slots[id] = int(slots[0])
			}
			n.Drives = append(n.Drives, cluster.Drive{ID: id, Node: n.ID, CapacityBytes: tib})
		}
		nodes = append(nodes, n)
	}
	s.view = cluster.NewView(1, nodes)
	return "ok\n"
}

// told shows lists, each drive with its node and zone, and how even they are.
func (s *script) told(lists [][]cluster.DriveID) string {
	var b strings.Builder
	used := map[cluster.DriveID]int{}
	for _, list := range lists {
		for i, id := range list {
			used[id]++
			n := s.view.Node(s.view.Drive(id).Node)
			fmt.Fprintf(&b, "%s%d (%d, %s)", map[bool]string{true: "", false: "  "}[i == 0], id, n.ID, n.Zone)
		}
		b.WriteString("\n")
	}
	var ids []cluster.DriveID
	for i := range s.view.Nodes {
		for _, d := range s.view.Nodes[i].Drives {
			ids = append(ids, d.ID)
		}
	}
	slices.Sort(ids)
	b.WriteString("used:")
	for _, id := range ids {
		fmt.Fprintf(&b, " %d×%d", id, used[id])
	}
	return b.String() + "\n"
}
