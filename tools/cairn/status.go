package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
)

// statusDrives is how many drives `cairn status` lists; of more it shows those alone
// that are not well.
const statusDrives = 24

func newStatus() *cobra.Command {
	var t target
	var output string
	var watch time.Duration
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the cluster: health, nodes, drives, volumes, jobs",
		Long: `Show the cluster on one screen: health, nodes by zone, drives, volumes, what is
being repaired or moved, and what to do about what is not well.

With --watch it is shown again and again, in place on a terminal, until Ctrl-C.

Exit status: 0 shown, 1 refused, 2 wrong usage, 5 the endpoint or the cluster's
metadata cannot be reached.`,
		Example: "  cairn status --watch\n  cairn status -o json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			draw, err := t.drawing(output, func(ctx context.Context, c api) (*answer, error) {
				s, err := c.Status(ctx, &adminpb.StatusRequest{})
				return &answer{s, func(w io.Writer) { printStatus(w, t.Endpoint, s) }}, err
			})
			if err != nil {
				return err
			}
			if watch > 0 {
				return every(cmd.Context(), cmd.OutOrStdout(), watch, draw)
			}
			return draw(cmd.Context(), cmd.OutOrStdout())
		},
	}
	t.flags(cmd)
	outputFlag(cmd, &output)
	watchFlag(cmd, &watch)
	return cmd
}

// watchFlag registers --watch.
func watchFlag(cmd *cobra.Command, watch *time.Duration) {
	cmd.Flags().DurationVar(watch, "watch", 0, "show it again and again, so often (--watch alone: every 2s)")
	cmd.Flags().Lookup("watch").NoOptDefVal = "2s"
}

// drawing returns a function that asks the cluster and writes the answer.
func (t *target) drawing(output string, ask func(context.Context, api) (*answer, error)) (func(context.Context, io.Writer) error, error) {
	if err := checkOutput(output); err != nil {
		return nil, err
	}
	if err := t.resolve(); err != nil {
		return nil, err
	}
	c, err := t.client()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, out io.Writer) error {
		ctx, cancel := withTimeout(ctx)
		defer cancel()
		a, err := ask(ctx, c)
		switch {
		case err != nil:
			return t.adminError(err)
		case output == outputJSON:
			return printMessage(out, a.message)
		}
		return printTable(out, a.table)
	}, nil
}

func printStatus(w io.Writer, endpoint string, s *adminpb.StatusResponse) {
	row(w, "cluster", fmt.Sprintf("%s, cairn %s, as %s tells", s.ClusterId, s.Version, endpoint))
	row(w, "health", fmt.Sprintf("%s: %s", strings.ToUpper(s.Health), s.HealthReason))
	leader := s.Leader
	if leader == "" {
		leader = "none"
	}
	row(w, "metadata", fmt.Sprintf("leader %s (term %d, commit %d), %d of %d voters alive", leader, s.Term, s.CommitIndex, s.VotersAlive, s.Voters))
	row(w, "space", fmt.Sprintf("%s %s used, %s free of %s", bar(s.CapacityBytes-s.FreeBytes, s.CapacityBytes),
		humanize.IBytes(s.UsedBytes), humanize.IBytes(s.FreeBytes), humanize.IBytes(s.CapacityBytes)))
	row(w, "room", fmt.Sprintf("about %s more can be stored (%s)", humanize.IBytes(s.StorableBytes), s.StorableScheme))
	if s.Tolerance != nil {
		row(w, "tolerance", s.Tolerance.Text)
	}
	row(w, "data", fmt.Sprintf("%s; %s; %s kept for readers, %d being deleted", counted(s.Buckets, "bucket", "buckets"), repairLine(s),
		counted(s.ExtentsGc, "extent", "extents"), s.ExtentsDoomed))
	if n := coldest(s.Nodes); n != nil {
		row(w, "cache", fmt.Sprintf("%s (node %s, the lowest)", cacheLine(n.BlockCache), n.Id))
	}
	for _, warning := range s.Warnings {
		fmt.Fprintf(w, "\n! %s", warning)
	}
	if len(s.Warnings) > 0 {
		fmt.Fprintln(w)
	}
	// What may be long comes last: a terminal may have too few lines.
	var sections []func(io.Writer)
	if len(s.Volumes) > 0 {
		sections = append(sections, func(w io.Writer) { volumeCounts(w, s.Volumes) })
	}
	if len(s.Jobs) > 0 {
		sections = append(sections, func(w io.Writer) { jobTable(w, &adminpb.Jobs{Jobs: s.Jobs}, false) })
	}
	sections = append(sections, func(w io.Writer) { nodeTable(w, s.Nodes) }, func(w io.Writer) { statusDriveTable(w, s.Nodes) })
	for _, section := range sections {
		fmt.Fprintln(w)
		aligned(w, section)
	}
}

