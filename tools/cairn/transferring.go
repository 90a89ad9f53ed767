package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cairnstore/cairn/tools/transfer"
)

// transferring is what commands that move objects have in common.
type transferring struct {
	sel      transfer.Selection
	o        transfer.Options
	partSize string
	metadata map[string]string
	tags     map[string]string
	dryRun   bool
	quiet    bool
	removes  bool // Nothing is copied.
	moves    bool
}

// rulesFlag adds --include or --exclude to the rules, in the order in which they are given.
type rulesFlag struct {
	rules   *transfer.Rules
	include bool
}

func (f rulesFlag) String() string { return "" }
func (f rulesFlag) Type() string   { return "pattern" }

// Set implements pflag.Value.
func (f rulesFlag) Set(pattern string) error {
	*f.rules = append(*f.rules, transfer.Rule{Include: f.include, Pattern: pattern})
	return nil
}

var _ pflag.Value = rulesFlag{}

// selecting registers the flags that say what is meant.
func (t *transferring) selecting(cmd *cobra.Command) {
	selectingOnly(cmd, &t.sel)
	fs := cmd.Flags()
	fs.BoolVar(&t.dryRun, "dry-run", false, "say what would be done, and do nothing")
	fs.BoolVarP(&t.quiet, "quiet", "q", false, "say only what failed")
}

// copying registers the flags of how objects are moved, and what they get.
func (t *transferring) copying(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.IntVar(&t.o.Parallel, "parallel", transfer.UsualParallel,
		"parts and small objects that are under way at once, up to 64")
	fs.StringVar(&t.partSize, "part-size", "16MiB", "size of parts")
	fs.BoolVar(&t.o.NoChecksum, "no-checksum", false, "send no CRC64NVME, for stores that do not know it")
	fs.StringVar(&t.o.Headers.ContentType, "content-type", "", "what the objects are (default: guessed from the name)")
	fs.StringVar(&t.o.Headers.CacheControl, "cache-control", "", "how long they may be cached (default: nothing is said)")
	fs.StringVar(&t.o.Headers.Class, "storage-class", "", "storage class (default: the bucket's)")
	fs.StringToStringVar(&t.metadata, "metadata", nil, "metadata, as name=value,… (default: none)")
	fs.StringToStringVar(&t.tags, "tags", nil, "tags, as key=value,… (default: none)")
}

const (
	partSizeMax = 5 << 30 // S3's limit.
	parallelMax = 64
)

// check reads what the flags say.
func (t *transferring) check() error {
	if t.o.Parallel < 1 || t.o.Parallel > parallelMax {
		return &statusError{exitUsage, fmt.Errorf("--parallel %d: between 1 and %d", t.o.Parallel, parallelMax)}
	}
	n, err := humanize.ParseBytes(t.partSize)
	if err != nil || n < 1 || n > partSizeMax {
		return &statusError{exitUsage, fmt.Errorf("--part-size %q: a size such as 64MiB, up to 5GiB", t.partSize)}
	}
	t.o.PartSize = int64(n)
	t.o.Headers.Metadata = t.metadata
	t.o.Headers.Tags = tagQuery(t.tags)
	t.o.StateDir = stateDir()
	return nil
}

// run does tasks, shows how far it is, and tells the outcome. Its error is that of the command.
func (t *transferring) run(ctx context.Context, c *call, tasks iter.Seq2[transfer.Task, error]) error {
	if t.dryRun {
		return t.show(ctx, c, tasks)
	}
	meter := transfer.NewMeter(time.Now)
	line := newMeterLine(c.notes, meter, t.quiet)
	t.o.Progress = meter
	e := transfer.New(c.store, t.o)
	defer e.Close()
	res, err := e.Run(ctx, tasks)
	line.close()
	return t.outcome(ctx, c, res, err)
}

// show writes what would be done.
func (t *transferring) show(ctx context.Context, c *call, tasks iter.Seq2[transfer.Task, error]) error {
	failed := 0
	for task, err := range tasks {
		var f *transfer.Failure
		switch {
		case errors.As(err, &f):
			failed++
			_, err = fmt.Fprintln(c.notes, f)
		case err == nil && task.Op != transfer.Skip:
			_, err = fmt.Fprintln(c.out, describe(task))
		}
		if err != nil {
			return err
		}
	}
	if failed > 0 {
		return &statusError{exitError, fmt.Errorf("%s cannot be done", plural(failed, "thing"))}
	}
	return ctx.Err()
}

// describe says what a task does.
func describe(t transfer.Task) string {
	to := t.To
	if to.Kind == transfer.Local && t.Rel != "" {
		to.Path = strings.TrimSuffix(to.Path, "/") + "/" + t.Rel
	}
	switch t.Op {
	case transfer.Delete:
		return "delete " + to.String()
	case transfer.Move:
		return "move " + t.From.String() + " to " + to.String()
	}
	return "copy " + t.From.String() + " to " + to.String()
}

