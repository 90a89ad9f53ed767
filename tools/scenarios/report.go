package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/cairnstore/cairn/tools/load"
)

// report is what a story has shown.
type report struct {
	Seed           uint64        `json:"seed"`
	Plan           plan          `json:"plan"`
	Phases         []*load.Phase `json:"phases"`
	Costs          []Cost        `json:"costs"`
	Checked        *load.Checked `json:"checked"`
	Wrong          []string      `json:"wrong"`           // The first answers that contradict what was acknowledged.
	Redundancy     string        `json:"redundancy"`      // What lacked at the end; empty: nothing.
	SettledSeconds float64       `json:"settled_seconds"` // How long after the load the cluster was settled.
	Idle           *Idle         `json:"idle,omitempty"`
}

// see takes over what the clients have seen.
func (r *report) see(rec *load.Recorder) {
	r.Phases, r.Wrong = rec.Phases(), rec.Wrong()
}

// verdict returns an error if an answer contradicts what was acknowledged, or if nothing was
// acknowledged.
func (r *report) verdict() error {
	if n := len(r.Wrong) + len(r.Checked.Wrong); n > 0 {
		return fmt.Errorf("%d answers contradict what was acknowledged", n)
	}
	if r.Checked.Keys == 0 {
		return errors.New("nothing was acknowledged, so nothing was shown")
	}
	return nil
}

const mib = 1 << 20

func (r *report) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(cells ...string) { fmt.Fprintln(w, strings.Join(cells, "\t")+"\t") }
	row("phase", "seconds", "operations", "errors", "retried", "in MiB", "out MiB", "longest s", "(of)", "stall s")
	for _, p := range r.Phases {
		row(p.Name, secs(p.Seconds), fmt.Sprint(p.Total()), fmt.Sprint(p.Failed()), fmt.Sprint(p.Retried),
			mibs(float64(p.InBytes)), mibs(float64(p.OutBytes)), secs(p.Longest), p.LongestOp, secs(p.Stall))
	}
	row()
	row("phase", "used MiB", "re-encoded MiB", "moved MiB", "ideal MiB", "moved ÷ ideal", "to redundancy s", "MiB/s", "CPU s", "CPU s/GiB", "memory MiB")
	for _, c := range r.Costs {
		row(c.Phase, mibs(c.UsedBytes), mibs(c.Widened), mibs(c.MovedBytes), mibs(c.IdealBytes), per(c.MovedBytes, c.IdealBytes, leastBytes), secs(c.Redundant),
			per(c.MovedBytes/mib, c.Redundant, leastSeconds), secs(c.CPUSeconds), per(c.CPUSeconds, c.MovedBytes/(1<<30), leastMoved), mibs(c.Memory))
	}
	w.Flush()
	r.printErrors(out)
	r.printEnd(out)
}

// printErrors prints each kind of error with the phase in which it was seen, and how long elections
// took.
func (r *report) printErrors(out io.Writer) {
	for _, p := range r.Phases {
		for _, kind := range slices.Sorted(maps.Keys(p.Errors)) {
			fmt.Fprintf(out, "error in %q: %d × %s\n", p.Name, p.Errors[kind], kind)
		}
	}
	for _, c := range r.Costs {
		for _, e := range c.Elections {
			fmt.Fprintf(out, "a new leader after %s s\n", secs(e))
		}
	}
}

func (r *report) printEnd(out io.Writer) {
	if i := r.Idle; i != nil {
		for _, role := range slices.Sorted(maps.Keys(i.CPUSeconds)) {
			fmt.Fprintf(out, "idle, %d nodes, %s: %.0f CPU s an hour\n", i.Nodes, role, i.CPUSeconds[role]/i.Seconds*3600)
		}
	}
	if c := r.Checked; c != nil {
		fmt.Fprintf(out, "checked %d keys (%d deleted, %d of unknown outcome), %s MiB\n", c.Keys, c.Absent, c.Unknown, mibs(float64(c.Bytes)))
		for _, w := range append(r.Wrong, c.Wrong...) {
			fmt.Fprintln(out, "WRONG:", w)
		}
	}
	if r.Redundancy == "" && r.Checked != nil {
		fmt.Fprintf(out, "the metadata counts full redundancy, %s s after the load ended\n", secs(r.SettledSeconds))
	} else if r.Redundancy != "" {
		fmt.Fprintln(out, "NOT REDUNDANT:", r.Redundancy)
	}
}

func secs(s float64) string { return fmt.Sprintf("%.1f", s) }

func mibs(b float64) string { return fmt.Sprintf("%.0f", b/mib) }

// The least divisors of a quotient that means anything.
const (
	leastBytes   = 1 * mib
	leastSeconds = 0.1
	leastMoved   = 16.0 / 1024 // GiB.
)

// per returns a ÷ b, or a dash if b is below least.
func per(a, b, least float64) string {
	if b < least {
		return "-"
	}
	return fmt.Sprintf("%.2f", a/b)
}
