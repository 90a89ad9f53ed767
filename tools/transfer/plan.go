package transfer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Selection says which objects and files are meant.
type Selection struct {
	Recursive bool
	Literal   bool // * and ? in keys are themselves.
	Versions  bool // All versions and delete markers.
	Rules     Rules
}

// CopyPlan is a copy of things to a place.
type CopyPlan struct {
	Selection
	From []Location
	To   Location
	Move bool
}

// UsageError is of a plan that makes no sense, whatever there is.
type UsageError struct{ error }

func usage(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// Check says what is wrong with a plan before anything is asked. Its errors are *UsageError.
func (p CopyPlan) Check() error {
	if p.To.Version != "" {
		return usage("%s: a version cannot be written", p.To)
	}
	several := len(p.From) > 1
	if several && p.To.Kind == Object && !p.To.isDir() {
		return usage("several things go to one prefix: end %s with a slash", p.To)
	}
	if several && p.To.Kind == Local {
		if info, err := os.Stat(p.To.Path); err == nil && !info.IsDir() {
			return usage("several things go to one directory, and %s is none", p.To)
		}
	}
	for _, from := range p.From {
		if err := p.checkOne(from); err != nil {
			return err
		}
	}
	return nil
}

func (p CopyPlan) checkOne(from Location) error {
	switch {
	case from.Kind == Stream || p.To.Kind == Stream:
		if len(p.From) > 1 || p.Recursive || p.Move || from.Kind != Object && p.To.Kind != Object {
			return usage("- stands for one object's bytes: cp - s3://BUCKET/KEY, or cp s3://BUCKET/KEY -")
		}
		if from.Kind == Object && from.isDir() || p.To.Kind == Object && p.To.isDir() {
			return usage("- goes to or comes from one object: give its key")
		}
		return nil
	case from.Kind == Local && p.To.Kind == Local:
		return usage("neither %s nor %s is s3://BUCKET", from, p.To)
	case from.Kind == Local:
		return nil
	case from.Version != "" && (p.Recursive || p.Move):
		return usage("%s is one version: it is copied by itself", from)
	case p.isPattern(from), p.Recursive:
		return p.checkOverlap(from)
	case from.isDir():
		return usage("%s is a bucket or a prefix: add --recursive", from)
	}
	if to := p.objectTo(base(from.Key), true); p.To.Kind == Object && to.Bucket == from.Bucket && to.Key == from.Key &&
		(p.Move) {
		return usage("%s: %w", from, errItself)
	}
	return nil
}

// checkOverlap refuses a copy into what is copied, which would never end.
func (p CopyPlan) checkOverlap(from Location) error {
	dir := asDir(from.Key)
	if p.isPattern(from) {
		if dir = patternDir(from.Key); !p.Recursive && !strings.Contains(from.Key, "**") {
			return nil // What it matches lies at a depth where its copies do not.
		}
	}
	if p.To.Kind == Object && p.To.Bucket == from.Bucket && strings.HasPrefix(asDir(p.To.Key), dir) {
		return usage("%s lies in %s: a copy would copy itself", p.To, from)
	}
	return nil
}

func (s Selection) isPattern(l Location) bool {
	return l.Kind == Object && !s.Literal && l.Version == "" && IsPattern(l.Key)
}

// patternDir returns what all keys begin with that a pattern can match, up to the last slash.
func patternDir(pattern string) string {
	plain := pattern[:strings.IndexAny(pattern, "*?")]
	return plain[:strings.LastIndexByte(plain, '/')+1]
}

// objectTo returns where something goes that has a path below its source.
func (p CopyPlan) objectTo(rel string, single bool) Location {
	if single && !p.To.isDir() {
		return p.To
	}
	return Location{Kind: Object, Bucket: p.To.Bucket, Key: asDir(p.To.Key) + rel}
}

// to fills in where a task's bytes go.
func (p CopyPlan) to(t Task, rel string, single bool) Task {
	if p.To.Kind == Object {
		t.To = p.objectTo(rel, single)
		return t
	}
	dir, name := p.To.Path, rel
	if single && !strings.HasSuffix(dir, "/") {
		info, err := os.Stat(dir)
		real, linkErr := filepath.EvalSymlinks(dir)
		switch {
		case err == nil && !info.IsDir() && (!info.Mode().IsRegular() || linkErr != nil):
			t.To, t.Into = p.To, true // Such as a named pipe, or /dev/stdout.
			return t
		case err == nil && !info.IsDir():
			dir, name = filepath.Dir(real), filepath.Base(real) // A link that was named is followed.
		case err != nil:
			dir, name = filepath.Dir(dir), filepath.Base(dir)
		}
	}
	t.To, t.Rel = Location{Path: dir}, name
	return t
}

// ErrNothing is of a source that there is not.
var ErrNothing = errors.New("there is nothing of this name")

// IsNothing reports whether an error says that something is not there.
func IsNothing(err error) bool {
	return errors.Is(err, ErrNothing) || isMissing(err) || errors.Is(err, fs.ErrNotExist)
}

// PlanCopy makes the tasks of a plan. What cannot be read is yielded as a *Failure.
func (s *Store) PlanCopy(ctx context.Context, p CopyPlan) iter.Seq2[Task, error] {
	return func(yield func(Task, error) bool) {
		for _, from := range p.From {
			if !s.planOne(ctx, p, from, yield) {
				return
			}
		}
	}
}

func (s *Store) planOne(ctx context.Context, p CopyPlan, from Location, yield func(Task, error) bool) bool {
	above := ""
	if len(p.From) > 1 && !p.isPattern(from) && p.Recursive {
		above = base(strings.TrimSuffix(from.Key, "/"))
		if from.Kind == Local {
			above = filepath.Base(from.Path)
		}
		above = asDir(above)
	}
	found, single := s.Select(ctx, from, p.Selection)
	n := 0
	for item, err := range found {
		n++
		if err != nil {
			if !yield(Task{}, err) {
				return false
			}
			continue
		}
		t := Task{From: item.At, Size: item.Size, Modified: item.Modified, ETag: item.ETag}
		if p.Move {
			t.Op = Move
		}
		rel := item.Rel
		if !single {
			rel = above + rel
		}
		t = p.to(t, rel, single)
		if rel == "" && t.Size == 0 && p.To.Kind == Local {
			t.Op = Skip // It stands for the prefix itself.
		}
		if !yield(t, nil) {
			return false
		}
	}
	if n == 0 && len(p.Rules) == 0 {
		if info, err := os.Stat(from.Path); from.Kind == Local && err == nil && info.IsDir() {
			return true // An empty directory is nothing to copy.
		}
		return yield(Task{}, &Failure{from, ErrNothing})
	}
	return true
}

// Select returns the objects or files that a location and a selection mean, and whether the location is
// one of them itself. What cannot be read is yielded as a *Failure.
func (s *Store) Select(ctx context.Context, from Location, sel Selection) (iter.Seq2[Item, error], bool) {
	switch {
	case from.Kind == Local:
		return selectLocal(ctx, from, sel)
	case sel.isPattern(from):
		return sel.filter(s.selectPattern(ctx, from, sel)), false
	case sel.Recursive:
		return sel.filter(s.List(ctx, from.Bucket, asDir(from.Key), ListOptions{Versions: sel.Versions})), false
	}
	return func(yield func(Item, error) bool) {
		h, err := s.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &from.Bucket, Key: &from.Key,
			VersionId: given(from.Version)})
		if err != nil {
			if ctx.Err() == nil {
				err = &Failure{from, err}
			}
			yield(Item{}, err)
			return
		}
		yield(Item{At: from, Rel: base(from.Key), Size: aws.ToInt64(h.ContentLength), Modified: aws.ToTime(h.LastModified),
			ETag: unquoted(h.ETag)}, nil)
	}, true
}

