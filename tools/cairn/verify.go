package main

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

const (
	verifyParallel = 4    // Objects that are read at once.
	verifyTold     = 1000 // Objects that are bad, or skipped, that are told one by one.
)

// verified is the result of reading and checking objects.
type verified struct {
	Objects      uint64        `json:"objects"` // That were found.
	Bytes        uint64        `json:"bytes"`   // That were read and are right.
	BadCount     uint64        `json:"bad_count"`
	SkippedCount uint64        `json:"skipped_count"`
	Bad          []notVerified `json:"bad"` // This and the next: the first of them.
	Skipped      []notVerified `json:"skipped"`
}

// notVerified is an object that is not right, or that could not be read for a reason of its own.
type notVerified struct {
	Key       string `json:"key"`
	VersionID string `json:"version_id"`
	Why       string `json:"why"`
}

func newVerify() *cobra.Command {
	var t target
	var output string
	v := &verifying{}
	use := "verify s3://BUCKET[/PREFIX]"
	cmd := &cobra.Command{Use: use, Short: "Read and check every object under a prefix",
		Long: `Read every object whose key begins with the prefix, and check it. The nodes check each
shard against its checksum, and what they have put together against what was recorded
when it was written. Here the length, the MD5 where the ETag is one, and the checksum
that the object may have are checked again.

A bad shard that is found is made anew from the others, as after any read. An object
is bad only if it cannot be read at all, or is not what was written. What is cold, or
under a customer's key, is skipped and counted.

Exit status: 0 all is right, 1 something is bad, refused or failed, 2 wrong usage,
3 not found, 5 the endpoint cannot be reached.`,
		Example: "  cairn verify s3://photos/2026/\n  cairn verify s3://photos --versions -o json",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &statusError{exitUsage, fmt.Errorf("%s takes s3://BUCKET/PREFIX, got %q", cmd.CommandPath(), args)}
			}
			rest, ok := strings.CutPrefix(args[0], "s3://")
			v.bucket, v.prefix, _ = strings.Cut(rest, "/")
			if !ok || v.bucket == "" {
				return &statusError{exitUsage, fmt.Errorf("%q is not s3://BUCKET/PREFIX", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			if err := t.resolve(); err != nil {
				return err
			}
			c, err := t.buckets()
			if err != nil {
				return err
			}
			v.c = c
			if err := v.run(cmd.Context()); err != nil {
				return t.bucketFailure(err)
			}
			return v.show(cmd.OutOrStdout(), output)
		}}
	t.flags(cmd)
	outputFlag(cmd, &output)
	cmd.Flags().BoolVar(&v.versions, "versions", false, "all versions, not only the latest ones")
	cmd.Flags().IntVar(&v.parallel, "parallel", verifyParallel, "objects that are read at once")
	return cmd
}

// verifying is one run of verify.
type verifying struct {
	c              *bucketClient
	bucket, prefix string
	versions       bool
	parallel       int

	mu  sync.Mutex
	out verified
}

// run lists the objects and checks them, several at once. Errors are those of lists.
func (v *verifying) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, v.parallel))
	err := v.each(ctx, func(key, version string) {
		g.Go(func() error {
			v.note(key, version, v.check(ctx, key, version))
			return ctx.Err()
		})
	})
	return errors.Join(err, g.Wait())
}

// each calls f for each object, in the order of their keys.
func (v *verifying) each(ctx context.Context, f func(key, version string)) error {
	in := &s3.ListObjectVersionsInput{Bucket: &v.bucket, Prefix: &v.prefix, EncodingType: types.EncodingTypeUrl}
	for {
		page, err := v.c.ListObjectVersions(ctx, in)
		if err != nil {
			return err
		}
		for _, o := range page.Versions {
			key, err := url.QueryUnescape(aws.ToString(o.Key))
			if err != nil {
				return fmt.Errorf("a list that cannot be read: %w", err)
			}
			if v.versions || aws.ToBool(o.IsLatest) {
				f(key, aws.ToString(o.VersionId))
			}
		}
		if !aws.ToBool(page.IsTruncated) {
			return nil
		}
		marker, err := url.QueryUnescape(aws.ToString(page.NextKeyMarker))
		if err != nil {
			return fmt.Errorf("a list that cannot be read: %w", err)
		}
		in.KeyMarker, in.VersionIdMarker = &marker, page.NextVersionIdMarker
	}
}

