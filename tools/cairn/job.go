package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

func newJob() *cobra.Command {
	cmd := noun("job", "Background work: repair, moves, scrub, garbage collection and so on", jobList(), jobShow(), jobPause(), jobResume())
	cmd.AddCommand(newJobWatch())
	return cmd
}

func jobList() verb {
	var all bool
	return verb{
		use: "list", short: "List the jobs of all nodes",
		long: `List the jobs of all nodes. Those of the whole cluster work on the node that leads the
metadata. What is idle on every node is one line, unless --all is given.`,
		flags: func(cmd *cobra.Command) {
			cmd.Flags().BoolVar(&all, "all", false, "a line for each job of each node")
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
	outputFlag(cmd, &output)
	cmd.Flags().DurationVar(&interval, "interval", time.Second, "pause between two looks")
	return cmd
}

// jobTable lists jobs; those that are idle on every node as one line, unless all is
// asked for.
func jobTable(w io.Writer, a *adminpb.Jobs, all bool) {
	row(w, "JOB", "NODE", "STATE", "PROGRESS", "DONE", "LEFT", "WHAT")
	busy := map[string]bool{}
	for _, j := range a.Jobs {
		busy[j.Name] = busy[j.Name] || j.State != "idle"
	}
	told := map[string]bool{}
	for _, j := range a.Jobs {
		switch {
		case all || j.State != "idle" && (j.State != "paused" || !told[j.Name]):
			jobRow(w, j)
		case !busy[j.Name] && !told[j.Name]:
			row(w, j.Name, "", "idle", "", "", "", "")
		}
		told[j.Name] = true
	}
	for _, node := range a.Silent {
		row(w, "", node, "silent", "", "", "", "the node does not answer")
	}
}

func jobRow(w io.Writer, j *adminpb.Job) {
	node, what := j.Node, j.Detail
	if j.PausedBy != "" {
		node, what = "", "paused by "+j.PausedBy+" at "+j.PausedAt
	}
	if j.Error != "" {
		what = j.Error
	}
	row(w, j.Name, node, j.State, jobBar(j), jobDone(j), jobLeft(j), what)
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
		if i == 0 && j.PausedBy != "" {
			row(w, "job", j.Name)
			row(w, "paused by", j.PausedBy)
			row(w, "paused at", j.PausedAt)
			fmt.Fprintln(w)
		}
	}
	aligned(w, func(w io.Writer) {
		row(w, "JOB", "NODE", "STATE", "BEGAN", "PROGRESS", "DONE", "LEFT", "WHAT")
		for _, j := range a.Jobs {
			what := j.Detail
			if j.Error != "" {
				what = j.Error
			}
			row(w, j.Name, j.Node, j.State, j.Began, jobBar(j), jobDone(j), jobLeft(j), what)
		}
	})
}
