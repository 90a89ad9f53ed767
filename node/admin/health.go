package admin

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// The states of health, the worst last.
const (
	healthy  = "healthy"
	warning  = "warning"
	critical = "critical"
)

// Beyond these limits the cluster is not healthy.
const (
	maxSkew         = 5 * time.Second  // Between the clocks of two nodes. Signatures bear 15 minutes.
	maxDirectoryAge = 10 * time.Second // Since a node has last compared its directory with the metadata.
	lowSpacePercent = 10
	noSpacePercent  = 3
	leastForVoters  = 3 // With so many nodes the metadata can survive the loss of one.
)

// finding is one thing that is not well.
type finding struct {
	state, found, action string
}

// check looks for one kind of trouble. The cluster is healthy where no check finds anything.
type check struct {
	name string
	good string // What is said where nothing is found.
	look func(*picture) []finding
}

// checks returns all checks, in the order in which they are shown. Unfinished work is counted from the
// metadata, so a node that is down hides none of it.
func checks() []check {
	return []check{
		{"nodes", "all nodes answer", (*picture).checkNodes},
		{"metadata", "it has a leader, and all voters are alive", (*picture).checkMetadata},
		{"drives", "all drives are in use", (*picture).checkDrives},
		{"volumes", "all slots answer", (*picture).checkVolumes},
		{"readable", "all data can be read", (*picture).checkUnreadable},
		{"data", "no shard is missing", (*picture).checkData},
		{"tolerance", "as much may be lost as the coding promises", (*picture).checkTolerance},
		{"rebuilds", "nothing lies on what is given up", (*picture).checkRebuilds},
		{"jobs", "all get on", (*picture).checkJobs},
		{"space", "there is room", (*picture).checkSpace},
		{"metadata space", "all nodes have room for it", (*picture).checkRoom},
		{"clocks", "they agree", (*picture).checkClocks},
		{"versions", "all nodes run the same", (*picture).checkVersions},
		{"settings", "those that must be equal are", (*picture).checkSettings},
		{"directory", "all nodes know of accounts, keys and settings as they are", (*picture).checkDirectory},
	}
}

// health returns the findings of all checks. Its state is the worst that a check found, and its reason
// names the findings of that state.
func (p *picture) health() *adminpb.Health {
	h := &adminpb.Health{State: healthy, Tolerance: p.tell(p.tolerance)}
	var reasons []string
	for _, c := range checks() {
		findings := c.look(p)
		if len(findings) == 0 {
			h.Checks = append(h.Checks, &adminpb.HealthCheck{Name: c.name, State: healthy, Found: c.good})
		}
		for _, f := range findings {
			h.Checks = append(h.Checks, &adminpb.HealthCheck{Name: c.name, State: f.state, Found: f.found, Action: f.action})
			if worseThan(f.state, h.State) {
				h.State, reasons = f.state, nil
			}
			if f.state == h.State {
				reasons = append(reasons, f.found)
			}
		}
	}
	h.Reason = strings.Join(reasons, "; ")
	if h.State == healthy {
		h.Reason = "all nodes answer, no shard is missing, nothing is unfinished"
	}
	return h
}

func worseThan(a, b string) bool {
	order := []string{healthy, warning, critical}
	return slices.Index(order, a) > slices.Index(order, b)
}

func (p *picture) checkNodes() (out []finding) {
	for _, n := range p.nodes() {
		switch {
		case n.Life == cluster.Lost.String():
			out = append(out, finding{warning, fmt.Sprintf("node %s is given up", nodeName(n)),
				"its slots are rebuilt elsewhere; start it again, or remove it: `cairn node remove`"})
		case n.State != nodeAlive:
			out = append(out, finding{warning, fmt.Sprintf("node %s is %s", nodeName(n), n.State),
				"start it again or look why it cannot be reached"})
		case !n.Answered:
			out = append(out, finding{warning, fmt.Sprintf("node %s is alive but does not answer", nodeName(n)), "look at its log and its disks"})
		}
	}
	return out
}

// nodeName returns how a node is called in a sentence.
func nodeName(n *adminpb.NodeStatus) string { return fmt.Sprintf("%s (%s)", n.Id, n.S3Addr) }

// checkMetadata looks at the voters. A vote that counts for nobody is told even while a majority is
// alive: it raises the majority that is needed and never helps to reach it.
func (p *picture) checkMetadata() (out []finding) {
	for _, m := range p.raft.Members {
		if m.Voter && p.stale(m) {
			out = append(out, finding{warning, fmt.Sprintf("node %s has lost its metadata: the vote that it had counts for nobody", cluster.NodeID(m.Node)),
				"wait: the leader replaces it within a minute; `cairn node unseat` does it at once"})
		}
	}
	out = append(out, p.checkContradictions()...)
	all, alive := p.voters()
	switch {
	case all == 1 && len(p.topo.View.Nodes) >= leastForVoters:
		out = append(out, finding{warning, "the metadata is on one node alone", "wait: more are added within a minute"})
	case p.raft.Leader == 0:
		out = append(out, finding{critical, "no node leads the metadata", "start the voters that are down: a majority is needed"})
	case all == 2 && len(p.topo.View.Nodes) >= leastForVoters:
		out = append(out, finding{warning, "the metadata is on two nodes, and stops without either of them", "wait: more are added within a minute"})
	case alive < all && alive <= all/2+1:
		out = append(out, finding{warning, fmt.Sprintf("%d of %d voters of the metadata are alive: one more lost and the cluster stops", alive, all),
			"bring back the nodes that are down"})
	case alive < all:
		out = append(out, finding{warning, fmt.Sprintf("%d of %d voters of the metadata are alive", alive, all), "bring back the nodes that are down"})
	}
	return out
}

