package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/lifecycle"
)

func lifecyclePart() part {
	var prefix, id string
	var expire, noncurrent, abort int32
	return part{
		name: "lifecycle", short: "the lifecycle rules",
		long: "Flags make one rule; a file may have more. `cairn bucket lifecycle explain` tells what the\n" +
			"rules do now.",
		example: "  cairn bucket lifecycle set logs --expire-days 30 --prefix 2026/\n" +
			"  cairn bucket lifecycle set logs --file rules.json",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().Int32Var(&expire, "expire-days", 0, "delete objects after so many days")
			cmd.Flags().Int32Var(&noncurrent, "noncurrent-days", 0,
				"delete older versions so many days after they were succeeded")
			cmd.Flags().Int32Var(&abort, "abort-uploads-days", 0, "abort uploads in progress after so many days")
			cmd.Flags().StringVar(&prefix, "prefix", "", "only keys that begin with it (default: all)")
			cmd.Flags().StringVar(&id, "id", "", "name of the rule (default: one is made up)")
		},
		get: func(ctx context.Context, c *bucketClient, bucket string) (any, error) {
			out, err := c.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &bucket})
			if err != nil {
				return nil, err
			}
			return &types.BucketLifecycleConfiguration{Rules: out.Rules}, nil
		},
		build: func(context.Context, *bucketClient, []string) (any, error) {
			r := types.LifecycleRule{Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: &prefix}}
			if id != "" {
				r.ID = &id
			}
			switch {
			case expire < 0 || noncurrent < 0 || abort < 0:
				return nil, &statusError{exitUsage, errors.New("days are at least 1")}
			case expire == 0 && noncurrent == 0 && abort == 0 && prefix+id != "":
				return nil, &statusError{exitUsage, errors.New("give --expire-days, --noncurrent-days or --abort-uploads-days")}
			case expire == 0 && noncurrent == 0 && abort == 0:
				return nil, nil
			}
			if expire > 0 {
				r.Expiration = &types.LifecycleExpiration{Days: &expire}
			}
			if noncurrent > 0 {
				r.NoncurrentVersionExpiration = &types.NoncurrentVersionExpiration{NoncurrentDays: &noncurrent}
			}
			if abort > 0 {
				r.AbortIncompleteMultipartUpload = &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: &abort}
			}
			return &types.BucketLifecycleConfiguration{Rules: []types.LifecycleRule{r}}, nil
		},
		read: readAs[types.BucketLifecycleConfiguration],
		put: func(ctx context.Context, c *bucketClient, bucket string, document any) error {
			_, err := c.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{Bucket: &bucket,
				LifecycleConfiguration: document.(*types.BucketLifecycleConfiguration)})
			return err
		},
		clear: func(ctx context.Context, c *bucketClient, bucket string) error {
			_, err := c.DeleteBucketLifecycle(ctx, &s3.DeleteBucketLifecycleInput{Bucket: &bucket})
			return err
		},
		more: []verb{lifecycleExplain()},
	}
}

// explained is what the rules say of one version.
type explained struct {
	Key       string `json:"key"`
	VersionID string `json:"version_id"`
	Size      int64  `json:"size"`
	Action    string `json:"action"` // Empty: nothing is due.
	Rule      string `json:"rule"`
	Since     string `json:"since"` // When it became due.
}

// explanation is the answer of lifecycle explain.
type explanation struct {
	Bucket   string      `json:"bucket"`
	Looked   int         `json:"looked_at"`
	More     bool        `json:"more"` // There are more versions than were looked at.
	Due      int         `json:"due"`
	DueBytes int64       `json:"due_bytes"`
	Versions []explained `json:"versions"`
}

func lifecycleExplain() verb {
	var key string
	var most int
	return verb{
		use: "explain BUCKET", short: "Say what the lifecycle rules would do now; nothing is done",
		long: `Say what the lifecycle rules would do now, by the code that carries them out. Nothing is
done. With --key it is about one key, also where nothing is due. Days are whole: a run
of the job "lifecycle" may be hours away.`,
		example: "  cairn bucket lifecycle explain logs\n  cairn bucket lifecycle explain logs --key 2026/01/02.gz",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().StringVar(&key, "key", "", "only this key, and also what is not due (default: all keys)")
			cmd.Flags().IntVar(&most, "max", 10000, "look at so many versions at most")
		},
		s3: func(ctx context.Context, c *bucketClient, _ io.Reader, args []string) (*answer, error) {
			text, err := c.raw.call(ctx, http.MethodGet, objectPath(args[0], ""), "lifecycle=", nil)
			if err != nil {
				return nil, err
			}
			rules, err := lifecycle.Parse(text, 0)
			if err != nil {
				return nil, err
			}
			e := &explaining{c: c, rules: rules, key: key, most: most, now: time.Now(), out: &explanation{Bucket: args[0]}}
			err = e.run(ctx)
			return &answer{message: e.out, table: func(w io.Writer) { printExplanation(w, e.out) }}, err
		},
	}
}

// explaining is one run of lifecycle explain over the versions of a bucket.
type explaining struct {
	c     *bucketClient
	rules lifecycle.Rules
	key   string // Only this key; empty: all.
	most  int
	now   time.Time
	out   *explanation

	of []listedVersion // The versions of the key that is being read, newest first.
}

// listedVersion is a version or a delete marker, as a list has it.
type listedVersion struct {
	key, id string
	latest  bool
	version *metapb.Version
}

