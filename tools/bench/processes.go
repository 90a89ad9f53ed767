package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// clockTick is the unit of CPU times in /proc on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// processes are those of a server, by their ids. The ids are a list, or in a file, which is read each
// time so that a server may be restarted between rows.
type processes struct {
	pids []int
	file string
}

// parseProcesses reads a list of ids as 1,2,3, or takes s for the name of a file.
func parseProcesses(s string) (processes, error) {
	if s == "" {
		return processes{}, errors.New("pids= is empty; want ids with commas between, or a file")
	}
	pids, err := parseIDs(s)
	if err != nil && strings.Trim(s, "0123456789, ") != "" {
		return processes{file: s}, nil
	}
	return processes{pids: pids}, err
}

func parseIDs(s string) (pids []int, err error) {
	for _, f := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }) {
		id, err := strconv.Atoi(f)
		if err != nil || id <= 0 {
			return nil, fmt.Errorf("%q is no process id", f)
		}
		pids = append(pids, id)
	}
	if len(pids) == 0 {
		return nil, errors.New("no process id")
	}
	return pids, nil
}

// known reports whether there are processes to look at.
func (p processes) known() bool { return p.file != "" || len(p.pids) > 0 }

func (p processes) ids() ([]int, error) {
	if p.file == "" {
		return p.pids, nil
	}
	text, err := os.ReadFile(p.file)
	if err != nil {
		return nil, err
	}
	pids, err := parseIDs(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.file, err)
	}
	return pids, nil
}

// sum adds up what read finds in a file in /proc of each process. It returns an error if one is gone:
// figures without that one would flatter the server.
func (p processes) sum(file string, read func(text []byte) (int64, error)) (total int64, err error) {
	ids, err := p.ids()
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", id, file))
		if err != nil {
			return 0, fmt.Errorf("server process %d: %w", id, err)
		}
		n, err := read(text)
		if err != nil {
			return 0, fmt.Errorf("server process %d: %w", id, err)
		}
		total += n
	}
	return total, nil
}

// cpu returns the CPU time that the processes, and children they have waited for, have used.
func (p processes) cpu() (time.Duration, error) {
	ticks, err := p.sum("stat", ticksOf)
	return time.Duration(ticks) * clockTick, err
}

// ticksOf reads /proc/PID/stat. It adds up the user and system time of the process and of its children.
func ticksOf(stat []byte) (ticks int64, err error) {
	at := bytes.LastIndex(stat, []byte(") ")) // The name before it may hold blanks and brackets.
	f := strings.Fields(string(stat[at+1:]))
	const utime, cstime = 11, 14 // Counted from the state, which comes after the name.
	if at < 0 || len(f) <= cstime {
		return 0, fmt.Errorf("stat %q has too few fields", stat)
	}
	for _, s := range f[utime : cstime+1] {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("stat %q: %w", stat, err)
		}
		ticks += n
	}
	return ticks, nil
}

// peak adds up the most memory that each process had since resetPeak. All processes together never had
// more than that.
func (p processes) peak() (bytes int64, err error) { return p.sum("status", peakOf) }

// peakOf reads VmHWM of /proc/PID/status.
func peakOf(status []byte) (int64, error) {
	for line := range strings.Lines(string(status)) {
		value, ok := strings.CutPrefix(line, "VmHWM:")
		if !ok {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("VmHWM %q: %w", value, err)
		}
		return kib << 10, nil
	}
	return 0, errors.New("status has no VmHWM: the process has ended")
}

// resetPeak sets the peak of each process to its present size.
func (p processes) resetPeak() error {
	ids, err := p.ids()
	for _, id := range ids {
		const peakOnly = "5"
		err = errors.Join(err, os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", id), []byte(peakOnly), 0))
	}
	return err
}

// ownCPU returns the CPU time of this program.
func ownCPU() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic("bench: getrusage of the process itself: " + err.Error()) // It has no way to fail.
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
