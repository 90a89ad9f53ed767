package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/tools/transfer"
)

// finding is one run of find.
type finding struct {
	name, older, newer, larger, smaller string
	versions, zero                      bool

	before, after time.Time
	least, most   int64
}

func newFind() *cobra.Command {
	f := &finding{}
	return storeCommand{
		use: "find s3://BUCKET[/PREFIX]", short: "Find objects by name, age and size", least: 1, most: 1, json: true,
		long: `List the objects whose keys begin with a prefix and which have all that is asked for, one a
line. Ages are as 90m, 12h or 30d, or a time as 2026-01-31 or 2026-01-31T12:00:00Z. Names that
a terminal might take for something else are quoted, but with -0.`,
		example: "  cairn find s3://photos/2026/ --name '*.jpg' --larger 10MiB\n" +
			"  cairn find s3://logs --older 30d -0 | xargs -0 -n 100 cairn rm --no-glob",
		flags: func(cmd *cobra.Command) {
			fs := cmd.Flags()
			fs.StringVar(&f.name, "name", "", "pattern of what follows the last slash: * and ? (default: any)")
			fs.StringVar(&f.older, "older", "", "only what was written before (default: any)")
			fs.StringVar(&f.newer, "newer", "", "only what was written since (default: any)")
			fs.StringVar(&f.larger, "larger", "", "only what is larger, as 10MiB (default: any)")
			fs.StringVar(&f.smaller, "smaller", "", "only what is smaller (default: any)")
			fs.BoolVar(&f.versions, "versions", false, "all versions, and not only the latest ones")
			fs.BoolVarP(&f.zero, "print0", "0", false, "end each with a zero byte, for xargs -0")
		},
		run: func(ctx context.Context, c *call, args []string) error {
			list, err := inStore(args, false)
			if err != nil {
				return err
			}
			if err := f.read(time.Now()); err != nil {
				return &statusError{exitUsage, err}
			}
			return f.run(ctx, c, list[0])
		},
	}.command()
}

// read reads what the flags say.
func (f *finding) read(now time.Time) (err error) {
	f.least, f.most = -1, -1
	for _, s := range []struct {
		flag, text string
		to         *int64
	}{{"larger", f.larger, &f.least}, {"smaller", f.smaller, &f.most}} {
		if s.text == "" {
			continue
		}
		n, err := humanize.ParseBytes(s.text)
		if err != nil {
			return fmt.Errorf("--%s %q: a size such as 10MiB", s.flag, s.text)
		}
		*s.to = int64(n)
	}
	for _, a := range []struct {
		flag, text string
		to         *time.Time
	}{{"older", f.older, &f.before}, {"newer", f.newer, &f.after}} {
		if a.text == "" {
			continue
		}
		if *a.to, err = ageOrTime(a.text, now); err != nil {
			return fmt.Errorf("--%s %w", a.flag, err)
		}
	}
	return nil
}

// ageOrTime reads an age, or a time.
func ageOrTime(text string, now time.Time) (time.Time, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseFloat(days, 64); err == nil && n >= 0 {
			return now.Add(-time.Duration(n * 24 * float64(time.Hour))), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly, time.DateTime} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return now, fmt.Errorf("%q: an age such as 12h or 30d, or a time such as 2026-01-31", text)
}

// is reports whether an object has what is asked for.
func (f *finding) is(i transfer.Item) bool {
	name := i.At.Key[strings.LastIndexByte(i.At.Key, '/')+1:]
	switch {
	case i.Marker,
		f.name != "" && !transfer.Rules{{Pattern: "*"}, {Include: true, Pattern: f.name}}.Take(name),
		f.least >= 0 && i.Size <= f.least,
		f.most >= 0 && i.Size >= f.most,
		!f.before.IsZero() && !i.Modified.Before(f.before),
		!f.after.IsZero() && i.Modified.Before(f.after):
		return false
	}
	return true
}

func (f *finding) run(ctx context.Context, c *call, from transfer.Location) error {
	l := &listing{versions: f.versions}
	n := 0
	if c.json() {
		if _, err := fmt.Fprintf(c.out, "{\n  \"bucket\": %s,\n  \"objects\": [", quoteJSON(from.Bucket)); err != nil {
			return err
		}
	}
	for item, err := range c.store.List(ctx, from.Bucket, from.Key, transfer.ListOptions{Versions: f.versions}) {
		if err != nil {
			return err
		}
		if !f.is(item) {
			continue
		}
		switch {
		case c.json():
			err = l.object(c.out, item, n)
		case f.zero:
			_, err = fmt.Fprintf(c.out, "%s\x00", item.At.Raw())
		default:
			_, err = fmt.Fprintln(c.out, item.At)
		}
		if err != nil {
			return err
		}
		n++
	}
	if c.json() {
		_, err := fmt.Fprint(c.out, "\n  ]\n}\n")
		return err
	}
	return nil
}