func (e *explaining) run(ctx context.Context) error {
	in := &s3.ListObjectVersionsInput{Bucket: &e.out.Bucket, EncodingType: types.EncodingTypeUrl} // Keys may be no XML.
	if e.key != "" {
		in.Prefix = &e.key
	}
	for {
		page, err := e.c.ListObjectVersions(ctx, in)
		if err != nil {
			return err
		}
		versions, err := merged(page)
		if err != nil {
			return err
		}
		for _, v := range versions {
			if e.key != "" && v.key != e.key {
				return e.flush(ctx)
			}
			if len(e.of) > 0 && e.of[0].key != v.key {
				if err := e.flush(ctx); err != nil {
					return err
				}
				if e.out.More = e.out.Looked >= e.most; e.out.More {
					return nil
				}
			}
			e.of = append(e.of, v)
		}
		if !aws.ToBool(page.IsTruncated) {
			return e.flush(ctx)
		}
		marker, err := url.QueryUnescape(aws.ToString(page.NextKeyMarker))
		if err != nil {
			return fmt.Errorf("a list that cannot be read: %w", err)
		}
		in.KeyMarker, in.VersionIdMarker = &marker, page.NextVersionIdMarker
	}
}

// merged returns the versions and delete markers of a page by key, and by age from the newest.
func merged(page *s3.ListObjectVersionsOutput) (out []listedVersion, err error) {
	var objects, markers []listedVersion
	for _, v := range page.Versions {
		rec := &metapb.Version{ModifiedMs: aws.ToTime(v.LastModified).UnixMilli(), Size: uint64(aws.ToInt64(v.Size)),
			Attributes: &metapb.Attributes{StorageClass: string(v.StorageClass)}}
		objects = append(objects, listedVersion{aws.ToString(v.Key), aws.ToString(v.VersionId), aws.ToBool(v.IsLatest), rec})
	}
	for _, v := range page.DeleteMarkers {
		rec := &metapb.Version{ModifiedMs: aws.ToTime(v.LastModified).UnixMilli(), DeleteMarker: true}
		markers = append(markers, listedVersion{aws.ToString(v.Key), aws.ToString(v.VersionId), aws.ToBool(v.IsLatest), rec})
	}
	for _, list := range [][]listedVersion{objects, markers} {
		for i := range list {
			if list[i].key, err = url.QueryUnescape(list[i].key); err != nil {
				return nil, fmt.Errorf("a list that cannot be read: %w", err)
			}
		}
	}
	for len(objects) > 0 && len(markers) > 0 {
		if objects[0].before(&markers[0]) {
			out, objects = append(out, objects[0]), objects[1:]
		} else {
			out, markers = append(out, markers[0]), markers[1:]
		}
	}
	return append(append(out, objects...), markers...), nil
}

// before reports whether a comes before b in a list of versions.
func (a *listedVersion) before(b *listedVersion) bool {
	if a.key != b.key {
		return a.key < b.key
	}
	return a.latest || !b.latest && a.version.ModifiedMs >= b.version.ModifiedMs
}

// flush judges the versions of one key, all of which are in e.of.
func (e *explaining) flush(ctx context.Context) error {
	for i := range e.of {
		v := &e.of[i]
		s := &lifecycle.Subject{Key: v.key, Version: v.version, Latest: v.latest, Alone: len(e.of) == 1}
		if i > 0 {
			s.SucceededMs, s.Newer = e.of[i-1].version.ModifiedMs, int64(i-1)
		}
		if err := e.judge(ctx, v, s); err != nil {
			return err
		}
	}
	e.out.Looked += len(e.of)
	e.of = e.of[:0]
	return nil
}

// judge notes what is due of a version. A rule that asks for tags is asked again with them.
func (e *explaining) judge(ctx context.Context, v *listedVersion, s *lifecycle.Subject) error {
	if e.rules.WantTags(v.key) && !v.version.GetDeleteMarker() {
		out, err := e.c.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: &e.out.Bucket, Key: &v.key, VersionId: &v.id})
		if err != nil {
			return err
		}
		for _, t := range out.TagSet {
			v.version.Tags = append(v.version.Tags, &metapb.Pair{Name: aws.ToString(t.Key), Value: aws.ToString(t.Value)})
		}
	}
	verdict, due := e.rules.Due(s, e.now)
	line := explained{Key: v.key, VersionID: v.id, Size: int64(v.version.Size)}
	if due {
		line.Action, line.Rule, line.Since = dueAction(&verdict), verdict.Rule, verdict.At.UTC().Format(time.RFC3339)
		e.out.Due++
		e.out.DueBytes += line.Size
	}
	if due || e.key != "" {
		e.out.Versions = append(e.out.Versions, line)
	}
	return nil
}

// dueAction is what a verdict does, in words.
func dueAction(v *lifecycle.Verdict) string {
	switch v.Expiry {
	case metapb.Expiry_EXPIRY_NONE:
		return "move to " + v.Class
	case metapb.Expiry_EXPIRY_MARKER:
		return "remove the delete marker"
	case metapb.Expiry_EXPIRY_CURRENT:
		return "expire the object"
	}
	return "delete the older version"
}

func printExplanation(w io.Writer, e *explanation) {
	row(w, "ACTION NOW", "DUE SINCE", "RULE", "SIZE", "VERSION", "KEY")
	for _, v := range e.Versions {
		action := v.Action
		if action == "" {
			action = "nothing"
		}
		row(w, action, v.Since, v.Rule, humanize.IBytes(uint64(v.Size)), shortVersion(v.VersionID), v.Key)
	}
	fmt.Fprintf(w, "\n%s looked at, %d due, %s\n", plural(e.Looked, "version"), e.Due, humanize.IBytes(uint64(e.DueBytes)))
	if e.More {
		fmt.Fprintln(w, "There are more: raise --max.")
	}
}

// shortVersion is the beginning of a version's id.
func shortVersion(id string) string {
	const most = 8
	if len(id) <= most {
		return id
	}
	return id[:most] + strings.Repeat(".", 2)
}