// check reads an object whole and returns what is wrong with it.
func (v *verifying) check(ctx context.Context, key, version string) error {
	in := &s3.GetObjectInput{Bucket: &v.bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled}
	if version != "" {
		in.VersionId = &version
	}
	got, err := v.c.GetObject(ctx, in)
	if err != nil {
		return err
	}
	defer func() { _ = got.Body.Close() }()
	sum := md5.New()
	n, err := io.Copy(sum, got.Body)
	switch want := aws.ToInt64(got.ContentLength); {
	case err != nil:
		return fmt.Errorf("reading it ended after %d bytes: %w", n, err)
	case n != want:
		return fmt.Errorf("it has %d bytes and not %d", n, want)
	}
	etag := strings.Trim(aws.ToString(got.ETag), `"`)
	plain := got.SSECustomerAlgorithm == nil && got.ServerSideEncryption != types.ServerSideEncryptionAwsKms
	if have := hex.EncodeToString(sum.Sum(nil)); plain && len(etag) == len(have) && etag != have {
		return fmt.Errorf("its MD5 is %s and not its ETag %s", have, etag)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.out.Bytes += uint64(n)
	return nil
}

// skips are the codes of errors that say that an object cannot be read now, though nothing is wrong
// with it, each with the reason.
var skips = map[string]string{
	"InvalidObjectState": "it is cold: restore it first",
	"InvalidRequest":     "it is under a customer's key",
	"NoSuchKey":          "it was deleted meanwhile",
	"NoSuchVersion":      "it was deleted meanwhile",
	"AccessDenied":       "these credentials may not read it",
}

// note counts an object, with what is wrong with it; nil: nothing is.
func (v *verifying) note(key, version string, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.out.Objects++
	if err == nil {
		return
	}
	why, count, list := err.Error(), &v.out.BadCount, &v.out.Bad
	var told smithy.APIError
	if errors.As(err, &told) {
		why = told.ErrorCode() + ": " + told.ErrorMessage()
		if skip := skips[told.ErrorCode()]; skip != "" {
			why, count, list = skip, &v.out.SkippedCount, &v.out.Skipped
		}
	}
	if *count++; *count <= verifyTold {
		*list = append(*list, notVerified{key, version, why})
	}
}

// show writes the result. It returns an error if something is bad.
func (v *verifying) show(out io.Writer, output string) error {
	o := &v.out
	for _, list := range [][]notVerified{o.Bad, o.Skipped} {
		slices.SortFunc(list, func(a, b notVerified) int {
			return cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(a.VersionID, b.VersionID))
		})
	}
	if output == outputJSON {
		if err := printPlain(out, o); err != nil {
			return err
		}
	} else if err := printTable(out, func(w io.Writer) { o.table(w) }); err != nil {
		return err
	}
	if o.BadCount > 0 {
		return &statusError{exitError, fmt.Errorf("%s bad", plural(o.BadCount, "object"))}
	}
	return nil
}

func (o *verified) table(w io.Writer) {
	for _, list := range []struct {
		word string
		of   []notVerified
	}{{"BAD", o.Bad}, {"skipped", o.Skipped}} {
		for _, n := range list.of {
			row(w, list.word, n.Key, n.VersionID, n.Why)
		}
	}
	fmt.Fprintf(w, "%s right (%s), %d bad, %d skipped\n", plural(o.Objects-o.BadCount-o.SkippedCount, "object"),
		humanize.IBytes(o.Bytes), o.BadCount, o.SkippedCount)
}
