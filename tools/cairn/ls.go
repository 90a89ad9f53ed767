package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/tools/transfer"
)

func newLs() *cobra.Command {
	l := &listing{}
	return storeCommand{
		use: "ls [s3://BUCKET[/PREFIX]]", most: 1, json: true,
		short: "List buckets, or the objects of one",
		long: `List your buckets, or the objects of a bucket whose keys begin with a prefix, up to the next
slash. With --recursive all keys are listed. A prefix with * or ? is a pattern: * is any run
of characters but /, ** any run, ? one character.`,
		example: "  cairn ls\n  cairn ls s3://photos/2026/\n  cairn ls -r 's3://photos/**.jpg'\n" +
			"  cairn ls --versions s3://photos/2026/beach.jpg\n  cairn ls -o json s3://photos",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().BoolVarP(&l.recursive, "recursive", "r", false, "all keys, and not only up to the next slash")
			cmd.Flags().BoolVar(&l.versions, "versions", false, "all versions and delete markers")
			cmd.Flags().BoolVar(&l.exact, "bytes", false, "sizes in bytes")
			cmd.Flags().BoolVar(&l.literal, "no-glob", false, "* and ? in the prefix are themselves")
		},
		run: func(ctx context.Context, c *call, args []string) error {
			if len(args) == 0 || args[0] == transfer.Scheme {
				return listBuckets(ctx, c)
			}
			at, err := inStore(args, false)
			if err != nil {
				return err
			}
			return l.run(ctx, c, at[0])
		},
	}.command()
}

// listing is one run of ls.
type listing struct {
	recursive, versions, exact, literal bool
}

// listedBucket is a bucket as JSON shows it.
type listedBucket struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
}

func listBuckets(ctx context.Context, c *call) error {
	buckets := []listedBucket{}
	in := &s3.ListBucketsInput{}
	for {
		page, err := c.store.ListBuckets(ctx, in)
		if err != nil {
			return err
		}
		for _, b := range page.Buckets {
			buckets = append(buckets, listedBucket{aws.ToString(b.Name), aws.ToTime(b.CreationDate)})
		}
		if aws.ToString(page.ContinuationToken) == "" {
			break
		}
		in.ContinuationToken = page.ContinuationToken
	}
	if c.json() {
		return printWhole(c.out, map[string]any{"buckets": buckets})
	}
	for _, b := range buckets {
		if _, err := fmt.Fprintf(c.out, "%s  %s%s\n", moment(b.Created), transfer.Scheme, b.Name); err != nil {
			return err
		}
	}
	return nil
}

// printWhole writes a value as JSON, with all that it has.
func printWhole(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// moment is a time as people read it.
func moment(t time.Time) string {
	if t.IsZero() {
		return strings.Repeat(" ", len(time.DateTime)-1) + "-"
	}
	return t.Local().Format(time.DateTime)
}

// listedObject is an object as JSON shows it.
type listedObject struct {
	Key      string    `json:"key"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	ETag     string    `json:"etag"`
	Class    string    `json:"storage_class"`
	Version  string    `json:"version_id,omitempty"`
	Latest   *bool     `json:"latest,omitempty"`
	Marker   bool      `json:"delete_marker,omitempty"`
}

// items returns what is listed.
func (l *listing) run(ctx context.Context, c *call, at transfer.Location) error {
	items := c.store.List(ctx, at.Bucket, at.Key, transfer.ListOptions{Versions: l.versions, Split: !l.recursive})
	if !l.literal && transfer.IsPattern(at.Key) {
		items, _ = c.store.Select(ctx, at, transfer.Selection{Versions: l.versions, Recursive: l.recursive})
	}
	var prefixes []string
	n := 0
	show := l.line
	if c.json() {
		show = l.object
		if _, err := fmt.Fprintf(c.out, "{\n  \"bucket\": %s,\n  \"prefix\": %s,\n  \"objects\": [", quoteJSON(at.Bucket),
			quoteJSON(at.Key)); err != nil {
			return err
		}
	}
	for item, err := range items {
		if err != nil {
			return err
		}
		if c.json() && item.Prefix {
			prefixes = append(prefixes, item.At.Key)
			continue
		}
		if err := show(c.out, item, n); err != nil {
			return err
		}
		n++
	}
	if !c.json() {
		if n == 0 && at.Key != "" {
			return &transfer.Failure{At: at, Err: transfer.ErrNothing}
		}
		return nil
	}
	if prefixes == nil {
		prefixes = []string{}
	}
	text, err := json.MarshalIndent(prefixes, "  ", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "\n  ],\n  \"prefixes\": %s\n}\n", text)
	return err
}

func quoteJSON(text string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // A text can be encoded.
	return strings.TrimSpace(b.String())
}

// object writes the n-th object of a list in JSON.
func (l *listing) object(out io.Writer, i transfer.Item, n int) error {
	o := listedObject{Key: i.At.Key, Size: i.Size, Modified: i.Modified, ETag: i.ETag, Class: i.Class,
		Version: i.At.Version, Marker: i.Marker}
	if l.versions {
		o.Latest = &i.Latest
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(o); err != nil {
		return err
	}
	comma := ","
	if n == 0 {
		comma = ""
	}
	_, err := fmt.Fprintf(out, "%s\n    %s", comma, strings.TrimSpace(b.String()))
	return err
}

// line writes an object, or a prefix, for people.
func (l *listing) line(out io.Writer, i transfer.Item, _ int) error {
	if i.Prefix {
		_, err := fmt.Fprintf(out, "%s  %10s  %s\n", strings.Repeat(" ", len(time.DateTime)), "", plainName(i.At.Key))
		return err
	}
	size := humanize.IBytes(uint64(i.Size))
	if l.exact {
		size = fmt.Sprint(i.Size)
	}
	tail := ""
	if i.Marker {
		size = "-"
	}
	if l.versions {
		tail = "  " + i.At.Version
		if i.Latest {
			tail += " latest"
		}
		if i.Marker {
			tail += " (delete marker)"
		}
	}
	_, err := fmt.Fprintf(out, "%s  %10s  %s%s\n", moment(i.Modified), size, plainName(i.At.Key), tail)
	return err
}

// plainName is a key as it stands, or quoted if a terminal might take it for something else.
func plainName(key string) string {
	at := transfer.Location{Path: key}
	return at.String()
}
