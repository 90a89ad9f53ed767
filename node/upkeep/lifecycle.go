package upkeep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/lifecycle"
	"github.com/cairnstore/cairn/s3api/object"
)

// Transitions changes the storage class of versions.
type Transitions interface {
	// Transition changes the class of a version. It returns false where the version is gone, or
	// is another by now. It may be repeated.
	Transition(ctx context.Context, in *object.TransitionInput) (bool, error)
}

const (
	lifecyclePages = 256  // Pages of versions that one round looks at.
	lifecyclePage  = 1000 // Versions of a page.
	// lifecyclePause is the pause between two pages, so at most 50,000 versions are looked at in
	// a second.
	lifecyclePause = 20 * time.Millisecond
	// lifecycleEvery is the longest pause between two walks over all buckets. Versions become due
	// at midnight, so some minutes do not matter. Where days are made short, walkPause makes it
	// shorter.
	lifecycleEvery  = 10 * time.Minute
	lifecycleWalks  = 8   // Walks in a short day, at least.
	expireBatch     = 250 // Versions that one command ends.
	transitionsOnce = 2   // Versions whose class changes at once.
)

// lifecycler carries out the lifecycle rules of buckets. It walks over the versions of the
// buckets that have rules, some pages a round, and goes on in the next round where it stopped. A
// new leader begins a new walk. Its clock says when a version is due. Apply decides whether the
// version is still the one that was looked at.
type lifecycler struct {
	c    Config
	t    *tracker
	page uint32    // How many versions a page has.
	rest time.Time // The next walk does not begin before.

	buckets []string // Those that are still to be walked, the first one now; nil: no walk is under way.
	cursor  versionCursor
}

func newLifecycler(c Config, t *tracker) *lifecycler {
	return &lifecycler{c: c, t: t, page: lifecyclePage}
}

// run does one round.
func (l *lifecycler) run(ctx context.Context) error {
	now := time.Now()
	if l.buckets == nil {
		if now.Before(l.rest) {
			return nil
		}
		a, err := l.c.Metadata.Read(ctx, &metapb.Query{Op: &metapb.Query_ListBuckets{ListBuckets: &metapb.ListBuckets{}}})
		if err != nil {
			return err
		}
		l.cursor = versionCursor{}
		l.t.begin(0, 0, "versions of buckets with rules")
		for _, b := range a.Buckets {
			l.buckets = append(l.buckets, b.Name)
		}
	}
	l.t.resume()
	return l.walk(ctx)
}

// walk goes on with the walk until it ends or the round does. A bucket that fails is left out of
// this walk and holds up no other.
func (l *lifecycler) walk(ctx context.Context) (failed error) {
	pages := 0
	for len(l.buckets) > 0 && pages < lifecyclePages && !l.t.isPaused() {
		n, done, err := l.bucket(ctx, l.buckets[0], lifecyclePages-pages)
		pages += n
		if ctx.Err() != nil {
			return errors.Join(failed, err)
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("lifecycle of bucket %s: %w", l.buckets[0], err))
		}
		if done || err != nil {
			l.buckets, l.cursor = l.buckets[1:], versionCursor{}
		}
	}
	if len(l.buckets) == 0 {
		l.buckets, l.rest = nil, time.Now().Add(walkPause(lifecycleEvery, l.c.LifecycleDay))
		l.t.finish()
	}
	return failed
}

// walkPause returns the pause between two walks: most, or less where the days of lifecycle rules
// are so short that there would be too few walks in one.
func walkPause(most, day time.Duration) time.Duration {
	if day <= 0 {
		return most
	}
	return min(most, day/lifecycleWalks)
}

// bucket walks over at most most pages of the versions of a bucket, with its rules as they are
// now. done says that the bucket has no more.
func (l *lifecycler) bucket(ctx context.Context, name string, most int) (pages int, done bool, err error) {
	a, err := l.c.Metadata.Read(ctx, &metapb.Query{Op: &metapb.Query_Bucket{Bucket: &metapb.GetBucket{Name: name, WithConfig: true}}})
	if err != nil {
		return 0, false, err
	}
	rules, err := lifecycle.Read(a.BucketConfig, l.c.LifecycleDay)
	if err != nil {
		return 0, false, fmt.Errorf("put the rules again: %w", err)
	}
	if !rules.Any() { // A bucket that is gone has none either.
		return 0, true, nil
	}
	for pages < most && !l.t.isPaused() {
		page := &lifecyclePageWork{l: l, bucket: a.Bucket, rules: rules, now: time.Now()}
		more, err := page.run(ctx)
		pages++
		if err != nil || !more {
			return pages, !more, err
		}
		if !pause(ctx, lifecyclePause) {
			return pages, false, ctx.Err()
		}
	}
	return pages, false, nil
}
