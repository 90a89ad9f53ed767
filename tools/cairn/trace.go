package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// traceOptions are the flags of `cairn trace`.
type traceOptions struct {
	target
	r           adminpb.TraceRequest
	statuses    []uint
	minDuration time.Duration
	duration    time.Duration
	output      string
}

func newTrace() *cobra.Command {
	var o traceOptions
	cmd := &cobra.Command{
		Use:   "trace",
		Short: "Show requests of all nodes while they are answered",
		Long: `Show requests of all nodes while they are answered, one a line, until Ctrl-C or for
as long as --for says. All filters have to fit. -o json prints a JSON object a line.

Nodes do not wait for whoever watches: where too many requests come, some are left
out, and a line says how many.

` + exitHelp + ` Ctrl-C ends it with 0.`,
		Example: "  cairn trace --op Put* --bucket photos\n  cairn trace --errors --min-duration 100ms -o json",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	o.flags(cmd)
	outputFlag(cmd, &o.output)
	fs := cmd.Flags()
	fs.StringVar(&o.r.Node, "node", "", "requests of this node alone (default: of all nodes)")
	fs.StringSliceVar(&o.r.Operations, "op", nil, "operations, comma separated; * at the end stands for any rest (default: all)")
	fs.StringVar(&o.r.Bucket, "bucket", "", "requests to this bucket alone (default: all)")
	fs.UintSliceVar(&o.statuses, "status", nil, "statuses, as 404; 4 and 5 are all of 400 to 499 and 500 to 599 (default: all)")
	fs.BoolVar(&o.r.Errors, "errors", false, "failed requests alone")
	fs.DurationVar(&o.minDuration, "min-duration", 0, "requests that took as long at least")
	fs.BoolVar(&o.r.Internal, "internal", false, "requests between nodes too")
	fs.DurationVar(&o.duration, "for", 0, "how long (0: until Ctrl-C)")
	return cmd
}

func (o *traceOptions) run(ctx context.Context, out io.Writer) error {
	if err := checkOutput(o.output); err != nil {
		return err
	}
	if err := o.resolve(); err != nil {
		return err
	}
	for _, s := range o.statuses {
		o.r.Statuses = append(o.r.Statuses, uint32(s))
	}
	o.r.MinDurationMs = uint32(o.minDuration.Milliseconds())
	c, err := o.streams()
	if err != nil {
		return err
	}
	if o.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.duration)
		defer cancel()
	}
	stream, err := c.Trace(ctx, &o.r)
	if err == nil {
		for first := true; err == nil && stream.Receive(); first = false {
			if first && o.output == outputTable {
				err = printEvent(out, traceHeader)
			}
			err = errors.Join(err, o.print(out, stream.Msg()))
		}
		err = errors.Join(err, stream.Err())
		_ = stream.Close()
	}
	if err == nil || ctx.Err() != nil {
		return nil
	}
	return o.adminError(err)
}

func (o *traceOptions) print(out io.Writer, e *adminpb.TraceEvent) error {
	if o.output == outputJSON {
		text, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(e)
		if err != nil {
			return err
		}
		var line strings.Builder
		enc := json.NewEncoder(&line)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(json.RawMessage(text)); err != nil {
			return err
		}
		_, err = io.WriteString(out, line.String())
		return err
	}
	switch {
	case e.LostNode != "":
		_, err := fmt.Fprintf(os.Stderr, "cairn: node %s is not watched any more: %s\n", e.LostNode, e.Cause)
		return err
	case e.Dropped > 0:
		_, err := fmt.Fprintf(os.Stderr, "cairn: %s of node %s not shown: too many at once\n",
			counted(e.Dropped, "request", "requests"), e.Node)
		return err
	}
	return printEvent(out, eventColumns(e))
}

// traceHeader and eventColumns are the columns of a line.
var traceHeader = []string{"TIME", "NODE", "STATUS", "TOOK", "IN", "OUT", "CLIENT", "OPERATION", "WHO", "WHAT"}

func eventColumns(e *adminpb.TraceEvent) []string {
	at := e.Time
	if t, err := time.Parse(time.RFC3339Nano, e.Time); err == nil {
		at = t.Local().Format("15:04:05.000")
	}
	what := e.Bucket
	if e.Key != "" {
		what += "/" + e.Key
	}
	if e.Code != "" || e.Cause != "" {
		what += "  " + strings.TrimSpace(e.Code+" "+e.Cause)
	}
	status := fmt.Sprint(e.Status)
	if e.Aborted {
		status += "!"
	}
	who := e.Account
	if e.User != "" {
		who += "/" + e.User
	}
	return []string{at, e.Node, status, took(e.DurationUs), humanize.IBytes(e.BytesIn), humanize.IBytes(e.BytesOut), e.Remote, e.Operation, orDash(who), orDash(what)}
}

// took is a duration in three digits.
func took(us uint64) string {
	d := time.Duration(us) * time.Microsecond
	switch {
	case d < time.Millisecond:
		return d.String()
	case d < time.Second:
		return fmt.Sprintf("%.3gms", float64(us)/1e3)
	}
	return fmt.Sprintf("%.3gs", float64(us)/1e6)
}

// printEvent prints a line whose columns stand below each other; what is longer than
// usual moves the rest.
func printEvent(out io.Writer, columns []string) error {
	widths := []int{12, 16, 6, 8, 8, 8, 15, 24, 16, 0}
	var b strings.Builder
	for i, c := range columns {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%-*s", widths[i], printable(c))
	}
	_, err := fmt.Fprintln(out, strings.TrimRight(b.String(), " "))
	return err
}

// printable keeps what a client named from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}
