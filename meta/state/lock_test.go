package state

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
)

// lockBucketOf turns object lock on for the bucket of versioned.
func lockBucketOf(d *metapb.DefaultRetention) *metapb.Command {
	return &metapb.Command{Op: &metapb.Command_SetBucketConfig{SetBucketConfig: &metapb.SetBucketConfig{
		Bucket: "b", Lock: &metapb.BucketLock{DefaultRetention: d}}}}
}

// at makes a command of a time.
func at(ms int64, cmd *metapb.Command) *metapb.Command {
	cmd.TimeMs = ms
	return cmd
}

func locked(version string, n int, mode metapb.RetentionMode, until int64) *metapb.Command {
	c := putVersion("k", version, n)
	c.GetPutObject().Version.Retention = &metapb.Retention{Mode: mode, UntilMs: until}
	return c
}

func bypassing(cmd *metapb.Command) *metapb.Command {
	cmd.GetDeleteObjects().Objects[0].BypassGovernance = true
	return cmd
}

func updateLockOf(version string, l *metapb.VersionLock) *metapb.Command {
	return &metapb.Command{Op: &metapb.Command_UpdateVersion{UpdateVersion: &metapb.UpdateVersion{
		Bucket: "b", Key: "k", VersionId: version, Lock: l}}}
}

// TestLockedVersions: what a lock keeps is kept whoever asks, until it is over by the
// latest clock that was ever asked.
func TestLockedVersions(t *testing.T) {
	c := versioned(t, versioningEnabled)
	require.Equal(t, metapb.Refusal_REFUSAL_NO_OBJECT_LOCK, c.do(locked("x", 1, compliance, 100)).Refusal)
	c.ok(t, lockBucketOf(nil))
	c.ok(t, at(10, locked("comply", 1, compliance, 100)))
	c.ok(t, at(10, locked("govern", 2, governance, 100)))
	held := putVersion("k", "held", 3)
	held.GetPutObject().Version.LegalHold = true
	c.ok(t, at(10, held))

	delete := func(ms int64, cmd *metapb.Command) metapb.Refusal { return c.ok(t, at(ms, cmd)).Deleted[0].Refusal }
	const none, kept = metapb.Refusal_REFUSAL_NONE, metapb.Refusal_REFUSAL_LOCKED
	for _, version := range []string{"comply", "govern", "held"} {
		require.Equal(t, kept, delete(20, deleteVersion("k", version, "")), version)
	}
	require.Equal(t, kept, delete(20, bypassing(deleteVersion("k", "comply", ""))))
	require.Equal(t, kept, delete(1e15, bypassing(deleteVersion("k", "held", ""))), "a hold has no end")
	require.Equal(t, none, delete(20, deleteVersion("k", "", "marker")), "a marker hides and deletes nothing")
	require.Equal(t, "k=marker*! k=held k=govern k=comply", c.versions())
	require.Equal(t, metapb.Refusal_REFUSAL_BUCKET_NOT_EMPTY,
		c.do(&metapb.Command{Op: &metapb.Command_DeleteBucket{DeleteBucket: &metapb.DeleteBucket{Name: "b"}}}).Refusal)
	// The clock above was 1e15: that all is over is so for a node whose clock is behind.
	require.Equal(t, none, delete(5, deleteVersion("k", "comply", "")))
	require.Equal(t, none, delete(5, deleteVersion("k", "govern", "")))
	require.Equal(t, none, c.do(updateLockOf("held", &metapb.VersionLock{LegalHold: metapb.LegalHold_LEGAL_HOLD_OFF})).Refusal)
	require.Equal(t, none, delete(5, deleteVersion("k", "held", "")))
	require.NoError(t, c.m.s.Check())
}

// TestUpdateLock: a lock may be made longer and stricter, and a governance one lifted
// by who may.
func TestUpdateLock(t *testing.T) {
	const none, kept = metapb.Refusal_REFUSAL_NONE, metapb.Refusal_REFUSAL_LOCKED
	for name, tc := range map[string]struct {
		mode   metapb.RetentionMode // Until 100; the time is 50.
		to     *metapb.Retention
		bypass bool
		want   metapb.Refusal
	}{
		"compliance longer":                 {compliance, &metapb.Retention{Mode: compliance, UntilMs: 101}, false, none},
		"compliance the same":               {compliance, &metapb.Retention{Mode: compliance, UntilMs: 100}, false, none},
		"compliance shorter":                {compliance, &metapb.Retention{Mode: compliance, UntilMs: 99}, true, kept},
		"compliance to governance":          {compliance, &metapb.Retention{Mode: governance, UntilMs: 200}, true, kept},
		"compliance ended":                  {compliance, &metapb.Retention{}, true, kept},
		"governance longer":                 {governance, &metapb.Retention{Mode: governance, UntilMs: 101}, false, none},
		"governance shorter":                {governance, &metapb.Retention{Mode: governance, UntilMs: 99}, false, kept},
		"governance shorter, bypassed":      {governance, &metapb.Retention{Mode: governance, UntilMs: 99}, true, none},
		"governance to compliance":          {governance, &metapb.Retention{Mode: compliance, UntilMs: 100}, false, none},
		"governance to compliance, shorter": {governance, &metapb.Retention{Mode: compliance, UntilMs: 99}, false, kept},
		"governance ended":                  {governance, &metapb.Retention{}, false, kept},
		"governance ended, bypassed":        {governance, &metapb.Retention{}, true, none},
		"none":                              {0, &metapb.Retention{Mode: compliance, UntilMs: 60}, false, none},
	} {
		c := versioned(t, versioningEnabled)
		c.ok(t, lockBucketOf(nil))
		if tc.mode == 0 {
			c.ok(t, at(40, putVersion("k", "v", 1)))
		} else {
			c.ok(t, at(40, locked("v", 1, tc.mode, 100)))
		}
		r := c.do(at(50, updateLockOf("v", &metapb.VersionLock{Retention: tc.to, BypassGovernance: tc.bypass})))
		require.Equal(t, tc.want, r.Refusal, name)
		if tc.want == none {
			require.Equal(t, tc.to.UntilMs, r.Version.Retention.GetUntilMs(), name)
		}
	}
}

