package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

func newObject() *cobra.Command {
	cmd := noun("object", "Objects: how they lie, and deleting many", objectStat())
	cmd.AddCommand(newObjectRm())
	return cmd
}

func objectStat() verb {
	r := &adminpb.StatObjectRequest{}
	return verb{
		use: "stat OBJECT", short: "Show how an object lies: versions, parts, extents, and every shard on its drive",
		long: `Show how an object lies: its versions, their parts, the extents that hold them and
who refers to those, and for every shard the node, the drive and the zone, and
whether it is there. The drives are asked one by one.

OBJECT is s3://BUCKET/KEY, of one version with ?versionId=ID (null: the version
without an id) at its end; a ? in the key itself is written %3F then, and % as %25.

A shard is # present, x missing (lost, or known to be bad; repair makes it anew) or
? unreachable (its node or drive does not answer). An extent is whole, degraded
(it can be read; some shards are not there), or unreadable at this moment.`,
		example: "  cairn object stat s3://photos/2024/beach.jpg\n  cairn object stat 's3://photos/2024/beach.jpg?versionId=null' -o json",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().Uint32Var(&r.MaxVersions, "max-versions", 100, "show at most so many versions, up to 1000")
			cmd.Flags().Uint32Var(&r.MaxParts, "max-parts", 100, "show at most so many parts of a version, up to 10000")
			cmd.Flags().Uint32Var(&r.MaxExtents, "max-extents", 100, "look at most at so many extents, up to 1000")
		},
		run: func(ctx context.Context, c api, _ io.Reader, args []string) (*answer, error) {
			var err error
			if r.Bucket, r.Key, r.VersionId, err = parseObject(args[0]); err != nil {
				return nil, &statusError{exitUsage, err}
			}
			o, err := c.StatObject(ctx, r)
			return &answer{o, func(w io.Writer) { printObject(w, o) }}, err
		},
	}
}

const versionParameter = "?versionId="

// parseObject reads s3://BUCKET/KEY[?versionId=ID]. Without a version the key is as
// it stands; with one it is percent-encoded where it must be.
func parseObject(text string) (bucket, key, version string, err error) {
	rest, ok := strings.CutPrefix(text, "s3://")
	bucket, key, slash := strings.Cut(rest, "/")
	if !ok || !slash || bucket == "" || key == "" {
		return "", "", "", fmt.Errorf("%q is not s3://BUCKET/KEY", text)
	}
	i := strings.LastIndex(key, versionParameter)
	if i < 0 {
		return bucket, key, "", nil
	}
	key, version = key[:i], key[i+len(versionParameter):]
	if key, err = url.PathUnescape(key); err != nil {
		return "", "", "", fmt.Errorf("%q: %w", text, err)
	}
	if key == "" || version == "" {
		return "", "", "", fmt.Errorf("%q is not s3://BUCKET/KEY?versionId=ID", text)
	}
	return bucket, key, version, nil
}
