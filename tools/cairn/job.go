package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

func newJob() *cobra.Command {
	cmd := noun("job", "Background work: repair, moves, scrub, garbage collection and so on", jobList(), jobShow(), jobRun(), jobPause(),
		jobResume())
	cmd.AddCommand(newJobWatch())
	return cmd
}

func jobList() verb {
	var all bool
	return verb{
		use: "list", short: "List the jobs of all nodes",
		long: `List the jobs that have work, are paused or have failed, with what they are for: a line
for each, over all nodes. With --all also those that are idle, a line for each node,
with when a round last ended there and when the next one begins. Jobs of the whole
cluster work on the node that leads the metadata.`,
		example: "  cairn job list\n  cairn job list --all",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().BoolVar(&all, "all", false, "also what is idle; a line for each job of each node")
		},
		run: func(ctx context.Context, c api, _ io.Reader, _ []string) (*answer, error) {
			a, err := c.ListJobs(ctx, &adminpb.ListJobsRequest{})
			return &answer{a, func(w io.Writer) { jobTable(w, a, all) }}, err
		},
	}
}

func jobShow() verb {
	return verb{
		use: "show JOB", short: "Show a job on each node",
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			a, err := c.ListJobs(ctx, &adminpb.ListJobsRequest{Name: args[0]})
			return &answer{a, func(w io.Writer) { showJob(w, a) }}, err
		},
	}
}

func jobRun() verb {
	var drive string
	return verb{
		use: "run JOB", short: "Begin a round of a job now",
		long: `Begin a round of a job now. That is for scrub: other jobs begin within seconds of there
being work. It verifies every shard of all drives, or of one, as fast as the setting
repair-rate allows and slower while clients are busy. cairn job watch scrub shows how
far it is; a round that was under way begins anew.`,
		example: "  cairn job run scrub\n  cairn job run scrub --drive 3fa9",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().StringVar(&drive, "drive", "", "id of the only drive, or the beginning of it (default: all drives)")
		},
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			a, err := c.RunJob(ctx, &adminpb.RunJobRequest{Name: args[0], Drive: drive})
			return &answer{a, func(w io.Writer) { showJob(w, a) }}, err
		},
	}
}

func jobPause() verb {
	return verb{
		use: "pause JOB", short: "Pause a job on all nodes",
		long: `Pause a job on all nodes until it is resumed, also after restarts. A round that runs
ends at its next step. Mind that what repair and rebuild would do is not done.`,
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			a, err := c.PauseJob(ctx, &adminpb.JobRef{Name: args[0]})
			return &answer{a, func(w io.Writer) { showJob(w, a) }}, err
		},
	}
}

func jobResume() verb {
	return verb{
		use: "resume JOB", short: "Resume a job that was paused",
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			a, err := c.ResumeJob(ctx, &adminpb.JobRef{Name: args[0]})
			return &answer{a, func(w io.Writer) { showJob(w, a) }}, err
		},
	}
}

func newJobWatch() *cobra.Command {
	var t target
	var output string
	var interval time.Duration
	v := verb{use: "watch [JOB]"}
	cmd := &cobra.Command{Use: v.use, Short: "Show the jobs again and again",
		Long: `Show the jobs, or one of them, again and again: in place on a terminal, in plain lines
elsewhere, until Ctrl-C.

` + exitHelp + ` Ctrl-C ends it with 0.`, Args: v.arguments,
		RunE: func(cmd *cobra.Command, args []string) error {
			draw, err := t.drawing(output, func(ctx context.Context, c api) (*answer, error) {
				a, err := c.ListJobs(ctx, &adminpb.ListJobsRequest{Name: argument(args, 0)})
				return &answer{a, func(w io.Writer) { jobTable(w, a, false) }}, err
			})
			if err != nil {
				return err
			}
			return every(cmd.Context(), cmd.OutOrStdout(), interval, draw)
		}}
	t.flags(cmd)
	cmd.ValidArgsFunction = t.completion(v.use)
	outputFlag(cmd, &output)
	cmd.Flags().DurationVar(&interval, "interval", time.Second, "pause between two looks")
	return cmd
}

// jobTable lists jobs that are not idle, a line for each over all nodes; if all is set, every job of
// every node.
func jobTable(w io.Writer, a *adminpb.Jobs, all bool) {
	if all {
		everyJob(w, a)
	} else {
		busyJobs(w, a)
	}
	if n := len(a.Silent); n > 0 {
		fmt.Fprintf(w, "\n%s did not answer: %s\n", plural(n, "node"), strings.Join(a.Silent, ", "))
	}
}

// busyJobs lists jobs that are not idle.
func busyJobs(w io.Writer, a *adminpb.Jobs) {
	idle := map[string]bool{}
	var names []string
	by := map[string][]*adminpb.Job{}
	for _, j := range a.Jobs {
		switch {
		case j.State == "idle":
			idle[j.Name] = true
			continue
		case by[j.Name] == nil:
			names = append(names, j.Name)
		}
		by[j.Name] = append(by[j.Name], j)
	}
	if len(names) > 0 {
		row(w, "JOB", "STATE", "ON", "PROGRESS", "LEFT", "WHAT")
	}
	for _, name := range names {
		delete(idle, name)
		summed, failed := sumJobs(by[name])
		if summed != nil {
			jobRow(w, summed)
		}
		for _, j := range failed {
			jobRow(w, j)
		}
	}
	if len(idle) > 0 {
		fmt.Fprintf(w, "%s idle (cairn job list --all)\n", plural(len(idle), "job"))
	}
}

