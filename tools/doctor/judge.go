package doctor

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// Bounds of what is thought good.
const (
	enoughFiles    = 65_536
	enoughMemory   = 1 << 30
	leastKernel    = 5
	leastFree      = 0.05 // Of a file system's space, and of its inodes.
	slowSync       = 50 * time.Millisecond
	verySlowSync   = 500 * time.Millisecond
	farNode        = 20 * time.Millisecond // A round trip within a cluster.
	clockAdvice    = 500 * time.Millisecond
	clockWarning   = time.Minute // Signatures and object locks trust clocks; nodes refuse more than five minutes.
	certificateDue = 30 * 24 * time.Hour
)

// judgeFiles judges how many files the process may have open.
func judgeFiles(soft, hard uint64) Finding {
	const what = "open files"
	if hard < enoughFiles { // A server raises its own limit as far as this.
		return Finding{"machine", what, Advice, fmt.Sprintf("at most %d", hard),
			fmt.Sprintf("allow %d: LimitNOFILE= of the systemd unit, or nofile in /etc/security/limits.conf", enoughFiles)}
	}
	return good("machine", what, "%d, at most %d", soft, hard)
}

// judgeMemory judges the memory that a node may use.
func judgeMemory(limit, swap uint64) []Finding {
	const what = "memory"
	memory := good("machine", what, "%s", humanize.IBytes(limit))
	if limit < enoughMemory {
		memory.State = Advice
		memory.Action = "give a node 1 GiB or more: it holds buffers, a block cache and its log in memory"
	}
	paging := good("machine", "swap", "none in use")
	if swap > 0 {
		paging = Finding{"machine", "swap", Advice, humanize.IBytes(swap) + " in use",
			"a node that is paged out answers late and counts as down: turn swap off, or set vm.swappiness=1"}
	}
	return []Finding{memory, paging}
}

// judgeKernel judges a release as uname tells it: 6.1.0-18-amd64.
func judgeKernel(release string) Finding {
	major, _, _ := strings.Cut(release, ".")
	n, err := strconv.Atoi(major)
	switch {
	case err != nil:
		return unknown("machine", "kernel", fmt.Errorf("%q tells no version", release))
	case n < leastKernel:
		return Finding{"machine", "kernel", Advice, release,
			"before Linux 5 a failed sync may be told to one process and forgotten for others: update it"}
	}
	return good("machine", "kernel", "%s", release)
}

// judgeSynchronized judges whether the kernel says that its clock follows another.
func judgeSynchronized(yes bool) Finding {
	if !yes {
		return Finding{"machine", "clock", Warning, "nothing keeps it right",
			"run chrony or systemd-timesyncd: a node whose clock is off changes nothing"}
	}
	return good("machine", "clock", "kept right by a time service")
}

// judgeOffset judges how far this machine's clock is from a node's, as a round trip of so long tells it.
func judgeOffset(where string, offset, trip time.Duration) Finding {
	const what = "clock"
	// An answer tells whole seconds, and came some time after it was written.
	off := max(0, offset.Abs()-time.Second-trip)
	found := fmt.Sprintf("%s from this machine's, to within %s", off.Round(time.Millisecond),
		(time.Second + trip).Round(100*time.Millisecond))
	switch {
	case off > clockWarning:
		return Finding{where, what, Warning, found, "set both by a time service"}
	case off > clockAdvice:
		return Finding{where, what, Advice, found, "set both by a time service"}
	}
	return good(where, what, "%s", found)
}

// mount is a line of /proc/self/mountinfo.
type mount struct {
	point, fs string
	options   []string // Of the mount and of its file system.
}

// parseMounts reads /proc/self/mountinfo (proc(5)).
func parseMounts(text string) (out []mount) {
	for line := range strings.Lines(text) {
		head, tail, ok := strings.Cut(strings.TrimSpace(line), " - ")
		h, t := strings.Fields(head), strings.Fields(tail)
		if !ok || len(h) < 6 || len(t) < 3 {
			continue
		}
		point := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(h[4])
		out = append(out, mount{point, t[0], append(strings.Split(h[5], ","), strings.Split(t[2], ",")...)})
	}
	return out
}

// mountOf returns the mount that a clean absolute path lies on: the last one of the deepest.
func mountOf(all []mount, path string) (best mount, ok bool) {
	for _, m := range all {
		under := m.point == "/" || path == m.point || strings.HasPrefix(path, m.point+"/")
		if under && (!ok || len(m.point) >= len(best.point)) {
			best, ok = m, true
		}
	}
	return best, ok
}

