package transfer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// SyncPlan makes a directory or prefix like another.
type SyncPlan struct {
	Rules    Rules
	From, To Location
	Delete   bool // What the source does not have goes.
	SizeOnly bool // What has the same size is the same.
}

// Check says what is wrong with a plan before anything is asked. Its errors are *UsageError.
func (p SyncPlan) Check() error {
	switch {
	case p.From.Kind == Stream || p.To.Kind == Stream:
		return usage("- is one object, and not a directory or prefix")
	case p.From.Kind == Local && p.To.Kind == Local:
		return usage("neither %s nor %s is s3://BUCKET", p.From, p.To)
	case p.From.Version != "" || p.To.Version != "":
		return usage("a version is one object, and not a prefix")
	case p.From.Kind == Object && p.To.Kind == Object && p.From.Bucket == p.To.Bucket &&
		(strings.HasPrefix(asDir(p.To.Key), asDir(p.From.Key)) || strings.HasPrefix(asDir(p.From.Key), asDir(p.To.Key))):
		return usage("of %s and %s one lies in the other", p.From, p.To)
	}
	for _, l := range []Location{p.From, p.To} {
		info, err := os.Stat(l.Path)
		if l.Kind == Local && err == nil && !info.IsDir() {
			return usage("%s is no directory", l)
		}
	}
	return nil
}

// items lists one side of a plan.
func (s *Store) items(ctx context.Context, l Location, rules Rules) iter.Seq2[Item, error] {
	sel := Selection{Recursive: true, Literal: true, Rules: rules}
	if l.Kind == Local {
		return sel.filter(Walk(ctx, l.Path))
	}
	return sel.filter(s.List(ctx, l.Bucket, asDir(l.Key), ListOptions{}))
}

// PlanSync makes the tasks of a plan. Deletions come last, and only if all of the source could be read.
func (s *Store) PlanSync(ctx context.Context, p SyncPlan) iter.Seq2[Task, error] {
	return func(yield func(Task, error) bool) {
		if p.From.Kind == Local {
			if _, err := os.Stat(p.From.Path); err != nil {
				yield(Task{}, &Failure{p.From, plainPathError(err)})
				return
			}
		}
		m := &syncing{plan: p, yield: yield}
		if m.merge(s.items(ctx, p.From, p.Rules), s.there(ctx, p)) {
			m.deletions()
		}
	}
}

// there lists the destination; a directory that is not there has nothing.
func (s *Store) there(ctx context.Context, p SyncPlan) iter.Seq2[Item, error] {
	if p.To.Kind == Local {
		if _, err := os.Stat(p.To.Path); errors.Is(err, fs.ErrNotExist) {
			return func(func(Item, error) bool) {}
		}
	}
	return s.items(ctx, p.To, p.Rules)
}

// syncing is one run of a plan.
type syncing struct {
	plan   SyncPlan
	yield  func(Task, error) bool
	found  bool // The source has something.
	unread bool // Not all of the source could be read.
	gone   []Task
}

// merge goes through both sides, which have the same order, and yields what is to be copied. It reports
// whether it came to the end.
func (m *syncing) merge(from, to iter.Seq2[Item, error]) bool {
	nextFrom, stopFrom := iter.Pull2(from)
	defer stopFrom()
	nextTo, stopTo := iter.Pull2(to)
	defer stopTo()
	have, haveOK, ok := m.next(nextTo, false)
	for ok {
		var want Item
		var wantOK bool
		if want, wantOK, ok = m.next(nextFrom, true); !ok || !wantOK {
			break
		}
		m.found = true
		for ok && haveOK && have.Rel < want.Rel {
			m.surplus(have)
			have, haveOK, ok = m.next(nextTo, false)
		}
		if !ok {
			break
		}
		same := haveOK && have.Rel == want.Rel
		if !m.yield(m.task(want, have, same), nil) {
			return false
		}
		if same {
			have, haveOK, ok = m.next(nextTo, false)
		}
	}
	for ok && haveOK && m.plan.Delete {
		m.surplus(have)
		have, haveOK, ok = m.next(nextTo, false)
	}
	return ok
}

// next returns the next item of a side. ok is false if the run has ended.
func (m *syncing) next(next func() (Item, error, bool), source bool) (item Item, there, ok bool) {
	for {
		item, err, there := next()
		var f *Failure
		switch {
		case !there:
			return item, false, true
		case err == nil:
			return item, true, true
		case errors.As(err, &f) && !source && Skipped(err):
			continue // It is in nobody's way.
		case errors.As(err, &f):
			m.unread = m.unread || source && !Skipped(err)
			if !m.yield(Task{}, err) {
				return item, false, false
			}
		default:
			m.yield(Task{}, err)
			return item, false, false
		}
	}
}

// surplus notes what the source does not have.
func (m *syncing) surplus(have Item) {
	t := Task{Op: Delete, To: have.At, Size: have.Size, ETag: have.ETag}
	if m.plan.To.Kind == Local {
		t.To, t.Rel = m.plan.To, have.Rel
	}
	m.gone = append(m.gone, t)
}

// task says what is to be done with an item of the source.
func (m *syncing) task(want, have Item, there bool) Task {
	t := Task{From: want.At, Size: want.Size, Modified: want.Modified, ETag: want.ETag}
	if m.plan.To.Kind == Local {
		t.To, t.Rel = m.plan.To, want.Rel
		info, err := os.Stat(filepath.Join(m.plan.To.Path, filepath.FromSlash(want.Rel)))
		if strings.HasSuffix(want.Rel, "/") && want.Size == 0 && checkRel(want.Rel) == nil && err == nil && info.IsDir() ||
			want.Rel == "" {
			t.Op = Skip
		}
	} else {
		t.To = Location{Kind: Object, Bucket: m.plan.To.Bucket, Key: asDir(m.plan.To.Key) + want.Rel}
	}
	// A file system may keep times less exactly than a store.
	newer := want.Modified.Truncate(time.Millisecond).After(have.Modified.Truncate(time.Millisecond))
	if there && want.Size == have.Size && (m.plan.SizeOnly || !newer) {
		t.Op = Skip
	}
	return t
}

// errUnread is of deletions that are left undone.
var errUnread = errors.New("nothing is deleted there, because not all of the source could be read")

// deletions yields them.
func (m *syncing) deletions() {
	switch {
	case !m.plan.Delete || len(m.gone) == 0:
		return
	case m.unread:
		m.yield(Task{}, &Failure{m.plan.To, errUnread})
		return
	case !m.found && m.plan.From.Kind == Object && len(m.plan.Rules) == 0:
		// It is more likely a slip than a wish.
		m.yield(Task{}, &Failure{m.plan.From, fmt.Errorf("%w, so nothing is deleted in %s", ErrNothing, m.plan.To)})
		return
	}
	for _, t := range m.gone {
		if !m.yield(t, nil) {
			return
		}
	}
}

// Fingerprint sums up names, sizes and times of a directory or prefix: it is another when something has
// changed.
func (s *Store) Fingerprint(ctx context.Context, l Location, rules Rules) (string, error) {
	h := sha256.New()
	for item, err := range s.items(ctx, l, rules) {
		var f *Failure
		if errors.As(err, &f) {
			fmt.Fprintf(h, "%q\n", f.Error())
			continue
		}
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%q %d %d %q\n", item.Rel, item.Size, item.Modified.UnixNano(), item.ETag)
	}
	return string(h.Sum(nil)), nil
}