// outcome tells what was done, and what failed.
func (t *transferring) outcome(ctx context.Context, c *call, res transfer.Result, err error) error {
	for _, f := range res.Failures {
		if _, err := fmt.Fprintln(c.notes, f); err != nil {
			return err
		}
	}
	if more := res.Failed + res.Skipped - int64(len(res.Failures)); res.Failed > int64(len(res.Failures)) {
		fmt.Fprintf(c.notes, "and %d more\n", more)
	}
	if !t.quiet {
		fmt.Fprintln(c.notes, t.doneLine(res))
	}
	switch {
	case ctx.Err() != nil && res.Kept > 0:
		return &statusError{exitInterrupted, fmt.Errorf("interrupted; the same command goes on, with %s begun",
			plural(int(res.Kept), "object"))}
	case ctx.Err() != nil:
		return &statusError{exitInterrupted, errors.New("interrupted; the same command does the rest")}
	case err != nil:
		return err
	case res.Failed == 1 && res.Copied+res.Deleted == 0 && len(res.Failures) == 1:
		// It is the one thing that was asked for, and is told above.
		status := exitError
		var own *statusError
		if errors.As(storeFailure(ctx, c.store, res.Failures[0]), &own) {
			status = own.status
		}
		return &statusError{status: status}
	case res.Failed > 0:
		again := ""
		if res.Kept > 0 {
			again = "; the same command goes on where it ended"
		}
		return &statusError{exitError, fmt.Errorf("%d of %d failed%s", res.Failed, res.Failed+res.Copied+res.Deleted, again)}
	}
	return nil
}

// doneLine says what was done.
func (t *transferring) doneLine(r transfer.Result) string {
	var words []string
	verb := "copied"
	if t.moves {
		verb = "moved"
	}
	if !t.removes {
		size := humanize.IBytes(uint64(max(0, r.Bytes)))
		words = append(words, fmt.Sprintf("%s %s, %s", verb, plural(int(r.Copied), "object"), size))
	}
	if r.Resumed > 0 {
		words = append(words, humanize.IBytes(uint64(r.Resumed))+" were there from before")
	}
	if r.Deleted > 0 || t.removes {
		words = append(words, "deleted "+plural(int(r.Deleted), "object"))
	}
	if r.Skipped > 0 {
		words = append(words, fmt.Sprintf("skipped %d", r.Skipped))
	}
	if r.Unverified > 0 {
		words = append(words, fmt.Sprintf("%d without a checksum to compare with", r.Unverified))
	}
	if r.Failed > 0 {
		words = append(words, fmt.Sprintf("%d failed", r.Failed))
	}
	return strings.Join(words, "; ")
}

// meterLine shows a Meter in one line of a terminal, until it is closed. Elsewhere it shows nothing.
type meterLine struct {
	stop chan struct{}
	done sync.WaitGroup
}

func newMeterLine(notes io.Writer, m *transfer.Meter, quiet bool) *meterLine {
	l := &meterLine{stop: make(chan struct{})}
	tty := newScreen(notes).tty
	if tty == nil || quiet {
		return l
	}
	l.done.Go(func() {
		tick := time.NewTicker(progressOnTerminal)
		defer tick.Stop()
		for {
			select {
			case <-l.stop:
				_, _ = fmt.Fprint(notes, "\r"+clearLine)
				return
			case <-tick.C:
			}
			width, _ := terminalSize(tty)
			_, _ = fmt.Fprint(notes, "\r"+cut(meterText(m.Counts()), width-1)+clearLine)
		}
	})
	return l
}

func (l *meterLine) close() {
	close(l.stop)
	l.done.Wait()
}

// meterText says how far it is.
func meterText(n transfer.Counts) string {
	more, left := "", ""
	if !n.Complete {
		more = "+"
	}
	if n.Left > 0 {
		left = ", " + span(n.Left) + " left"
	}
	if n.Failed > 0 {
		left += fmt.Sprintf(", %d failed", n.Failed)
	}
	moved := uint64(max(0, n.Moved))
	if n.Bytes == 0 {
		return fmt.Sprintf("%s %d of %d%s, %.0f/s%s", bar(uint64(n.Ended), uint64(n.Tasks)), n.Ended, n.Tasks, more,
			n.TaskRate, left)
	}
	return fmt.Sprintf("%s %s of %s%s, %d of %d, %s/s%s", bar(moved, uint64(n.Bytes)), humanize.IBytes(moved),
		humanize.IBytes(uint64(n.Bytes)), more, n.Ended, n.Tasks, humanize.IBytes(uint64(n.Rate)), left)
}
