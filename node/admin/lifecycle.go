package admin

import (
	"context"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/s3api/lifecycle"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// maxLifecycle is how many versions one SimulateLifecycle looks at.
const maxLifecycle = 1000

// lifecycleActions are what rules do, as answers name it.
var lifecycleActions = map[metapb.Expiry]string{metapb.Expiry_EXPIRY_NONE: "move",
	metapb.Expiry_EXPIRY_CURRENT: "expire", metapb.Expiry_EXPIRY_OLDER: "delete-version",
	metapb.Expiry_EXPIRY_MARKER: "remove-marker"}

// SimulateLifecycle implements AdminService. It judges as the job that carries rules out does. Errors: NotFound;
// Invalid if the rules that are tried are none.
func (s *service) SimulateLifecycle(ctx context.Context, r *adminpb.SimulateLifecycleRequest) (
	*adminpb.LifecycleSimulation, error) {
	rules, err := s.lifecycleOf(ctx, r)
	if err != nil {
		return nil, err
	}
	page := r.Max
	if page == 0 || page > maxLifecycle {
		page = maxLifecycle
	}
	at := r.After
	if at == nil {
		at = &adminpb.LifecycleCursor{}
	}
	// One more is read than is judged: the next version tells whether the last one is alone.
	a, err := s.c.Metadata.Read(ctx, &metapb.Query{Op: &metapb.Query_ListVersions{ListVersions: &metapb.ListVersions{
		Bucket: r.Bucket, Prefix: rules.Prefix(), KeyMarker: at.Key, VersionMarker: at.VersionId, MaxKeys: page + 1}}})
	switch {
	case err != nil:
		return nil, err
	case a.Refusal != metapb.Refusal_REFUSAL_NONE:
		return nil, noBucket(r.Bucket)
	}
	entries, out, now := a.GetVersions().GetEntries(), &adminpb.LifecycleSimulation{}, time.Now()
	for i, e := range entries {
		if i == int(page) {
			out.Next = at
			break
		}
		alone := e.Latest && (i+1 == len(entries) || entries[i+1].Key != e.Key)
		subject := &lifecycle.Subject{Key: e.Key, Version: e.Version, Latest: e.Latest, Alone: alone,
			SucceededMs: int64(at.MadeMs), Newer: int64(at.Newer)}
		at = &adminpb.LifecycleCursor{Key: e.Key, VersionId: versionID(e.Version), MadeMs: uint64(e.Version.ModifiedMs),
			Newer: at.Newer + 1}
		if e.Latest {
			at.Newer = 0
		}
		out.LookedAt++
		if due := lifecycleDue(rules, subject, now); due != nil {
			out.Due = append(out.Due, due)
		}
	}
	if out.Next == nil && a.GetVersions().GetTruncated() && len(entries) > 0 {
		out.Next = at
	}
	return out, nil
}

// lifecycleOf returns the rules that are tried, or those of the bucket.
func (s *service) lifecycleOf(ctx context.Context, r *adminpb.SimulateLifecycleRequest) (lifecycle.Rules, error) {
	const op = "admin.SimulateLifecycle"
	q := &metapb.GetBucket{Name: r.Bucket, WithConfig: true}
	a, err := s.c.Metadata.Read(ctx, &metapb.Query{Op: &metapb.Query_Bucket{Bucket: q}})
	if err != nil {
		return lifecycle.Rules{}, err
	}
	if a.Refusal != metapb.Refusal_REFUSAL_NONE || !owns(ctx, a.GetBucket().GetOwner()) {
		return lifecycle.Rules{}, noBucket(r.Bucket)
	}
	if r.Rules == "" {
		return lifecycle.Read(a.GetBucketConfig(), s.c.LifecycleDay)
	}
	if len(r.Rules) > wirexml.MaxConfigurationBytes {
		return lifecycle.Rules{}, errs.Newf(op, errs.Invalid, "a document of rules has at most %d bytes",
			wirexml.MaxConfigurationBytes)
	}
	doc, err := wirexml.ParseLifecycle([]byte(r.Rules))
	if err == nil {
		err = lifecycle.Check(doc)
	}
	if err != nil {
		return lifecycle.Rules{}, errs.Newf(op, errs.Invalid, "%v", err)
	}
	return lifecycle.Parse([]byte(r.Rules), s.c.LifecycleDay)
}

// lifecycleDue returns what is due of a version; nil: nothing.
func lifecycleDue(rules lifecycle.Rules, of *lifecycle.Subject, now time.Time) *adminpb.LifecycleDue {
	verdict, due := rules.Due(of, now)
	// A version that has a warm copy, or gets one, keeps its class.
	if !due || verdict.Expiry == metapb.Expiry_EXPIRY_NONE && of.Version.Restore != nil {
		return nil
	}
	return &adminpb.LifecycleDue{Key: of.Key, VersionId: versionID(of.Version), Bytes: of.Version.Size,
		Action: lifecycleActions[verdict.Expiry], StorageClass: verdict.Class, Rule: verdict.Rule,
		Since: verdict.At.UTC().Format(time.RFC3339)}
}
