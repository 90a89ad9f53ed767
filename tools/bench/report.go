package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/cairnstore/cairn/tools/load"
)

// report is everything that a run has found.
type report struct {
	Began      time.Time        `json:"began"`
	Machine    string           `json:"machine"`
	Scale      float64          `json:"scale"`
	Rounds     int              `json:"rounds"`
	Seed       uint64           `json:"seed"`
	Targets    []targetReport   `json:"targets"`
	Rows       []*row           `json:"rows"`
	Primitives []primitivePrice `json:"primitives,omitempty"`
	Errors     []string         `json:"errors,omitempty"` // Errors that belong to no row.

	prices  []prices
	targets []*target
}

type targetReport struct {
	Name   string   `json:"name"`
	URLs   []string `json:"urls"`
	Remark string   `json:"remark,omitempty"`
	Idle   float64  `json:"idle_cpu_s_per_s"`
	Coarse string   `json:"peaks_not_reset,omitempty"`
}

// primitivePrice is what a primitive cost over the run.
type primitivePrice struct {
	Name   primitive `json:"name"`
	Unit   string    `json:"unit"`
	Median float64   `json:"cpu_s_median"`
	Least  float64   `json:"cpu_s_least"`
	Most   float64   `json:"cpu_s_most"`
}

// row is a scenario on every target.
type row struct {
	Name    string    `json:"name"`
	What    string    `json:"what"`
	Results []*result `json:"results"`
	Prices  prices    `json:"primitives_cpu_s,omitempty"` // Medians of what they cost while it ran.
}

// result is a row on one target.
type result struct {
	Target  string             `json:"target"`
	Figures map[string]float64 `json:"figures,omitempty"` // The medians of the rounds.
	Ratios  map[string]float64 `json:"ratios_to_first,omitempty"`
	Samples []sample           `json:"samples"`
	Errors  []string           `json:"errors,omitempty"`
	Wrong   bool               `json:"wrong,omitempty"` // An answer contradicted what was written.
}

// figure is a column: of returns the value of one round, and 0 if it has no meaning there.
type figure struct {
	head string
	of   func(s sample) float64
}

// fewBytes is the size of an operation below which a figure per GiB says nothing.
const fewBytes = 64 * kib

var figures = []figure{
	{"MiB/s", func(s sample) float64 { return over0(float64(s.Bytes)/float64(mib), s.Seconds) }},
	{"op/s", func(s sample) float64 { return over0(float64(s.Ops), s.Seconds) }},
	{"CPU s/GiB", func(s sample) float64 {
		if s.Ops == 0 || s.Bytes/int64(s.Ops) < fewBytes {
			return 0
		}
		return over0(s.CPU, float64(s.Bytes)/float64(gib))
	}},
	{"CPU ms/op", func(s sample) float64 { return over0(s.CPU*1000, float64(s.Ops)) }},
	{"x formula", func(s sample) float64 { return over0(s.CPU, s.Formula) }},
	{"p50 ms", func(s sample) float64 { return s.P50 }},
	{"p99 ms", func(s sample) float64 { return s.P99 }},
	{"Complete ms", func(s sample) float64 { return s.CompleteMS }},
	{"memory MiB", func(s sample) float64 { return float64(s.Peak) / float64(mib) }},
	{"client CPU s", func(s sample) float64 { return s.ClientCPU }},
	{"seconds", func(s sample) float64 { return s.Seconds }},
}

