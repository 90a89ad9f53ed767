package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/tools/transfer"
)

// usage is how much lies below a prefix.
type usage struct {
	Prefix  string `json:"prefix"`
	Objects int64  `json:"objects"`
	Bytes   int64  `json:"bytes"`
}

// usages is what du shows.
type usages struct {
	Bucket string `json:"bucket"`
	usage
	Prefixes []usage `json:"prefixes"`
}

func newDu() *cobra.Command {
	var depth int
	var sel transfer.Selection
	return storeCommand{
		use: "du s3://BUCKET[/PREFIX]", short: "Sum up objects and bytes below a prefix", least: 1, most: 1, json: true,
		long: `Sum up the objects and bytes whose keys begin with a prefix, by listing them. --depth says how
many levels below it are summed up by themselves too. Of a whole bucket cairn bucket show
tells it without listing.`,
		example: "  cairn du s3://photos\n  cairn du --depth 2 s3://photos/2026/\n  cairn du --versions -o json s3://photos",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().IntVar(&depth, "depth", 0, "levels that are summed up by themselves")
			cmd.Flags().BoolVar(&sel.Versions, "versions", false, "all versions, and not only the latest ones")
			selectingOnly(cmd, &sel)
		},
		run: func(ctx context.Context, c *call, args []string) error {
			list, err := inStore(args, false)
			if err != nil {
				return err
			}
			if depth < 0 {
				return &statusError{exitUsage, fmt.Errorf("--depth %d: 0 or more", depth)}
			}
			u, err := sumUp(c.store.List(ctx, list[0].Bucket, list[0].Key, transfer.ListOptions{Versions: sel.Versions}),
				list[0].Key, depth, sel.Rules)
			if err != nil {
				return err
			}
			u.Bucket = list[0].Bucket
			if c.json() {
				return printWhole(c.out, u)
			}
			return printTable(c.out, u.table)
		},
	}.command()
}

// selectingOnly registers the flags that say which objects are meant.
func selectingOnly(cmd *cobra.Command, sel *transfer.Selection) {
	cmd.Flags().Var(rulesFlag{&sel.Rules, false}, "exclude",
		"leave out what matches, * and ? standing for / too; the last of these two that matches decides (default: none)")
	cmd.Flags().Var(rulesFlag{&sel.Rules, true}, "include", "take what matches after all (default: everything)")
}

// sumUp adds up a list, and what lies in the levels below its prefix.
func sumUp(items iter.Seq2[transfer.Item, error], prefix string, depth int, rules transfer.Rules) (*usages, error) {
	u := &usages{usage: usage{Prefix: prefix}}
	below := map[string]*usage{}
	for item, err := range items {
		switch {
		case err != nil:
			return nil, err
		case item.Marker || !rules.Take(item.Rel):
			continue
		}
		u.add(item)
		end := 0
		for range depth {
			i := strings.IndexByte(item.Rel[end:], '/')
			if i < 0 {
				break
			}
			end += i + 1
			of := prefix + item.Rel[:end]
			if below[of] == nil {
				below[of] = &usage{Prefix: of}
			}
			below[of].add(item)
		}
	}
	u.Prefixes = []usage{}
	for _, of := range slices.Sorted(maps.Keys(below)) {
		u.Prefixes = append(u.Prefixes, *below[of])
	}
	return u, nil
}

func (u *usage) add(item transfer.Item) {
	u.Objects++
	u.Bytes += item.Size
}

func (u *usages) table(w io.Writer) {
	row(w, "SIZE", "BYTES", "OBJECTS", "PREFIX")
	for _, p := range append(u.Prefixes, u.usage) {
		at := transfer.Location{Kind: transfer.Object, Bucket: u.Bucket, Key: p.Prefix}
		row(w, humanize.IBytes(uint64(p.Bytes)), p.Bytes, p.Objects, at.String())
	}
}
