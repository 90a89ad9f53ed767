package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// topOptions are the flags of `cairn top`.
type topOptions struct {
	target
	node     string
	interval time.Duration
	once     bool
	output   string
}

func newTop() *cobra.Command {
	var o topOptions
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Show what the cluster is doing: operations, bytes, latencies",
		Long: `Show what the cluster is doing, by operation, node and drive: rates and latencies of
the last interval, in place on a terminal, until Ctrl-C. --once shows one interval.
Percentiles are as exact as the buckets of the metric cairn_s3_request_duration_seconds.
-o json prints a JSON object for each interval, on one line.

` + exitHelp + ` Ctrl-C ends it with 0.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	o.flags(cmd)
	outputFlag(cmd, &o.output)
	fs := cmd.Flags()
	fs.StringVar(&o.node, "node", "", "this node alone (default: all nodes)")
	fs.DurationVar(&o.interval, "interval", 2*time.Second, "length of an interval")
	fs.BoolVar(&o.once, "once", false, "show one interval and end")
	return cmd
}

// leastInterval keeps nodes from being asked all the time.
const leastInterval = 100 * time.Millisecond

func (o *topOptions) run(ctx context.Context, out io.Writer) error {
	if o.interval < leastInterval {
		return &statusError{exitUsage, fmt.Errorf("--interval %s is shorter than %s", o.interval, leastInterval)}
	}
	var before *adminpb.Loads
	show := func(w io.Writer, now *adminpb.Loads) error {
		a := compare(before, now)
		before = now
		if o.output == outputJSON {
			return json.NewEncoder(w).Encode(a)
		}
		return printTable(w, a.table)
	}
	if err := checkOutput(o.output); err != nil {
		return err
	}
	if err := o.resolve(); err != nil {
		return err
	}
	c, err := o.client()
	if err != nil {
		return err
	}
	load := func(ctx context.Context) (*adminpb.Loads, error) {
		ctx, cancel := withTimeout(ctx)
		defer cancel()
		l, err := c.ListLoad(ctx, &adminpb.ListLoadRequest{Node: o.node})
		if err != nil {
			return nil, o.adminError(err)
		}
		return l, nil
	}
	if before, err = load(ctx); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(o.interval):
	}
	draw := func(ctx context.Context, w io.Writer) error {
		now, err := load(ctx)
		if err != nil {
			return err
		}
		return show(w, now)
	}
	if o.once {
		return draw(ctx, out)
	}
	return every(ctx, out, o.interval, draw)
}

// activity is what was done between two loads. Its JSON is a promise, as that of the
// API's messages is.
type activity struct {
	Time       string          `json:"time"`
	Nodes      []nodeActivity  `json:"nodes"`
	Operations []opActivity    `json:"operations"`
	Drives     []driveActivity `json:"drives"`
}

type nodeActivity struct {
	Node     string  `json:"node"`
	S3Addr   string  `json:"s3_addr"`
	Error    string  `json:"error"`
	Requests float64 `json:"requests_per_second"`
	Failed   float64 `json:"server_errors_per_second"`
	BytesIn  float64 `json:"bytes_in_per_second"`
	BytesOut float64 `json:"bytes_out_per_second"`
	MeanMS   float64 `json:"mean_ms"`
	P50MS    float64 `json:"p50_ms"`
	P99MS    float64 `json:"p99_ms"`
	Rejected float64 `json:"rejected_per_second"`
}

type opActivity struct {
	Operation string  `json:"operation"`
	Requests  float64 `json:"requests_per_second"`
	Refused   float64 `json:"client_errors_per_second"`
	Failed    float64 `json:"server_errors_per_second"`
	MeanMS    float64 `json:"mean_ms"`
	P50MS     float64 `json:"p50_ms"`
	P90MS     float64 `json:"p90_ms"`
	P99MS     float64 `json:"p99_ms"`
}

type driveActivity struct {
	Node   string  `json:"node"`
	Drive  string  `json:"drive"`
	Syncs  float64 `json:"syncs_per_second"`
	Shards float64 `json:"shards_per_second"`
	MeanMS float64 `json:"mean_sync_ms"`
}

// compare returns what was done between two loads. A node that was restarted between
// them, or is new, is counted from its start.
func compare(before, now *adminpb.Loads) *activity {
	a := &activity{Time: time.Now().UTC().Format(time.RFC3339), Nodes: []nodeActivity{}, Operations: []opActivity{}, Drives: []driveActivity{}}
	ops := map[string]*latencies{}
	for _, n := range now.Nodes {
		i := slices.IndexFunc(before.Nodes, func(b *adminpb.NodeLoad) bool { return b.Node == n.Node })
		if n.Error != "" || i < 0 || before.Nodes[i].Error != "" {
			a.Nodes = append(a.Nodes, nodeActivity{Node: n.Node, S3Addr: n.S3Addr, Error: n.Error})
			continue
		}
		a.node(before.Nodes[i], n, ops)
	}
	for name, l := range ops {
		if l.requests == 0 {
			continue
		}
		a.Operations = append(a.Operations, opActivity{Operation: name, Requests: l.perSecond(l.requests), Refused: l.perSecond(l.refused),
			Failed: l.perSecond(l.failed), MeanMS: l.mean(), P50MS: l.quantile(0.5), P90MS: l.quantile(0.9), P99MS: l.quantile(0.99)})
	}
	slices.SortFunc(a.Operations, func(x, y opActivity) int { return strings.Compare(x.Operation, y.Operation) })
	return a
}

// node adds what a node did between two loads.
func (a *activity) node(before, now *adminpb.NodeLoad, ops map[string]*latencies) {
	seconds := float64(now.TakenUs-before.TakenUs) / 1e6
	if seconds <= 0 {
		return
	}
	if now.BytesIn < before.BytesIn || now.BytesOut < before.BytesOut {
		before = &adminpb.NodeLoad{} // It was restarted.
	}
	all := &latencies{seconds: seconds}
	for _, op := range now.Operations {
		var old *adminpb.OperationLoad
		if i := slices.IndexFunc(before.Operations, func(b *adminpb.OperationLoad) bool { return b.Operation == op.Operation }); i >= 0 {
			old = before.Operations[i]
		}
		if ops[op.Operation] == nil {
			ops[op.Operation] = &latencies{seconds: seconds}
		}
		all.add(old, op)
		ops[op.Operation].add(old, op)
	}
	rate := func(b, n uint64) float64 { return rounded(float64(n-b) / seconds) }
	a.Nodes = append(a.Nodes, nodeActivity{Node: now.Node, S3Addr: now.S3Addr, Requests: all.perSecond(all.requests), Failed: all.perSecond(all.failed),
		BytesIn: rate(before.BytesIn, now.BytesIn), BytesOut: rate(before.BytesOut, now.BytesOut), Rejected: rate(before.RequestsRejected, now.RequestsRejected),
		MeanMS: all.mean(), P50MS: all.quantile(0.5), P99MS: all.quantile(0.99)})
	for _, d := range now.Drives {
		old := &adminpb.DriveLoad{}
		if i := slices.IndexFunc(before.Drives, func(b *adminpb.DriveLoad) bool { return b.Drive == d.Drive }); i >= 0 {
			old = before.Drives[i]
		}
		da := driveActivity{Node: now.Node, Drive: d.Drive, Syncs: rate(old.Syncs, d.Syncs), Shards: rate(old.SyncedShards, d.SyncedShards)}
		if n := d.Syncs - old.Syncs; n > 0 {
			da.MeanMS = rounded(1e3 * (d.SyncSeconds - old.SyncSeconds) / float64(n))
		}
		a.Drives = append(a.Drives, da)
	}
}

// latencies are requests of an interval by how long they took.
type latencies struct {
	seconds                   float64 // Of the interval.
	requests, refused, failed uint64
	took                      float64 // All together, in seconds.
	ends                      []float64
	counts                    []uint64 // Cumulative.
}

// add adds what was done of an operation between two loads; before may be nil.
func (l *latencies) add(before, now *adminpb.OperationLoad) {
	if before == nil || before.Requests > now.Requests {
		before = &adminpb.OperationLoad{}
	}
	l.requests += now.Requests - before.Requests
	l.refused += now.ClientErrors - before.ClientErrors
	l.failed += now.ServerErrors - before.ServerErrors
	l.took += now.Seconds - before.Seconds
	for i, b := range now.Latency {
		n := b.Requests
		if i < len(before.Latency) {
			n -= before.Latency[i].Requests
		}
		if i == len(l.ends) {
			l.ends, l.counts = append(l.ends, b.LeSeconds), append(l.counts, 0)
		}
		l.counts[i] += n
	}
}

func (l *latencies) perSecond(n uint64) float64 { return rounded(float64(n) / l.seconds) }

// rounded leaves out what nobody reads.
func rounded(n float64) float64 { return math.Round(1e3*n) / 1e3 }

// mean is the mean latency in ms.
func (l *latencies) mean() float64 {
	if l.requests == 0 {
		return 0
	}
	return rounded(1e3 * l.took / float64(l.requests))
}

// quantile estimates the latency in ms that a share of the requests does not exceed:
// inside a bucket they are taken to be spread evenly.
func (l *latencies) quantile(share float64) float64 {
	if l.requests == 0 {
		return 0
	}
	rank := share * float64(l.requests)
	var below uint64
	var begin float64
	for i, n := range l.counts {
		if float64(n) >= rank && n > below {
			return rounded(1e3 * (begin + (l.ends[i]-begin)*(rank-float64(below))/float64(n-below)))
		}
		below, begin = n, l.ends[i]
	}
	return rounded(1e3 * begin) // Beyond the last bucket.
}

// table shows an activity.
func (a *activity) table(w io.Writer) {
	bytesRate := func(n float64) string { return humanize.IBytes(uint64(n)) + "/s" }
	row(w, "NODE", "S3", "REQ/S", "5XX/S", "IN", "OUT", "MEAN", "P50", "P99", "REJECTED/S")
	for _, n := range a.Nodes {
		if n.Error != "" {
			row(w, n.Node, n.S3Addr, n.Error)
			continue
		}
		row(w, n.Node, n.S3Addr, rate(n.Requests), rate(n.Failed), bytesRate(n.BytesIn), bytesRate(n.BytesOut), ms(n.MeanMS), ms(n.P50MS), ms(n.P99MS), rate(n.Rejected))
	}
	fmt.Fprintln(w)
	aligned(w, func(w io.Writer) {
		row(w, "OPERATION", "REQ/S", "4XX/S", "5XX/S", "MEAN", "P50", "P90", "P99")
		for _, o := range a.Operations {
			row(w, o.Operation, rate(o.Requests), rate(o.Refused), rate(o.Failed), ms(o.MeanMS), ms(o.P50MS), ms(o.P90MS), ms(o.P99MS))
		}
	})
	fmt.Fprintln(w)
	aligned(w, func(w io.Writer) {
		row(w, "DRIVE", "NODE", "SYNCS/S", "SHARDS/S", "MEAN SYNC")
		for _, d := range a.Drives {
			row(w, d.Drive, d.Node, rate(d.Syncs), rate(d.Shards), ms(d.MeanMS))
		}
	})
}

func rate(n float64) string { return fmt.Sprintf("%.1f", n) }

func ms(n float64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%.1fms", n)
}