func selectLocal(ctx context.Context, from Location, sel Selection) (iter.Seq2[Item, error], bool) {
	info, err := os.Stat(from.Path)
	if err == nil && info.IsDir() && sel.Recursive {
		return sel.filter(Walk(ctx, from.Path)), false
	}
	return func(yield func(Item, error) bool) {
		if err == nil && info.IsDir() {
			err = errors.New("it is a directory: add --recursive")
		}
		var item Item
		if err == nil {
			item, err = fileItem(from.Path)
		}
		if err != nil {
			err = &Failure{from, plainPathError(err)}
		}
		yield(item, err)
	}, true
}

// selectPattern lists what a pattern matches. Paths are relative to the last directory without wildcards.
func (s *Store) selectPattern(ctx context.Context, from Location, sel Selection) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		dir := patternDir(from.Key)
		wild := strings.IndexAny(from.Key, "*?")
		flat := !sel.Recursive && !sel.Versions && !strings.Contains(from.Key[wild:], "/") &&
			!strings.Contains(from.Key, "**")
		for item, err := range s.List(ctx, from.Bucket, from.Key[:wild], ListOptions{Versions: sel.Versions, Split: flat}) {
			if err == nil && (item.Prefix || !matchKey(from.Key, item.At.Key, sel.Recursive)) {
				continue
			}
			if err == nil {
				item.Rel = item.At.Key[len(dir):]
			}
			if !yield(item, err) {
				return
			}
		}
	}
}

// filter leaves out what the rules do.
func (s Selection) filter(items iter.Seq2[Item, error]) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for item, err := range items {
			if err == nil && !s.Rules.Take(item.Rel) {
				continue
			}
			if !yield(item, err) {
				return
			}
		}
	}
}

// PlanRemove makes the tasks of a deletion. A key that is given by itself is deleted without a look at
// whether it is there.
func (s *Store) PlanRemove(ctx context.Context, from []Location, sel Selection) iter.Seq2[Task, error] {
	return func(yield func(Task, error) bool) {
		for _, l := range from {
			if !s.removeOne(ctx, l, sel, yield) {
				return
			}
		}
	}
}

func (s *Store) removeOne(ctx context.Context, l Location, sel Selection, yield func(Task, error) bool) bool {
	if !sel.Recursive && !sel.isPattern(l) && !sel.Versions {
		return yield(Task{Op: Delete, To: l}, nil)
	}
	var items iter.Seq2[Item, error]
	exact := !sel.Recursive && !sel.isPattern(l)
	if exact {
		items = s.List(ctx, l.Bucket, l.Key, ListOptions{Versions: true})
	} else {
		items, _ = s.Select(ctx, l, sel)
	}
	for item, err := range items {
		if err != nil {
			return yield(Task{}, err)
		}
		if exact && item.At.Key != l.Key {
			break // The key is the first of those that begin with it.
		}
		if !yield(Task{Op: Delete, To: item.At, Size: item.Size, ETag: item.ETag}, nil) {
			return false
		}
	}
	return true
}

// Wild reports whether one of the locations is a pattern.
func (s Selection) Wild(list []Location) bool { return slices.ContainsFunc(list, s.isPattern) }