// over0 returns a / b, or 0 if b is 0. A figure of 0 is not told.
func over0(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

func newReport(o options) *report {
	return &report{Began: time.Now().UTC(), Machine: machine(), Scale: o.scale, Rounds: o.rounds, Seed: o.seed}
}

func (r *report) add(t *target, idle float64) {
	tr := targetReport{Name: t.name, Remark: t.remark, Idle: idle}
	for _, u := range t.spec.urls {
		tr.URLs = append(tr.URLs, u.String())
	}
	r.Targets, r.targets = append(r.Targets, tr), append(r.targets, t)
}

// note keeps an error that belongs to no row.
func (r *report) note(err error) { r.Errors = append(r.Errors, err.Error()) }

// failed reports whether anything went wrong.
func (r *report) failed() bool {
	return len(r.Errors) > 0 || slices.ContainsFunc(r.Rows, func(w *row) bool {
		return slices.ContainsFunc(w.Results, func(s *result) bool { return len(s.Errors) > 0 })
	})
}

func (s *result) fail(round int, err error) {
	var m *load.Mismatch
	text := err.Error()
	if errors.As(err, &m) {
		s.Wrong = true
		text = "WRONG: " + text
	}
	s.Errors = append(s.Errors, fmt.Sprintf("round %d: %s", round+1, text))
}

// judge works out every figure, what the formula comes to, and the ratios to the first target. The
// formula includes TLS, so a target without TLS gets no multiple of it.
func (w *row) judge(targets []*target, f formula) {
	for i, s := range w.Results {
		for j := range s.Samples {
			one := &s.Samples[j]
			if f.known() && len(w.Prices) > 0 && targets[i].secure() && targets[i].procs.known() {
				one.Formula = f.seconds(w.Prices, one.Bytes, one.Ops)
			}
		}
		s.Figures = mediansOf(s.Samples)
	}
	for _, s := range w.Results[1:] {
		s.Ratios = ratios(s.Figures, w.Results[0].Figures)
	}
}

// mediansOf returns each figure's median over the rounds that went well.
func mediansOf(samples []sample) map[string]float64 {
	found := map[string]float64{}
	for _, f := range figures {
		var all []float64
		for _, s := range samples {
			all = append(all, f.of(s))
		}
		if m := median(all); m != 0 {
			found[f.head] = m
		}
	}
	if len(samples) > 1 {
		found[spreadHead] = spreadOf(samples)
	}
	return found
}

// spreadHead is the head of the column that says how far rounds lie apart.
const spreadHead = "spread %"

// spreadOf returns how much longer the slowest round took than the fastest, in per cent of the median.
func spreadOf(samples []sample) float64 {
	var all []float64
	for _, s := range samples {
		all = append(all, s.Seconds)
	}
	return over0(100*(slices.Max(all)-slices.Min(all)), median(all))
}

// ratios divides the figures of a target by those of the first one, as far as both have them.
func ratios(of, first map[string]float64) map[string]float64 {
	found := map[string]float64{}
	for name, v := range of {
		if base := first[name]; base != 0 && name != spreadHead {
			found[name] = v / base
		}
	}
	return found
}

// summarize returns what primitives cost over a run.
func summarize(all []prices) (out []primitivePrice) {
	if len(all) == 0 {
		return nil
	}
	for _, p := range primitives {
		var v []float64
		for _, one := range all {
			v = append(v, shown(one[p.name], p.unit))
		}
		out = append(out, primitivePrice{p.name, p.unit, median(v), slices.Min(v), slices.Max(v)})
	}
	return out
}

func (r *report) write(file string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// number returns a figure with about three digits, and "-" for 0.
func number(v float64) string {
	switch {
	case v == 0:
		return "-"
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

func (r *report) tellStart(out io.Writer) error {
	_, err := fmt.Fprintf(out, "%s; scale %v, %d rounds\n", r.Machine, r.Scale, r.Rounds)
	for _, t := range r.Targets {
		fmt.Fprintf(out, "%s: %s; idle it uses %.3f s of CPU a second\n", t.Name, strings.Join(t.URLs, " "), t.Idle)
		if t.Remark != "" {
			fmt.Fprintf(out, "  %s\n", t.Remark)
		}
	}
	return err
}

// tell writes a row as a table. Below each target but the first stand its figures divided by those of
// the first.
func (w *row) tell(out io.Writer) error {
	fmt.Fprintf(out, "\n%s: %s\n", w.Name, w.What)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	heads := w.heads()
	fmt.Fprintf(t, "\t%s\trounds\t\n", strings.Join(heads, "\t"))
	for i, s := range w.Results {
		fmt.Fprint(t, s.Target, "\t")
		for _, h := range heads {
			fmt.Fprint(t, number(s.Figures[h]), "\t")
		}
		fmt.Fprint(t, len(s.Samples), "\t\n")
		if i == 0 {
			continue
		}
		fmt.Fprintf(t, "÷ %s\t", w.Results[0].Target)
		for _, h := range heads {
			fmt.Fprint(t, number(s.Ratios[h]), "\t")
		}
		fmt.Fprint(t, "\t\n")
	}
	err := t.Flush()
	for _, s := range w.Results {
		for _, e := range s.Errors {
			fmt.Fprintf(out, "  %s FAILED, %s\n", s.Target, strings.ReplaceAll(e, "\n", "; "))
		}
	}
	return err
}

// heads returns the columns in which any target has a figure.
func (w *row) heads() (heads []string) {
	for _, f := range append(slices.Clone(figures), figure{head: spreadHead}) {
		if slices.ContainsFunc(w.Results, func(s *result) bool { return s.Figures[f.head] != 0 }) {
			heads = append(heads, f.head)
		}
	}
	return heads
}

func tablePrimitives(all []primitivePrice, out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "primitive\tCPU s\tfrom\tto\ta")
	for _, p := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", p.Name, number(p.Median), number(p.Least), number(p.Most), p.Unit)
	}
	return t.Flush()
}

// tellEnd writes what the primitives cost during the run, and what else one must know of it.
func (r *report) tellEnd(out io.Writer) error {
	r.Primitives = summarize(r.prices)
	if len(r.Primitives) > 0 {
		fmt.Fprintf(out, "\nThe machine's primitives before, after and between all rounds (%d times):\n", len(r.prices))
		if err := tablePrimitives(r.Primitives, out); err != nil {
			return err
		}
	}
	for i, t := range r.targets {
		if r.Targets[i].Coarse = t.coarse; t.coarse != "" {
			fmt.Fprintf(out, "%s: memory is the most since the process began, not each row's: %s\n", t.name, t.coarse)
		}
	}
	for _, e := range r.Errors {
		fmt.Fprintln(out, "ERROR", e)
	}
	return nil
}
