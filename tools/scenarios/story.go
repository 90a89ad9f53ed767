package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/cairnstore/cairn/tools/load"
	"github.com/cairnstore/cairn/tools/testbed"
)

const bucket = "scenarios"

// story is a cluster, the clients that work on it, and what they have seen so far.
type story struct {
	plan
	bed      *testbed.Cluster
	load     *load.Load
	config   load.Config
	recorder *load.Recorder
	report   *report
	gone     map[*testbed.Node]bool // Nodes that were drained or lost, and do not come back.
	skip     *regexp.Regexp
}

func newStory(o options, p plan) (*story, error) {
	skip, err := regexp.Compile(o.skip)
	if err != nil {
		return nil, fmt.Errorf("-skip: %w", err)
	}
	bed, err := testbed.New(testbed.Options{Bin: o.bin, Dir: o.dir, Expect: p.Begin, Flags: serverFlags})
	if err != nil {
		return nil, err
	}
	rec := &load.Recorder{}
	return &story{plan: p, bed: bed, recorder: rec, skip: skip, gone: map[*testbed.Node]bool{},
		report: &report{Seed: o.seed, Plan: p},
		config: load.Config{Endpoint: testbed.BalancedURL, HTTP: bed.Balanced(dialTimeout), Access: testbed.RootUser,
			Secret: testbed.RootPassword, Bucket: bucket, Seed: o.seed, Clients: p.Clients, MaxObject: p.MaxObject,
			PartBytes: partBytes, KeptBytes: p.KeptBytes, Pause: p.Pause, OpTimeout: opTimeout, Recorder: rec}}, nil
}

// phase is a chapter: what is done to the cluster while clients work.
type phase struct {
	name string
	run  func(context.Context, *measure) error
}

// tell runs the story. The report has what was seen, even if tell returns an error.
func (s *story) tell(ctx context.Context) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	err := s.phases(ctx)
	s.load.Stop()
	s.recorder.End()
	s.report.see(s.recorder)
	if err != nil {
		return err
	}
	if err := s.end(ctx); err != nil {
		return err
	}
	return s.report.verdict()
}

// begin forms the cluster and lets the clients begin their work.
func (s *story) begin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.StepTimeout)
	defer cancel()
	if _, err := s.bed.Start(ctx, s.Begin); err != nil {
		return fmt.Errorf("form a cluster of %d: %w", s.Begin, err)
	}
	if _, err := s.config.SDK().CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		return fmt.Errorf("create a bucket: %w", err)
	}
	s.recorder.Begin("start")
	s.load = load.Start(s.config)
	return nil
}

func (s *story) phases(ctx context.Context) error {
	list := []phase{
		{fmt.Sprintf("%d nodes", s.Begin), s.hold},
		{fmt.Sprintf("grow to %d", s.Middle), s.growTo(s.Middle)},
		{fmt.Sprintf("grow to %d", s.Full), s.growTo(s.Full)},
		{fmt.Sprintf("drain %d", s.Drained), s.drain},
		{fmt.Sprintf("lose %d", s.Lost), s.lose},
		{"rolling restart", s.rollingRestart},
		{"leader kills", s.killLeaders},
		{"afterwards", s.hold},
	}
	for _, p := range list {
		if p.name == "grow to 0" || s.skip.MatchString(p.name) {
			continue
		}
		if err := s.phase(ctx, p); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// phase runs one chapter and measures what it cost the nodes.
func (s *story) phase(ctx context.Context, p phase) error {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format(time.TimeOnly), p.name)
	ctx, cancel := context.WithTimeout(ctx, s.StepTimeout)
	defer cancel()
	s.recorder.Begin(p.name)
	m := s.measure(ctx, p.name)
	err := p.run(ctx, m)
	s.report.Costs = append(s.report.Costs, m.end(ctx))
	return err
}

// end checks everything that was acknowledged, and that by the metadata's count redundancy is full.
func (s *story) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.StepTimeout)
	defer cancel()
	began := time.Now()
	waited := s.bed.WaitSettled(ctx)
	s.report.SettledSeconds = time.Since(began).Seconds()
	if waited != nil {
		s.report.Redundancy = waited.Error()
	}
	checked, err := s.load.Check(ctx)
	s.report.Checked = checked
	if s.Idle > 0 && waited == nil && err == nil {
		s.report.Idle, err = s.idle(ctx)
	}
	return errors.Join(waited, err)
}

// hold leaves the cluster alone for a while, so that the clients work on a whole one.
func (s *story) hold(ctx context.Context, _ *measure) error { return s.watch(ctx, s.Hold) }

func (s *story) watch(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// members returns the nodes that run, without those that do not belong to the cluster any more.
func (s *story) members() (out []*testbed.Node) {
	for _, n := range s.bed.Up() {
		if !s.gone[n] {
			out = append(out, n)
		}
	}
	return out
}