// judgeMount judges the file system of a drive.
func judgeMount(dir string, m mount) []Finding {
	const fs, options = "file system", "mount options"
	out := []Finding{good(dir, fs, "%s at %s", m.fs, m.point)}
	say := func(s State, action string) { out[0].State, out[0].Action = s, action }
	switch {
	case m.fs == "ext4" || m.fs == "xfs":
	case m.fs == "tmpfs" || m.fs == "ramfs":
		say(Warning, "it is memory: everything on it is gone with the power. Use a disk with xfs or ext4")
	case strings.HasPrefix(m.fs, "nfs") || m.fs == "cifs" || m.fs == "smb3" || strings.HasPrefix(m.fs, "fuse") ||
		m.fs == "ceph" || m.fs == "9p":
		say(Warning, "a file system of the network fails with it, for several drives at once, and may not sync what it "+
			"says: use local disks")
	case m.fs == "overlay":
		say(Warning, "it is the layer of a container and goes with it: mount a volume there")
	default:
		say(Advice, "Cairn is tested on xfs and ext4; they cost less than file systems that copy on write")
	}
	opts := good(dir, options, "%s", strings.Join(m.options, ","))
	has := func(o string) bool { return slices.Contains(m.options, o) }
	switch {
	case has("ro"):
		opts.State, opts.Action = Warning, "it is read-only: look at the kernel's log for why, and mount it rw"
	case has("nobarrier") || has("barrier=0"):
		opts.State, opts.Action = Warning, "without barriers a power failure loses what was acknowledged: leave them on"
	case has("data=writeback"):
		opts.State, opts.Action = Advice, "data=writeback shows old blocks after a crash; data=ordered costs little"
	case has("sync") || has("dirsync"):
		opts.State, opts.Action = Advice, "Cairn syncs what it must: the option sync makes every write as slow as that"
	case !has("noatime") && !has("relatime"):
		opts.State, opts.Action = Advice, "mount it noatime: each read writes otherwise"
	}
	return append(out, opts)
}

// space is what a file system has: bytes and inodes. One that has no inodes to count says 0.
type space struct{ bytes, free, inodes, inodesFree uint64 }

// judgeSpace judges how much is left on a drive.
func judgeSpace(dir string, s space) Finding {
	const what = "space"
	found := fmt.Sprintf("%s of %s are free", humanize.IBytes(s.free), humanize.IBytes(s.bytes))
	switch {
	case float64(s.free) < leastFree*float64(s.bytes):
		return Finding{dir, what, Warning, found, "make room or add drives: a full drive takes no writes"}
	case s.inodes > 0 && float64(s.inodesFree) < leastFree*float64(s.inodes):
		return Finding{dir, what, Warning, fmt.Sprintf("%d of %d inodes are free", s.inodesFree, s.inodes),
			"something else has filled it with small files: remove them"}
	}
	return good(dir, what, "%s", found)
}

// judgeShared judges drives that lie on one device: they are lost together.
func judgeShared(byDevice map[uint64][]string) (out []Finding) {
	for _, dirs := range byDevice {
		if len(dirs) < 2 {
			continue
		}
		slices.Sort(dirs)
		out = append(out, Finding{dirs[0], "device", Warning, "the same as that of " + strings.Join(dirs[1:], ", "),
			"give each directory of --data a disk of its own: these are lost together, and share one disk's speed"})
	}
	slices.SortFunc(out, func(a, b Finding) int { return strings.Compare(a.Where, b.Where) })
	return out
}

// judgeSyncs judges how long some writes took with their sync.
func judgeSyncs(dir string, took []time.Duration) Finding {
	const what = "sync"
	slices.Sort(took)
	median, worst := took[len(took)/2], took[len(took)-1]
	found := fmt.Sprintf("%s in the middle, at most %s", median.Round(10*time.Microsecond),
		worst.Round(10*time.Microsecond))
	switch {
	case median > verySlowSync:
		return Finding{dir, what, Warning, found,
			"the disk is failing or busy with something else: every commit waits for it"}
	case median > slowSync:
		return Finding{dir, what, Advice, found,
			"put the first directory of --data on an SSD: every commit waits for its syncs"}
	}
	return good(dir, what, "%s", found)
}

// judgeCertificate judges the certificate that a listener has shown.
func judgeCertificate(where string, c *x509.Certificate, now time.Time) Finding {
	const what = "certificate"
	left := c.NotAfter.Sub(now)
	switch {
	case left < 0:
		return Finding{where, what, Warning, "it ended on " + c.NotAfter.Format(time.DateOnly), "renew it: clients refuse it"}
	case now.Before(c.NotBefore):
		return Finding{where, what, Warning, "it is valid from " + c.NotBefore.Format(time.DateOnly), "look at the clocks"}
	case left < certificateDue && left < c.NotAfter.Sub(c.NotBefore)/3:
		return Finding{where, what, Advice, fmt.Sprintf("it ends on %s", c.NotAfter.Format(time.DateOnly)),
			"renew it: the files are read again when they change"}
	}
	return good(where, what, "valid until %s", c.NotAfter.Format(time.DateOnly))
}

// judgeTrip judges how long connections to a node took.
func judgeTrip(where string, took time.Duration) Finding {
	found := fmt.Sprintf("connected in %s", took.Round(10*time.Microsecond))
	if took > farNode {
		return Finding{where, "network", Advice, found,
			"it is far, or the network is busy: commits wait for a majority of the voters"}
	}
	return good(where, "network", "%s", found)
}

// judgeSame judges a thing that all nodes should have alike: which of them have which value.
func judgeSame(what string, byValue map[string][]string, action string) Finding {
	if len(byValue) == 1 {
		for v := range byValue {
			return good("cluster", what, "%s everywhere", v)
		}
	}
	var parts []string
	for v, nodes := range byValue {
		slices.Sort(nodes)
		parts = append(parts, fmt.Sprintf("%s on %s", v, strings.Join(nodes, ", ")))
	}
	slices.Sort(parts)
	return Finding{"cluster", what, Advice, strings.Join(parts, "; "), action}
}
