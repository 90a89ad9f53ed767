package main

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/tools/transfer"
)

const copyLong = `A place is s3://BUCKET/KEY, a local path, or - for standard input or output. One of both is
in the store. A key with * or ? is a pattern: * is any run of characters but /, ** any run.
With --recursive a directory or a prefix goes with all below it, and its content comes
directly below DEST. Of several sources each comes below a name of its own.

Large objects go in parts, several at once; inside the store they are copied by the store.
What was interrupted goes on with the same command. Uploads are sent with a checksum, and a
download gets its name only when its bytes are compared with the object's checksum or ETag.`

func newCp() *cobra.Command {
	t := &transferring{}
	return storeCommand{
		use: "cp SOURCE [SOURCE...] DEST", short: "Copy files and objects, in either direction or inside the store",
		least: 2, most: -1,
		long: "Copy files to a store, objects to files, or objects inside a store.\n\n" + copyLong,
		example: "  cairn cp beach.jpg s3://photos/2026/\n  cairn cp -r photos s3://photos/2026/ --exclude '*.tmp'\n" +
			"  cairn cp -r s3://photos/2026 backup\n  cairn cp 's3://photos/2026/*.jpg' s3://best/\n" +
			"  tar c data | cairn cp - s3://backup/data.tar",
		flags: func(cmd *cobra.Command) { t.copyFlags(cmd) },
		run:   func(ctx context.Context, c *call, args []string) error { return t.copy(ctx, c, args) },
	}.command()
}

func newMv() *cobra.Command {
	t := &transferring{moves: true}
	return storeCommand{
		use: "mv SOURCE [SOURCE...] DEST", short: "Move files and objects, in either direction or inside the store",
		least: 2, most: -1,
		long: "Move files to a store, objects to files, or objects inside a store: each is copied, and then\n" +
			"deleted if it is still what was copied.\n\n" + copyLong,
		example: "  cairn mv s3://photos/new.jpg s3://photos/2026/\n  cairn mv -r s3://photos/2025 s3://archive/2025/",
		flags:   func(cmd *cobra.Command) { t.copyFlags(cmd) },
		run:     func(ctx context.Context, c *call, args []string) error { return t.copy(ctx, c, args) },
	}.command()
}

func (t *transferring) copyFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&t.sel.Recursive, "recursive", "r", false, "everything below a directory or a prefix")
	cmd.Flags().BoolVar(&t.sel.Literal, "no-glob", false, "* and ? in keys are themselves")
	t.selecting(cmd)
	t.copying(cmd)
}

// copy does what cp and mv do.
func (t *transferring) copy(ctx context.Context, c *call, args []string) error {
	list, err := places(args)
	if err != nil {
		return err
	}
	if err := t.check(); err != nil {
		return err
	}
	last := len(list) - 1
	p := transfer.CopyPlan{Selection: t.sel, From: list[:last], To: list[last], Move: t.moves}
	if err := p.Check(); err != nil {
		return err
	}
	switch {
	case p.From[0].Kind == transfer.Stream:
		return t.put(ctx, c, p.To)
	case p.To.Kind == transfer.Stream:
		return t.get(ctx, c, p.From[0])
	}
	return t.run(ctx, c, c.store.PlanCopy(ctx, p))
}

// put writes standard input to an object.
func (t *transferring) put(ctx context.Context, c *call, to transfer.Location) error {
	if t.dryRun {
		_, err := fmt.Fprintln(c.out, "copy - to", to)
		return err
	}
	meter := transfer.NewMeter(time.Now)
	line := newMeterLine(c.notes, meter, t.quiet)
	t.o.Progress = meter
	e := transfer.New(c.store, t.o)
	defer e.Close()
	n, err := e.Put(ctx, c.in, to)
	line.close()
	if err != nil {
		return err
	}
	if !t.quiet {
		fmt.Fprintf(c.notes, "copied 1 object, %s\n", humanize.IBytes(uint64(n)))
	}
	return nil
}

// get writes an object to standard output.
func (t *transferring) get(ctx context.Context, c *call, from transfer.Location) error {
	if t.dryRun {
		_, err := fmt.Fprintln(c.out, "copy", from, "to -")
		return err
	}
	e := transfer.New(c.store, t.o)
	defer e.Close()
	_, err := e.Get(ctx, from, c.out)
	return at(from, err)
}

// at says what an error is of.
func at(l transfer.Location, err error) error {
	if err == nil {
		return nil
	}
	return &transfer.Failure{At: l, Err: err}
}

// tagQuery returns tags as S3 takes them in a header.
func tagQuery(tags map[string]string) string {
	q := url.Values{}
	for k, v := range tags {
		q.Set(k, v)
	}
	return q.Encode()
}