// aligned writes a table whose columns are its own.
func aligned(w io.Writer, table func(io.Writer)) {
	if tw, ok := w.(*tabwriter.Writer); ok {
		_ = tw.Flush() // A failure comes back at the last Flush.
	}
	table(w)
	if tw, ok := w.(*tabwriter.Writer); ok {
		_ = tw.Flush()
	}
}

// coldest returns the node whose block cache has missed most of what it was asked for; nil
// where no node has told.
func coldest(nodes []*adminpb.NodeStatus) (worst *adminpb.NodeStatus) {
	found := func(c *adminpb.BlockCache) float64 {
		if c.Hits+c.Misses == 0 {
			return 1 // It has missed nothing.
		}
		return float64(c.Hits) / float64(c.Hits+c.Misses)
	}
	for _, n := range nodes {
		if n.BlockCache != nil && (worst == nil || found(n.BlockCache) < found(worst.BlockCache)) {
			worst = n
		}
	}
	return worst
}

func nodeTable(w io.Writer, nodes []*adminpb.NodeStatus) {
	row(w, "ZONE", "NODE", "STATE", "ROLE", "VERSION", "UP", "S3", "DRIVES", "SPACE", "USED", "FREE", "SHARDS")
	for _, n := range nodes {
		var used, free, capacity, shards uint64
		for _, d := range n.Drives {
			used, free, capacity, shards = used+d.UsedBytes, free+d.FreeBytes, capacity+d.CapacityBytes, shards+d.Shards
		}
		space := bar(capacity-free, capacity)
		if !n.Answered {
			space = ""
		}
		row(w, n.Zone, n.Id, nodeState(n), role(n), n.Version, uptime(n), n.S3Addr, len(n.Drives), space,
			humanize.IBytes(used), humanize.IBytes(free), shards)
	}
}

// nodeState is the word for how a node is.
func nodeState(n *adminpb.NodeStatus) string {
	state := n.State
	if n.State == "alive" && !n.Answered {
		state = "silent"
	}
	if n.Life != "" && n.Life != "active" {
		state += ", " + n.Life
	}
	return state
}

func uptime(n *adminpb.NodeStatus) string {
	if !n.Answered {
		return ""
	}
	return span(time.Duration(n.UptimeSeconds) * time.Second)
}

func role(n *adminpb.NodeStatus) string {
	switch {
	case n.Leader:
		return "leader"
	case n.Voter:
		return "voter"
	}
	return "client"
}

// statusDriveTable lists the drives, or where there are many those that are not well.
func statusDriveTable(w io.Writer, nodes []*adminpb.NodeStatus) {
	var all, sick []*adminpb.DriveStatus
	for _, n := range nodes {
		for _, d := range n.Drives {
			all = append(all, d)
			if d.State != "ok" {
				sick = append(sick, d)
			}
		}
	}
	if len(all) <= statusDrives {
		driveTable(w, all)
		return
	}
	fmt.Fprintf(w, "%d drives, %d of them in use and well (cairn drive list has them all)\n", len(all), len(all)-len(sick))
	if len(sick) > 0 {
		driveTable(w, sick)
	}
}

func driveTable(w io.Writer, drives []*adminpb.DriveStatus) {
	row(w, "DRIVE", "NODE", "ZONE", "STATE", "SPACE", "USED", "FREE", "SHARDS", "SLOTS")
	for _, d := range drives {
		space := bar(d.CapacityBytes-d.FreeBytes, d.CapacityBytes)
		if d.State == "unknown" {
			space = ""
		}
		row(w, d.Id, d.Node, d.Zone, d.State, space, humanize.IBytes(d.UsedBytes), humanize.IBytes(d.FreeBytes), d.Shards, d.Slots)
	}
}

func volumeCounts(w io.Writer, counts []*adminpb.VolumeCount) {
	row(w, "SCHEME", "VOLUMES", "WHOLE", "MOVING", "REBUILDING", "DEGRADED", "ENDANGERED", "UNREADABLE")
	for _, v := range counts {
		row(w, v.Scheme, v.Volumes, v.Whole, v.Moving, v.Rebuilding, v.Degraded, v.Endangered, v.Unreadable)
	}
}

func repairLine(s *adminpb.StatusResponse) string {
	line := fmt.Sprintf("%d extents lack a shard", s.ExtentsMissing)
	switch s.ExtentsMissing {
	case 0:
		line = "all shards there"
	case 1:
		line = "1 extent lacks a shard"
	}
	if s.ExtentsUnreadable > 0 {
		line += fmt.Sprintf("; %d CANNOT BE READ (%s)", s.ExtentsUnreadable, humanize.IBytes(s.BytesUnreadable))
	}
	return line
}

// counted is a count and the word for one or for many.
func counted[T ~int | ~int32 | ~int64 | ~uint32 | ~uint64](n T, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func orDash(s string) string {
	if strings.TrimSpace(s) == "" {
		return "-"
	}
	return s
}