// sumJobs returns one job that stands for those of all nodes and drives which have not failed, and
// those that have. It changes none of them. If all have failed, there is no sum (nil).
func sumJobs(jobs []*adminpb.Job) (sum *adminpb.Job, failed []*adminpb.Job) {
	nodes := map[string]bool{}
	for _, j := range jobs {
		if j.State == "failed" {
			failed = append(failed, j)
			continue
		}
		nodes[j.Node] = true
		if sum == nil {
			sum = proto.CloneOf(j)
			continue
		}
		if j.State == "running" {
			sum.State = j.State
		}
		sum.Done, sum.Total = sum.Done+j.Done, sum.Total+j.Total
		sum.DoneBytes, sum.TotalBytes = sum.DoneBytes+j.DoneBytes, sum.TotalBytes+j.TotalBytes
		sum.EtaSeconds = max(sum.EtaSeconds, j.EtaSeconds)
		if sum.Detail != j.Detail {
			sum.Detail = ""
		}
	}
	if len(nodes) > 1 {
		sum.Node = plural(len(nodes), "node")
	}
	return sum, failed
}

func jobRow(w io.Writer, j *adminpb.Job) {
	row(w, j.Name, j.State, j.Node, jobBar(j), jobLeft(j), jobWhat(j))
}

// jobWhat says what a job does just now, or why it does nothing; else what it is for.
func jobWhat(j *adminpb.Job) string {
	switch {
	case j.Error != "":
		return j.Error
	case j.PausedBy != "":
		return "paused by " + j.PausedBy + " at " + j.PausedAt
	case j.Detail != "":
		return j.Detail
	}
	return jobPurposes[j.Name]
}

// everyJob lists all jobs of all nodes.
func everyJob(w io.Writer, a *adminpb.Jobs) {
	row(w, "JOB", "NODE", "DRIVE", "STATE", "DONE", "LAST RUN", "NEXT RUN", "WHAT")
	for _, j := range a.Jobs {
		row(w, j.Name, j.Node, j.Drive, j.State, jobDone(j), j.Last, j.Next, jobWhat(j))
	}
}

// jobPurposes says what each job is for.
var jobPurposes = map[string]string{
	"abort":       "aborts uploads as lifecycle rules say",
	"access-logs": "delivers access logs of buckets",
	"adopt":       "brings shards to drives that should have them",
	"drain":       "empties draining drives",
	"drives":      "tells how full and how well drives are",
	"events":      "delivers event notifications",
	"garbage":     "deletes what nothing refers to any more",
	"inventory":   "compares drives with the metadata",
	"keys":        "deletes master keys whose time is over",
	"level":       "raises the feature level after upgrades",
	"lifecycle":   "expires and moves as lifecycle rules say",
	"lost":        "declares nodes lost that are down for long",
	"mark":        "takes over slots off lost drives",
	"move":        "copies slots that move here",
	"orphans":     "deletes shards that no metadata knows",
	"plan-moves":  "plans moves of slots",
	"rebalance":   "levels drives, nodes and zones",
	"rebuild":     "restores what lost drives held",
	"repair":      "makes missing shards anew",
	"report":      "records shards found bad or missing",
	"restore":     "makes warm copies of cold objects",
	"scrub":       "verifies every shard once in a while",
	"voters":      "chooses who votes on the metadata",
	"widen":       "re-encodes data of few nodes for more",
}

func jobBar(j *adminpb.Job) string {
	switch {
	case j.TotalBytes > 0:
		return bar(j.DoneBytes, j.TotalBytes) + " " + percent(j.DoneBytes, j.TotalBytes)
	case j.Total > 0:
		return bar(j.Done, j.Total) + " " + percent(j.Done, j.Total)
	}
	return ""
}

func jobDone(j *adminpb.Job) string {
	if j.Total == 0 {
		return ""
	}
	text := fmt.Sprintf("%d/%d", j.Done, j.Total)
	if j.TotalBytes > 0 {
		text += fmt.Sprintf(" (%s of %s)", humanize.IBytes(j.DoneBytes), humanize.IBytes(j.TotalBytes))
	}
	return text
}

func jobLeft(j *adminpb.Job) string {
	if j.EtaSeconds == 0 {
		return ""
	}
	return span(time.Duration(j.EtaSeconds) * time.Second)
}

func showJob(w io.Writer, a *adminpb.Jobs) {
	for i, j := range a.Jobs {
		if i > 0 {
			break
		}
		row(w, "job", j.Name)
		row(w, "purpose", jobPurposes[j.Name])
		if j.PausedBy != "" {
			row(w, "paused by", j.PausedBy)
			row(w, "paused at", j.PausedAt)
		}
		fmt.Fprintln(w)
	}
	aligned(w, func(w io.Writer) {
		row(w, "NODE", "DRIVE", "STATE", "PROGRESS", "DONE", "LEFT", "BEGAN", "LAST RUN", "NEXT RUN", "WHAT")
		for _, j := range a.Jobs {
			what := j.Detail
			if j.Error != "" {
				what = j.Error
			}
			row(w, j.Node, j.Drive, j.State, jobBar(j), jobDone(j), jobLeft(j), j.Began, j.Last, j.Next, what)
		}
	})
}
