package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/tools/transfer"
)

func newTag() *cobra.Command {
	cmd := group("tag", "Tags of objects")
	cmd.AddCommand(tagGet(), tagSet(), tagClear())
	return cmd
}

func tagGet() *cobra.Command {
	return storeCommand{
		use: "get s3://BUCKET/KEY", short: "Show the tags of an object", least: 1, most: 1, json: true,
		long:    "Show the tags of an object. Those of a bucket are shown by cairn bucket tag get.",
		example: "  cairn tag get s3://photos/beach.jpg",
		run: func(ctx context.Context, c *call, args []string) error {
			l, err := oneObject(args)
			if err != nil {
				return err
			}
			out, err := c.store.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: &l.Bucket, Key: &l.Key,
				VersionId: namedVersion(l)})
			if err != nil {
				return at(l, err)
			}
			tags := map[string]string{}
			for _, t := range out.TagSet {
				tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
			}
			if c.json() {
				return printWhole(c.out, map[string]any{"tags": tags})
			}
			return printTable(c.out, func(w io.Writer) {
				for _, key := range slices.Sorted(maps.Keys(tags)) {
					row(w, key, tags[key])
				}
			})
		},
	}.command()
}

func tagSet() *cobra.Command {
	return storeCommand{
		use: "set s3://BUCKET/KEY KEY=VALUE [KEY=VALUE...]", short: "Set the tags of an object", least: 2, most: -1,
		long:    "Set the tags of an object. What it had before is replaced.",
		example: "  cairn tag set s3://photos/beach.jpg year=2026 keep=yes",
		run: func(ctx context.Context, c *call, args []string) error {
			l, err := oneObject(args[:1])
			if err != nil {
				return err
			}
			set := &types.Tagging{TagSet: []types.Tag{}}
			for _, a := range args[1:] {
				key, value, ok := strings.Cut(a, "=")
				if !ok || key == "" {
					return &statusError{exitUsage, fmt.Errorf("%q is not KEY=VALUE", a)}
				}
				set.TagSet = append(set.TagSet, types.Tag{Key: &key, Value: &value})
			}
			_, err = c.store.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: &l.Bucket, Key: &l.Key,
				VersionId: namedVersion(l), Tagging: set})
			return at(l, err)
		},
	}.command()
}

func tagClear() *cobra.Command {
	return storeCommand{
		use: "clear s3://BUCKET/KEY", short: "Remove the tags of an object", least: 1, most: 1,
		long:    "Remove the tags of an object.",
		example: "  cairn tag clear s3://photos/beach.jpg",
		run: func(ctx context.Context, c *call, args []string) error {
			l, err := oneObject(args)
			if err != nil {
				return err
			}
			_, err = c.store.DeleteObjectTagging(ctx, &s3.DeleteObjectTaggingInput{Bucket: &l.Bucket, Key: &l.Key,
				VersionId: namedVersion(l)})
			return at(l, err)
		},
	}.command()
}

// oneObject reads the argument that names an object.
func oneObject(args []string) (transfer.Location, error) {
	list, err := inStore(args, true)
	if err != nil {
		return transfer.Location{}, err
	}
	return list[0], nil
}

// namedVersion is the version that a location names, nil if it names none.
func namedVersion(l transfer.Location) *string {
	if l.Version == "" {
		return nil
	}
	return &l.Version
}