// TestDefaultRetention: it is decided in the commit, of puts and of completed uploads,
// and the lock of a bucket is for good.
func TestDefaultRetention(t *testing.T) {
	c := versioned(t, versioningSuspended)
	refused := metapb.Refusal_REFUSAL_BUCKET_LOCKED
	require.Equal(t, refused, c.do(lockBucketOf(nil)).Refusal, "versions are suspended")
	c.setVersioning(t, versioningEnabled)
	for _, d := range []*metapb.DefaultRetention{{Mode: compliance}, {Days: 1}, {Mode: compliance, Days: 1, Years: 1},
		{Mode: compliance, Days: RetentionMaxDays + 1}, {Mode: compliance, Years: RetentionMaxYears + 1}} {
		require.Equal(t, metapb.Refusal_REFUSAL_INVALID, c.do(lockBucketOf(d)).Refusal, d)
	}
	c.ok(t, lockBucketOf(&metapb.DefaultRetention{Mode: compliance, Years: 1}))
	suspend := &metapb.SetBucketConfig{Bucket: "b", Versioning: versioningSuspended}
	require.Equal(t, refused, c.do(&metapb.Command{Op: &metapb.Command_SetBucketConfig{SetBucketConfig: suspend}}).Refusal)

	day := time.Date(2024, 2, 29, 1, 2, 3, 0, time.UTC)
	v := c.ok(t, at(day.UnixMilli(), putVersion("k", "v", 1))).Version
	require.Equal(t, day.AddDate(1, 0, 0).UnixMilli(), v.Retention.UntilMs)
	require.Equal(t, compliance, v.Retention.Mode)
	c.ok(t, lockBucketOf(&metapb.DefaultRetention{Mode: governance, Days: 2}))
	v = c.ok(t, at(day.UnixMilli(), putVersion("k", "w", 2))).Version
	require.Equal(t, day.AddDate(0, 0, 2).UnixMilli(), v.Retention.UntilMs)
	require.Equal(t, int64(7), c.ok(t, locked("x", 3, compliance, 7)).Version.Retention.UntilMs, "its own")
	require.Nil(t, c.ok(t, deleteVersion("k", "", "m")).Version)
	c.ok(t, lockBucketOf(nil))
	require.Nil(t, c.ok(t, putVersion("k", "y", 4)).Version.Retention)
	require.NoError(t, c.m.s.Check())
}

// TestLowerClock: a clock that was set years ahead ends no retention any more once it is
// set back to what is proved, and is never set below that.
func TestLowerClock(t *testing.T) {
	const now, ahead = 1_000, 1e15
	c := versioned(t, versioningEnabled)
	c.ok(t, lockBucketOf(&metapb.DefaultRetention{Mode: compliance, Days: 1}))
	c.ok(t, at(now, locked("comply", 1, compliance, 100_000)))
	c.ok(t, at(ahead, putVersion("k", "jumped", 2))) // One command of the wrong clock.
	lower := func(ms, to int64) metapb.Refusal {
		return c.do(at(ms, &metapb.Command{Op: &metapb.Command_LowerClock{LowerClock: &metapb.LowerClock{ToMs: to}}})).Refusal
	}
	require.Equal(t, metapb.Refusal_REFUSAL_INVALID, lower(-1, 5))
	require.Equal(t, metapb.Refusal_REFUSAL_NONE, lower(now+500, now+100))
	require.EqualValues(t, now+500, c.m.s.applied.ClockMs, "never below the time of the command")
	require.Equal(t, metapb.Refusal_REFUSAL_NONE, lower(now, ahead))
	require.EqualValues(t, now+500, c.m.s.applied.ClockMs, "never ahead")
	require.Equal(t, metapb.Refusal_REFUSAL_LOCKED, c.ok(t, at(now+600, deleteVersion("k", "comply", ""))).Deleted[0].Refusal)
	require.NoError(t, c.m.s.Check())
}
