package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
)

// idleTime is how long servers are watched with nothing to do.
const idleTime = 2 * time.Second

// contest is a run: the targets, and what each row has found on them.
type contest struct {
	options
	plan
	targets []*target
	last    prices // What the primitives cost when they were last measured.
	report  *report
	out     io.Writer
}

// newContest makes the buckets on every target. If one target cannot be prepared it returns an error,
// since nothing can be compared with it.
func newContest(ctx context.Context, o options, specs []spec, out io.Writer) (*contest, error) {
	c := &contest{options: o, plan: newPlan(o.scale, o.seed), out: out, report: newReport(o)}
	seen := map[string]bool{}
	for _, s := range specs {
		if seen[s.name] {
			return nil, fmt.Errorf("two targets are named %s", s.name)
		}
		seen[s.name] = true
		t, err := newTarget(s, o)
		if err != nil {
			return nil, err
		}
		c.targets = append(c.targets, t)
	}
	for _, t := range c.targets {
		if err := t.sdk.open(ctx); err != nil {
			c.clean(ctx)
			return nil, fmt.Errorf("target %s: %w", t.name, err)
		}
		idle, err := t.idle(idleTime)
		if err != nil {
			c.clean(ctx)
			return nil, fmt.Errorf("target %s: %w", t.name, err)
		}
		c.report.add(t, idle)
	}
	return c, c.report.tellStart(out)
}

// run does every row on every target, in turn.
func (c *contest) run(ctx context.Context, rows []scenario) {
	for i, s := range rows {
		if ctx.Err() != nil {
			c.report.note(fmt.Errorf("interrupted: %d of %d rows were not begun", len(rows)-i, len(rows)))
			return
		}
		row, err := c.row(ctx, s)
		if err != nil {
			c.report.note(err)
			return
		}
		row.judge(c.targets, s.formula)
		c.report.Rows = append(c.report.Rows, row)
		if err := row.tell(c.out); err != nil {
			c.report.note(err)
		}
	}
}

// row does one row, on the targets in turn: A B A B. The primitives are measured before and after it
// and between its rounds, because what they cost changes with what else the machine does. An error says
// that they could not be measured.
func (c *contest) row(ctx context.Context, s scenario) (*row, error) {
	row := &row{Name: s.name, What: s.what(c.plan)}
	if c.last == nil {
		if err := c.measurePrices(); err != nil {
			return nil, err
		}
	}
	around := []prices{c.last}
	for _, t := range c.targets {
		row.Results = append(row.Results, &result{Target: t.name})
	}
	for round := range c.rounds {
		for i, t := range c.targets {
			fmt.Fprintf(os.Stderr, "%s, round %d, %s\n", s.name, round+1, t.name)
			r := &turn{target: t, plan: c.plan, round: round}
			limited, cancel := context.WithTimeout(ctx, c.timeout)
			err := s.run(limited, r)
			cancel()
			if err != nil {
				row.Results[i].fail(round, err)
				continue
			}
			row.Results[i].Samples = append(row.Results[i].Samples, r.sample)
		}
		if ctx.Err() != nil {
			break
		}
		if err := c.measurePrices(); err != nil {
			return nil, err
		}
		around = append(around, c.last)
	}
	row.Prices = middle(around)
	return row, nil
}

func (c *contest) measurePrices() error {
	if !c.primitives {
		return nil
	}
	p, err := measurePrices(c.dir, primitiveTime)
	if err == nil {
		c.last, c.report.prices = p, append(c.report.prices, p)
	}
	return err
}

// clean removes what the run has made, even if it was interrupted.
func (c *contest) clean(ctx context.Context) {
	for _, t := range c.targets {
		if c.keep {
			continue
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout)
		err := t.sdk.close(ctx)
		cancel()
		if err != nil {
			c.report.note(fmt.Errorf("target %s: what the run has made is left behind: %w", t.name, err))
		}
	}
}

// start runs the servers that the command line asks for. The caller must call stop, which ends them,
// even if start returns an error.
func start(ctx context.Context, o options, out io.Writer) (specs []spec, stop func(), err error) {
	var stops []func()
	stop = func() {
		for _, s := range stops {
			s()
		}
	}
	if o.cluster {
		s, end, err := startCluster(ctx, o)
		stops = append(stops, end)
		if err != nil {
			return nil, stop, fmt.Errorf("start cairn: %w", err)
		}
		specs = append(specs, s)
	}
	if !o.peers {
		return specs, stop, nil
	}
	for _, p := range peers {
		bin := os.Getenv(p.env)
		if bin == "" {
			fmt.Fprintf(out, "%s is left out: %s names no binary\n", p.name, p.env)
			continue
		}
		s, end, err := p.start(ctx, o, bin)
		stops = append(stops, end)
		if err != nil {
			return nil, stop, fmt.Errorf("start %s: %w", p.name, err)
		}
		specs = append(specs, s)
	}
	return specs, stop, nil
}

// machine describes the machine on which figures were measured.
func machine() string {
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		kernel = []byte("unknown")
	}
	return fmt.Sprintf("%d cores (%s), Linux %s, %s", runtime.NumCPU(), processor(), strings.TrimSpace(string(kernel)),
		runtime.Version())
}

func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
