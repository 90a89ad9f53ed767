package admin

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// Entries is the directory, in which paused jobs are recorded. iam.Directory implements it.
type Entries interface {
	Refresh(ctx context.Context) error
	Get(kind metapb.EntryKind, name string) *metapb.Entry
	Write(ctx context.Context, checks []*metapb.EntryCheck, put []*metapb.Entry, remove []*metapb.EntryName) error
}

// The states of jobs, as node/upkeep tells them.
const (
	jobIdle   = "idle"
	jobFailed = "failed"
	jobPaused = "paused"
)

// ListJobs implements AdminService.
func (s *service) ListJobs(ctx context.Context, r *adminpb.ListJobsRequest) (*adminpb.Jobs, error) {
	p, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.c.Entries.Refresh(ctx); err != nil {
		return nil, err
	}
	out := s.jobs(p, r.Name)
	if r.Name != "" && len(out.Jobs) == 0 {
		return nil, errs.Newf("admin.ListJobs", errs.NotFound, "no node has a job %q; `cairn job list --all` has them", r.Name)
	}
	return out, nil
}

// jobs returns the jobs of all nodes that answer; where a name is given, only those of that name.
func (s *service) jobs(p *picture, name string) *adminpb.Jobs {
	out := &adminpb.Jobs{}
	for id, r := range p.reports {
		if r.NodeReport == nil {
			out.Silent = append(out.Silent, id.String())
			continue
		}
		for _, j := range r.Jobs {
			if name != "" && j.Name != name {
				continue
			}
			j.Node = id.String()
			if by := s.paused(j.Name); by != nil {
				j.PausedBy, j.PausedAt = by.By, stamp(by.AtMs)
				if j.State == jobIdle {
					j.State = jobPaused // The node learns of it within a second.
				}
			}
			out.Jobs = append(out.Jobs, j)
		}
	}
	slices.Sort(out.Silent)
	slices.SortFunc(out.Jobs, func(a, b *adminpb.Job) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Node, b.Node), strings.Compare(a.Drive, b.Drive))
	})
	return out
}

// paused returns who has paused a job, and when; nil where nobody has.
func (s *service) paused(name string) *metapb.PausedJob {
	e := s.c.Entries.Get(metapb.EntryKind_ENTRY_PAUSED_JOB, name)
	var by metapb.PausedJob
	if e == nil || proto.Unmarshal(e.Value, &by) != nil {
		return nil
	}
	return &by
}

// PauseJob implements AdminService.
func (s *service) PauseJob(ctx context.Context, r *adminpb.JobRef) (*adminpb.Jobs, error) {
	if _, err := s.named(ctx, r.Name); err != nil {
		return nil, err
	}
	value, err := proto.Marshal(&metapb.PausedJob{By: caller(ctx).ARN(), AtMs: time.Now().UnixMilli()})
	if err != nil {
		return nil, errs.New("admin.PauseJob", errs.Internal, err)
	}
	if s.paused(r.Name) == nil {
		err = s.c.Entries.Write(ctx, nil, []*metapb.Entry{{Kind: metapb.EntryKind_ENTRY_PAUSED_JOB, Name: r.Name, Value: value}}, nil)
	}
	if err != nil {
		return nil, err
	}
	return s.ListJobs(ctx, &adminpb.ListJobsRequest{Name: r.Name})
}

// ResumeJob implements AdminService.
func (s *service) ResumeJob(ctx context.Context, r *adminpb.JobRef) (*adminpb.Jobs, error) {
	if _, err := s.named(ctx, r.Name); err != nil {
		return nil, err
	}
	err := s.c.Entries.Write(ctx, nil, nil, []*metapb.EntryName{{Kind: metapb.EntryKind_ENTRY_PAUSED_JOB, Name: r.Name}})
	if err != nil {
		return nil, err
	}
	return s.ListJobs(ctx, &adminpb.ListJobsRequest{Name: r.Name})
}

// jobScrub is the job that can be run now: all others do not wait for long.
const jobScrub = "scrub"

// RunJob implements AdminService.
func (s *service) RunJob(ctx context.Context, r *adminpb.RunJobRequest) (*adminpb.Jobs, error) {
	const op = "admin.RunJob"
	if _, err := s.named(ctx, r.Name); err != nil {
		return nil, err
	}
	if r.Name != jobScrub {
		return nil, errs.Newf(op, errs.Invalid, "only scrub can be run now: the job %s begins a round within seconds "+
			"of there being work", r.Name)
	}
	if by := s.paused(r.Name); by != nil {
		return nil, errs.Newf(op, errs.Precondition, "the job %s is paused by %s: `cairn job resume %s` first", r.Name,
			by.By, r.Name)
	}
	topo, _, err := s.topology(ctx)
	if err != nil {
		return nil, err
	}
	nodes, err := chosen(topo, "")
	if err != nil {
		return nil, err
	}
	whole := ""
	if r.Drive != "" {
		n, d, err := findDrive(topo, r.Drive)
		if err != nil {
			return nil, err
		}
		nodes, whole = []*cluster.Node{n}, d.ID.String()
	}
	for _, a := range ask(ctx, s, nodes, func(ctx context.Context, p Peer) (*adminpb.RunJobResponse, error) {
		return p.Run(ctx, &adminpb.RunJobRequest{Name: r.Name, Drive: whole})
	}) {
		if why := a.why(); why != "" && r.Drive != "" {
			return nil, errs.Newf(op, errs.Unavailable, "node %s cannot be asked: %s", a.node.ID, why)
		}
	}
	return s.ListJobs(ctx, &adminpb.ListJobsRequest{Name: r.Name})
}

// named returns the jobs of a name. Errors: NotFound where no node has such a job.
func (s *service) named(ctx context.Context, name string) (*adminpb.Jobs, error) {
	if err := named("job", name); err != nil {
		return nil, err
	}
	return s.ListJobs(ctx, &adminpb.ListJobsRequest{Name: name})
}

// checkJobs finds jobs whose last round has failed, and jobs that are paused.
func (p *picture) checkJobs() (out []finding) {
	paused := map[string]bool{}
	for _, id := range p.order() {
		for _, j := range p.reports[id].GetJobs() {
			switch {
			case j.State == jobPaused:
				paused[j.Name] = true
			case j.State == jobFailed:
				out = append(out, finding{warning, "the job " + j.Name + " failed on node " + id.String() + ": " + j.Error,
					"it is tried again; see the node's log"})
			}
		}
	}
	names := make([]string, 0, len(paused))
	for name := range paused {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		out = append(out, finding{warning, "the job " + name + " is paused", "`cairn job resume " + name + "`"})
	}
	return out
}
