package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

const (
	removeParallel    = 4   // Requests at once.
	removeParallelMax = 64  //
	removeAhead       = 64  // Pages that are listed ahead of what is deleted.
	removeFailuresMax = 100 // Failures that are told one by one.
)

// removal is what `cairn object rm` is asked to do.
type removal struct {
	target
	output    string
	recursive bool
	versions  bool
	dryRun    bool
	all       bool
	bypass    bool
	yes       bool
	parallel  int

	bucket, prefix, version string
}

func newObjectRm() *cobra.Command {
	r := &removal{}
	v := verb{use: "rm OBJECT"}
	cmd := &cobra.Command{Use: v.use, Short: "Delete an object, or all objects with a prefix", Args: v.arguments,
		Long: `Delete an object, or with --recursive every object whose key begins with a prefix,
through the S3 API and with the rights of these credentials. 1,000 keys go in a
request, and some requests at once. How far it is, is told on standard error: in a
bar on a terminal, in plain lines elsewhere. Interrupted, it can be begun again and
goes on with what is left.

OBJECT is s3://BUCKET/KEY, of one version with ?versionId=ID (null: the version
without an id) at its end; a ? in the key itself is written %3F then, and % as %25.
With --recursive it is s3://BUCKET/PREFIX, as it stands: s3://b/log is also the
prefix of s3://b/logbook, s3://b/log/ is not.

Where the bucket keeps versions, the objects get delete markers, unless --versions is
given: then all their versions and delete markers go, for good.

On a terminal --recursive and --versions ask first. Exit status 1 also tells that some
objects could not be deleted.

` + exitHelp,
		Example: `  cairn object rm s3://photos/2024/beach.jpg
  cairn object rm 's3://photos/2024/beach.jpg?versionId=null'
  cairn object rm s3://photos/2024/ --recursive --dry-run
  cairn object rm s3://photos/2024/ --recursive --versions
  cairn object rm s3://photos --recursive --all --yes -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.read(args[0]); err != nil {
				return &statusError{exitUsage, err}
			}
			if err := r.resolve(); err != nil {
				return err
			}
			if err := r.agree(cmd.InOrStdin(), cmd.ErrOrStderr()); err != nil {
				return err
			}
			return r.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		}}
	r.flags(cmd)
	outputFlag(cmd, &r.output)
	fs := cmd.Flags()
	fs.BoolVarP(&r.recursive, "recursive", "r", false, "every object whose key begins with what is given")
	fs.BoolVar(&r.versions, "versions", false, "all versions and delete markers, for good")
	fs.BoolVar(&r.dryRun, "dry-run", false, "list what would be deleted, and delete nothing")
	fs.BoolVar(&r.all, "all", false, "with --recursive and no prefix: yes, the whole bucket")
	fs.BoolVar(&r.bypass, "bypass-governance", false, "delete also what is retained in governance mode (needs s3:BypassGovernanceRetention)")
	fs.BoolVar(&r.yes, "yes", false, "do not ask for confirmation")
	fs.IntVar(&r.parallel, "parallel", removeParallel, "requests at once, up to 64")
	return cmd
}

// read takes the argument and checks it with the flags.
func (r *removal) read(text string) error {
	if err := checkOutput(r.output); err != nil {
		return err
	}
	if r.parallel < 1 || r.parallel > removeParallelMax {
		return fmt.Errorf("--parallel %d: between 1 and %d", r.parallel, removeParallelMax)
	}
	var err error
	if !r.recursive {
		if r.all {
			return errors.New("--all goes with --recursive")
		}
		if r.bucket, r.prefix, r.version, err = parseObject(text); err != nil {
			return fmt.Errorf("%w; all objects with a prefix are deleted with --recursive", err)
		}
		if r.version != "" && r.versions {
			return errors.New("?versionId= names one version, --versions means all: give one of them")
		}
		return nil
	}
	rest, ok := strings.CutPrefix(text, "s3://")
	if r.bucket, r.prefix, _ = strings.Cut(rest, "/"); !ok || r.bucket == "" {
		return fmt.Errorf("%q is not s3://BUCKET/PREFIX", text)
	}
	switch {
	case strings.Contains(r.prefix, versionParameter):
		return errors.New("?versionId= names one version: leave --recursive out")
	case r.prefix == "" && !r.all:
		return fmt.Errorf("%q is the whole bucket: add --all if that is meant", text)
	case r.prefix != "" && r.all:
		return errors.New("--all means the whole bucket: leave the prefix out")
	}
	return nil
}

// agree asks on a terminal before much is deleted. If there is no terminal, nobody can be asked,
// and the command itself is the answer.
func (r *removal) agree(in io.Reader, notes io.Writer) error {
	if !r.recursive && !r.versions || r.yes || r.dryRun || !isTerminal(in) {
		return nil
	}
	what := "Every object"
	if r.versions {
		what = "Every version and delete marker, for good,"
	}
	if !r.recursive {
		return confirm(in, notes, what+" of "+r.name(r.prefix, "")+" will be deleted.")
	}
	return confirm(in, notes, what+" whose key begins with "+r.name(r.prefix, "")+" will be deleted.")
}

// name is how an object is written: as parseObject reads it, or quoted if a terminal might take it
// for something else.
func (r *removal) name(key, version string) string {
	text := "s3://" + r.bucket + "/" + key
	if version != "" {
		text = "s3://" + r.bucket + "/" + strings.NewReplacer("%", "%25", "?", "%3F").Replace(key) + versionParameter + url.QueryEscape(version)
	}
	if strconv.Quote(text) != `"`+text+`"` {
		return strconv.Quote(text)
	}
	return text
}

// run lists and deletes at once, and tells the outcome.
func (r *removal) run(ctx context.Context, out, notes io.Writer) error {
	c, err := r.s3(r.parallel)
	if err != nil {
		return err
	}
	c.bypass = r.bypass
	t := &tally{Bucket: r.bucket, Prefix: r.prefix, Versions: r.versions, DryRun: r.dryRun, FailedFor: map[string]uint64{}, Failures: []notDeleted{}}
	p := newProgress(notes, t)
	err = r.work(ctx, c, t, out)
	p.close()
	t.Interrupted = err != nil
	if r.output == outputJSON {
		text, jsonErr := json.MarshalIndent(t, "", "  ")
		if jsonErr != nil {
			return jsonErr
		}
		_, jsonErr = fmt.Fprintln(out, string(text))
		err = cmp.Or(err, jsonErr)
	} else {
		err = cmp.Or(err, r.tell(t, out, notes))
	}
	var own *statusError
	switch {
	case ctx.Err() != nil:
		return &statusError{exitInterrupted, errors.New("interrupted; the same command goes on with what is left")}
	case errors.As(err, &own):
		return err
	case err != nil:
		return r.s3Failure(err)
	case t.Failed > 0:
		return &statusError{exitError, fmt.Errorf("%d of %d could not be deleted", t.Failed, t.Found)}
	}
	return nil
}

// work finds and deletes until nothing is left or a request fails for good.
func (r *removal) work(ctx context.Context, c *s3Client, t *tally, out io.Writer) error {
	g, ctx := errgroup.WithContext(ctx)
	pages := make(chan []listed, removeAhead)
	g.Go(func() error {
		defer close(pages)
		err := r.find(ctx, c, func(found []listed) error {
			t.find(found)
			select {
			case pages <- found:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		t.foundAll()
		return err
	})
	workers := r.parallel
	if r.dryRun {
		workers = 1 // A dry run lists objects in order.
	}
	for range workers {
		g.Go(func() error {
			for page := range pages {
				if r.dryRun {
					if err := r.show(page, out); err != nil {
						return err
					}
					continue
				}
				left, err := c.delete(ctx, r.bucket, page)
				if err != nil {
					return err
				}
				t.add(page, left)
			}
			return nil
		})
	}
	return g.Wait()
}

// show lists objects that would be deleted.
func (r *removal) show(page []listed, out io.Writer) error {
	if r.output == outputJSON {
		return nil
	}
	for _, o := range page {
		if _, err := fmt.Fprintln(out, r.name(o.Key, o.VersionID)); err != nil {
			return err
		}
	}
	return nil
}

// find calls yield with all that is to be deleted, in pages.
func (r *removal) find(ctx context.Context, c *s3Client, yield func([]listed) error) error {
	if !r.recursive && !r.versions {
		return yield([]listed{{Key: r.prefix, VersionID: r.version}})
	}
	// Where the version at which a page ended is gone when the next is read, S3 may
	// tell the others of its key again.
	var told map[string]bool
	for page := (*listPage)(nil); page == nil || page.Truncated; {
		before := page
		var err error
		if page, err = c.page(ctx, r.bucket, r.prefix, r.versions, before); err != nil {
			return err
		}
		found, beyond := r.wanted(page.entries(), before, told)
		if len(found) > 0 {
			if err := yield(found); err != nil {
				return err
			}
		}
		if beyond {
			return nil
		}
		if before == nil || before.NextKeyMarker != page.NextKeyMarker {
			told = map[string]bool{}
		}
		for _, o := range found {
			if o.Key == page.NextKeyMarker {
				told[o.VersionID] = true
			}
		}
	}
	return nil
}

// wanted returns the entries of a page that are to be deleted and that the page before did not
// have. beyond says that the page goes beyond the one key that is asked for.
func (r *removal) wanted(entries []listed, before *listPage, told map[string]bool) (found []listed, beyond bool) {
	for _, o := range entries {
		switch {
		case !r.recursive && o.Key != r.prefix:
			beyond = true
		case before != nil && o.Key == before.NextKeyMarker && told[o.VersionID]:
		default:
			found = append(found, o)
		}
	}
	return found, beyond
}

// tell says the outcome in words, and the first failures one by one.
func (r *removal) tell(t *tally, out, notes io.Writer) error {
	for _, f := range t.Failures {
		if _, err := fmt.Fprintf(notes, "%s: %s: %s\n", r.name(f.Key, f.VersionID), f.Code, f.Message); err != nil {
			return err
		}
	}
	if more := t.Failed - uint64(len(t.Failures)); more > 0 {
		if _, err := fmt.Fprintf(notes, "and %d more\n", more); err != nil {
			return err
		}
	}
	verb, n, bytes := "deleted", t.Deleted, t.DeletedBytes
	if r.dryRun {
		verb, n, bytes = "would delete", t.Found, t.FoundBytes
		out = notes // There is the list on out.
	}
	what := "objects"
	if r.versions || r.version != "" {
		what = "versions"
	}
	if n == 1 {
		what = strings.TrimSuffix(what, "s")
	}
	size := ""
	if r.recursive || r.versions {
		size = ", " + humanize.IBytes(bytes)
	}
	_, err := fmt.Fprintf(out, "%s %d %s%s\n", verb, n, what, size)
	return err
}