func (p *picture) checkDrives() (out []finding) {
	for _, d := range p.drives() {
		switch d.State {
		case driveSlow:
			out = append(out, finding{warning, fmt.Sprintf("drive %s of node %s is slow", d.Id, d.Node), "look at the disk; reads and writes go round it"})
		case driveLost:
			out = append(out, finding{warning, fmt.Sprintf("drive %s of node %s is given up", d.Id, d.Node),
				"its slots are rebuilt elsewhere; remove it then: `cairn drive remove`"})
		case DriveFailed:
			out = append(out, finding{warning, fmt.Sprintf("drive %s of node %s failed and is out of use", d.Id, d.Node),
				"replace the disk, or restart the node to try it again"})
		case DriveFull:
			out = append(out, finding{warning, fmt.Sprintf("drive %s of node %s is full and takes no writes", d.Id, d.Node), "add drives or nodes"})
		}
	}
	return out
}

// checkVolumes counts volumes by which of their slots answer now. checkRebuilds counts what the
// metadata have decided about slots, whoever answers.
func (p *picture) checkVolumes() (out []finding) {
	count := map[string]int{}
	for _, v := range p.volumes() {
		count[v.Health]++
	}
	for _, c := range []struct{ health, state, means string }{
		{volumeUnreadable, critical, "more slots do not answer than they may lose"},
		{volumeEndangered, critical, "they may not lose another slot"},
		{volumeDegraded, warning, "slots of them do not answer"},
	} {
		if n := count[c.health]; n > 0 {
			out = append(out, finding{c.state, fmt.Sprintf("%s %s: %s", plural(n, "volume is", "volumes are"), c.health, c.means),
				"bring back the nodes and drives that do not answer"})
		}
	}
	return out
}

// checkRebuilds counts, from the metadata, the slots and shards that are not where they belong. Where
// extents are counted as unreadable, checkUnreadable tells of the same volumes with what would help.
func (p *picture) checkRebuilds() (out []finding) {
	c := p.counts
	if c.VolumesLost > 0 && c.ExtentsUnreadable == 0 {
		out = append(out, finding{critical, fmt.Sprintf("%s extents with fewer shards than they need", plural(int(c.VolumesLost), "volume has", "volumes have")),
			"bring back the nodes and drives that had them"})
	}
	if c.VolumesEndangered > 0 {
		out = append(out, finding{critical, fmt.Sprintf("%s extents without a shard to spare", plural(int(c.VolumesEndangered), "volume has", "volumes have")),
			"they are rebuilt by themselves; see `cairn job list`"})
	}
	if c.SlotsLost > 0 {
		out = append(out, finding{warning, fmt.Sprintf("%s on drives that are given up", plural(int(c.SlotsLost), "slot is", "slots are")),
			"they are rebuilt elsewhere by themselves; see `cairn job list`"})
	} else if c.VolumesRebuilding > 0 {
		out = append(out, finding{warning, plural(int(c.VolumesRebuilding), "volume is", "volumes are") + " being rebuilt", "wait; see `cairn job list`"})
	}
	return out
}

func (p *picture) checkData() (out []finding) {
	if n := p.counts.ExtentsMissing; n > 0 {
		out = append(out, finding{warning, fmt.Sprintf("%s a shard", plural(int(n), "extent lacks", "extents lack")),
			"they are repaired by themselves as soon as their drives are there; see `cairn job list`"})
	}
	return out
}

// checkSpace compares the free room with the capacity. Only drives that are ok or full count: room on
// the others may not be there for new data.
func (p *picture) checkSpace() (out []finding) {
	var capacity, free uint64
	for _, d := range p.drives() {
		if d.State == DriveOK || d.State == DriveFull {
			capacity, free = capacity+d.CapacityBytes, free+d.FreeBytes
		}
	}
	if capacity == 0 {
		return nil
	}
	percent := 100 * float64(free) / float64(capacity)
	state := warning
	if percent < noSpacePercent {
		state = critical
	}
	if percent < lowSpacePercent {
		out = append(out, finding{state, fmt.Sprintf("%.1f%% of the drives' space is free", percent), "add drives or nodes, or delete what is not needed"})
	}
	return out
}

func (p *picture) checkClocks() (out []finding) {
	for _, n := range p.nodes() {
		if skew := time.Duration(n.ClockSkewMs) * time.Millisecond; skew.Abs() > maxSkew {
			out = append(out, finding{warning, fmt.Sprintf("the clock of node %s differs by %s", nodeName(n), skew.Abs().Round(time.Second)),
				"let all nodes take their time from NTP: signatures are refused beyond 15 minutes"})
		}
	}
	return out
}

func (p *picture) checkVersions() (out []finding) {
	var versions []string
	for _, n := range p.nodes() {
		if n.Answered && !slices.Contains(versions, n.Version) {
			versions = append(versions, n.Version)
		}
	}
	if len(versions) > 1 {
		slices.Sort(versions)
		out = append(out, finding{warning, "nodes run different versions: " + strings.Join(versions, ", "), "finish the upgrade"})
	}
	return out
}

// checkDirectory names the nodes whose copy of the directory is old. A key that was disabled meanwhile
// still works there.
func (p *picture) checkDirectory() (out []finding) {
	for _, n := range p.nodes() {
		for id, r := range p.reports {
			if id.String() != n.Id || r.NodeReport == nil || r.DirectoryAgeSeconds <= maxDirectoryAge.Seconds() {
				continue
			}
			out = append(out, finding{warning, fmt.Sprintf("node %s has not heard from the metadata for %.0f seconds", nodeName(n), r.DirectoryAgeSeconds),
				"look at its network: changed keys and policies do not hold there"})
		}
	}
	return out
}

// plural returns a count with the word for one or the words for many.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
