package object

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// RestoreInput is a RestoreObject.
type RestoreInput struct {
	Caller      Caller
	Bucket, Key string
	VersionID   string
	Days        uint32 // How long the warm copy stays: wirexml.MinRestoreDays to MaxRestoreDays.
	Tier        string // One of wirexml's tiers. It decides how long the restore waits.
}

// restoreTries bounds how often a restore starts over because the version, or its restore, has
// changed meanwhile.
const restoreTries = 3

// Restore asks for a warm copy of a cold version, which upkeep makes after the tier's delay. If
// there is a warm copy already, it is kept for longer, and extended is true.
//
// Errors: InvalidObjectState (the version is not cold), RestoreAlreadyInProgress,
// ObjectHasAlreadyRestored (for longer than is asked for), OperationAborted (it changes all the
// time).
func (s *Service) Restore(ctx context.Context, in *RestoreInput) (extended bool, err error) {
	for range restoreTries {
		extended, err = s.restore(ctx, in)
		if !isRefusal(err, metapb.Refusal_REFUSAL_PRECONDITION_FAILED) && !isRefusal(err, metapb.Refusal_REFUSAL_INVALID) {
			return extended, err
		}
	}
	return false, s3err.OperationAborted.Because(err)
}

func (s *Service) restore(ctx context.Context, in *RestoreInput) (extended bool, err error) {
	a, err := s.query(ctx, in.Caller.Request, &metapb.Query{Op: &metapb.Query_Object{Object: &metapb.GetObject{
		Bucket: in.Bucket, Key: in.Key, VersionId: in.VersionID, Range: metapb.RangeKind_RANGE_NONE}}})
	if err != nil {
		return false, hideMissing(in.Caller.Access, err)
	}
	v := a.Object.Version
	if err := permit(in.Caller.Access, in.Key, v); err != nil {
		return false, err
	}
	if err := visible(v, in.VersionID); err != nil {
		return false, err
	}
	now := time.Now()
	r, extended, err := s.nextRestore(v, in, now)
	if err != nil || r == nil {
		return extended, err
	}
	// The command names the content of the version, and the warm copy that it extends, if any. If
	// the version is overwritten or the copy expires first, Apply refuses the change.
	_, err = s.commit(ctx, in.Caller.Request, &metapb.Command{Op: &metapb.Command_UpdateVersion{UpdateVersion: &metapb.UpdateVersion{
		Bucket: in.Bucket, Key: in.Key, VersionId: in.VersionID, ContentId: v.ContentId, Restore: r}}})
	return extended, err
}

// nextRestore returns what becomes of a version's restore, or nil if it stays as it is.
func (s *Service) nextRestore(v *metapb.Version, in *RestoreInput, now time.Time) (r *metapb.Restore, extended bool, err error) {
	if !isCold(v.GetAttributes()) {
		return nil, false, s3err.InvalidObjectState.Say(msgNotCold)
	}
	if v.Restore.GetOngoing() {
		return nil, false, s3err.RestoreAlreadyInProgress.Err()
	}
	until, expires := WarmUntil(v, now), restoreExpiry(now, in.Days)
	switch {
	case until == 0:
		return &metapb.Restore{Ongoing: true, RequestedMs: now.UnixMilli(), DueMs: now.Add(s.cfg.delay(in.Tier)).UnixMilli(),
			Days: in.Days, Tier: in.Tier}, false, nil
	case expires < until:
		return nil, false, s3err.ObjectHasAlreadyRestored.Err()
	case expires == until:
		return nil, true, nil
	}
	r = proto.CloneOf(v.Restore)
	r.ExpiresMs, r.Days = expires, in.Days
	return r, true, nil
}

// delay returns how long a restore of a tier waits before it begins.
func (c *Config) delay(tier string) time.Duration {
	switch tier {
	case wirexml.TierExpedited:
		return c.RestoreExpedited
	case wirexml.TierBulk:
		return c.RestoreBulk
	}
	return c.RestoreStandard
}

// restoreExpiry returns when a warm copy that is made now expires, in Unix ms: at the midnight
// (UTC) that follows after so many days.
func restoreExpiry(now time.Time, days uint32) int64 {
	const day = 24 * time.Hour
	return now.Add(time.Duration(days) * day).Truncate(day).Add(day).UnixMilli()
}
