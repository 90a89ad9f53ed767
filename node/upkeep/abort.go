package upkeep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/lifecycle"
)

const (
	// abortPages is how many pages of uploads one round looks at.
	abortPages = 64
	// abortEvery is the longest pause between two walks over all uploads. Uploads become due at
	// midnight, so some minutes do not matter.
	abortEvery = 10 * time.Minute
)

// aborter aborts uploads that are older than a lifecycle rule of their bucket allows. It walks
// over all open uploads, some pages a round, and goes on in the next round where it stopped. Its
// clock says when an upload is due. Apply decides whether the upload is still there.
type aborter struct {
	c     Config
	after []byte    // The last upload that the walk has looked at; nil: it begins.
	rest  time.Time // The next walk does not begin before.
}

func newAborter(c Config) *aborter { return &aborter{c: c} }

// run does one round. It reads the rules of each bucket once. Where they cannot be read, the
// uploads of this bucket stay, and those of the others are aborted all the same.
func (a *aborter) run(ctx context.Context) error {
	if a.after == nil && time.Now().Before(a.rest) {
		return nil
	}
	r := &abortRound{a: a, rules: map[string]lifecycle.Rules{}}
	err := r.run(ctx)
	if r.aborted > 0 {
		a.c.Events.Aborted(r.aborted)
	}
	return errors.Join(err, r.unread)
}

// abortRound is one round of an aborter.
type abortRound struct {
	a       *aborter
	rules   map[string]lifecycle.Rules // By bucket.
	unread  error                      // Why some rules could not be read.
	aborted int
}

func (r *abortRound) run(ctx context.Context) error {
	for range abortPages {
		answer, err := r.a.c.Metadata.Read(ctx, &metapb.Query{Op: &metapb.Query_ListWork{ListWork: &metapb.ListWork{
			Kind: metapb.WorkKind_WORK_UPLOADS, AfterId: r.a.after, Max: pageItems}}})
		if err != nil {
			return err
		}
		for _, it := range answer.Work.Items {
			if err := r.upload(ctx, it); err != nil {
				return err
			}
			r.a.after = it.Id
		}
		if !answer.Work.Truncated {
			r.a.after, r.a.rest = nil, time.Now().Add(walkPause(abortEvery, r.a.c.LifecycleDay))
			return nil
		}
	}
	return nil
}

// upload aborts an upload if it is due.
func (r *abortRound) upload(ctx context.Context, it *metapb.WorkItem) error {
	rules, err := r.rulesOf(ctx, it.Bucket)
	if err != nil {
		return err
	}
	at, _ := rules.Abort(it.Key, it.Upload.InitiatedMs)
	if at.IsZero() || time.Now().Before(at) {
		return nil
	}
	result, err := r.a.c.Metadata.Propose(ctx, &metapb.Command{Op: &metapb.Command_AbortUpload{
		AbortUpload: &metapb.AbortUpload{UploadId: it.Id, Bucket: it.Bucket, Key: it.Key}}})
	// A refusal means that the upload was completed or aborted, or that its bucket is gone.
	if err == nil && result.Refusal == metapb.Refusal_REFUSAL_NONE {
		r.aborted++
	}
	return err
}

// rulesOf returns the rules of a bucket, as they were when this round first asked.
func (r *abortRound) rulesOf(ctx context.Context, bucket string) (lifecycle.Rules, error) {
	rules, known := r.rules[bucket]
	if known {
		return rules, nil
	}
	answer, err := r.a.c.Metadata.Read(ctx, &metapb.Query{Op: &metapb.Query_Bucket{
		Bucket: &metapb.GetBucket{Name: bucket, WithConfig: true}}})
	if err != nil {
		return rules, err
	}
	rules, err = lifecycle.Read(answer.BucketConfig, r.a.c.LifecycleDay) // A bucket that is gone has none.
	if err != nil {
		r.unread = errors.Join(r.unread, fmt.Errorf("bucket %s: put its lifecycle rules again: %w", bucket, err))
	}
	r.rules[bucket] = rules
	return rules, nil
}
