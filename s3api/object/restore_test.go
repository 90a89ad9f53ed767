package object

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

func TestRestoreExpiry(t *testing.T) {
	for _, tc := range []struct {
		now  string
		days uint32
		want string
	}{
		{"2012-10-15T10:30:00Z", 3, "2012-10-19T00:00:00Z"},
		{"2012-10-15T00:00:00Z", 1, "2012-10-17T00:00:00Z"},
		{"2012-10-15T23:59:59Z", 1, "2012-10-17T00:00:00Z"},
		{"2012-02-28T23:00:00-02:00", 30, "2012-03-31T00:00:00Z"},
	} {
		now, err := time.Parse(time.RFC3339, tc.now)
		require.NoError(t, err)
		require.Equal(t, tc.want, time.UnixMilli(restoreExpiry(now, tc.days)).UTC().Format(time.RFC3339), tc.now)
	}
}

func TestRestoredAndWarmUntil(t *testing.T) {
	now := time.UnixMilli(1000)
	for name, tc := range map[string]struct {
		class    string
		restore  *metapb.Restore
		restored bool
		until    int64
	}{
		"standard":        {"", nil, true, 0},
		"infrequent":      {profile.ClassStandardIA, nil, true, 0},
		"cold":            {profile.ClassGlacier, nil, false, 0},
		"under way":       {profile.ClassGlacier, &metapb.Restore{Ongoing: true, ExpiresMs: 2000}, false, 0},
		"restored":        {profile.ClassGlacier, &metapb.Restore{ExpiresMs: 1001}, true, 1001},
		"expired":         {profile.ClassGlacier, &metapb.Restore{ExpiresMs: 1000}, false, 0},
		"expired earlier": {profile.ClassGlacier, &metapb.Restore{ExpiresMs: 1}, false, 0},
	} {
		v := &metapb.Version{Attributes: &metapb.Attributes{StorageClass: tc.class}, Restore: tc.restore}
		require.Equal(t, tc.restored, Restored(v, now), name)
		require.Equal(t, tc.until, WarmUntil(v, now), name)
	}
	require.True(t, Restored(&metapb.Version{}, now))
}

func TestNextRestore(t *testing.T) {
	s := New(Deps{}, Config{RestoreBulk: 7 * time.Hour}, Events{})
	at := func(text string) time.Time {
		now, err := time.Parse(time.DateTime, text)
		require.NoError(t, err)
		return now
	}
	now := at("2026-05-01 12:00:00")
	done := func(until string) *metapb.Restore {
		return &metapb.Restore{ContentId: newID(), Parts: 3, Days: 1, Tier: wirexml.TierBulk, RequestedMs: 1, ExpiresMs: at(until).UnixMilli()}
	}
	for name, tc := range map[string]struct {
		class   string
		restore *metapb.Restore
		days    uint32
		tier    string

		wait     time.Duration // Of a new restore.
		until    string        // Of one that is extended.
		extended bool
		code     s3err.Code
	}{
		"not cold":            {class: profile.ClassStandardIA, days: 1, code: s3err.InvalidObjectState},
		"first, expedited":    {class: profile.ClassGlacier, days: 1, tier: wirexml.TierExpedited, wait: time.Minute},
		"first, standard":     {class: profile.ClassGlacier, days: 30, tier: wirexml.TierStandard, wait: 3 * time.Hour},
		"first, bulk":         {class: profile.ClassGlacier, days: 30, tier: wirexml.TierBulk, wait: 7 * time.Hour},
		"under way":           {class: profile.ClassGlacier, restore: &metapb.Restore{Ongoing: true}, days: 1, code: s3err.RestoreAlreadyInProgress},
		"for as long":         {class: profile.ClassGlacier, restore: done("2026-05-05 00:00:00"), days: 3, extended: true},
		"for longer":          {class: profile.ClassGlacier, restore: done("2026-05-05 00:00:00"), days: 4, extended: true, until: "2026-05-06 00:00:00"},
		"for shorter":         {class: profile.ClassGlacier, restore: done("2026-05-05 00:00:00"), days: 2, code: s3err.ObjectHasAlreadyRestored},
		"just before the end": {class: profile.ClassGlacier, restore: done("2026-05-01 12:00:01"), days: 1, extended: true, until: "2026-05-03 00:00:00"},
		"expired":             {class: profile.ClassGlacier, restore: done("2026-05-01 12:00:00"), days: 1, tier: wirexml.TierExpedited, wait: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			v := &metapb.Version{Attributes: &metapb.Attributes{StorageClass: tc.class}, Restore: tc.restore}
			r, extended, err := s.nextRestore(v, &RestoreInput{Days: tc.days, Tier: tc.tier}, now)
			require.Equal(t, tc.extended, extended)
			var want *metapb.Restore
			switch {
			case tc.code != "":
				wantCode(t, err, tc.code)
				return
			case tc.wait != 0:
				want = &metapb.Restore{Ongoing: true, RequestedMs: now.UnixMilli(), DueMs: now.Add(tc.wait).UnixMilli(), Days: tc.days, Tier: tc.tier}
			case tc.until != "":
				want = done(tc.until)
				want.ContentId, want.Days = tc.restore.ContentId, tc.days
			}
			require.NoError(t, err)
			require.True(t, proto.Equal(want, r), "%v, not %v", r, want)
		})
	}
}

// What has expired is not the restore that came after it.
func TestEndOfAnotherRestore(t *testing.T) {
	w := newWorld(t, setup{config: Config{RestoreBulk: time.Nanosecond}})
	b := contentOf(testExtent, 1)
	w.putClass("k", b, nil, profile.ClassGlacier)
	w.restoreNow("k", "")
	require.NoError(t, w.Warm(t.Context(), w.onlyRestore()))
	w.expire()
	stale := w.onlyRestore()
	w.restoreNow("k", "")
	require.NoError(t, w.EndRestore(t.Context(), stale))
	require.True(t, w.onlyRestore().Version.Restore.Ongoing)
	require.NoError(t, w.Warm(t.Context(), w.onlyRestore()))
	extended, err := w.Restore(t.Context(), &RestoreInput{Caller: alice, Bucket: testBucket, Key: "k", Days: 2, Tier: wirexml.TierBulk})
	require.NoError(t, err)
	require.True(t, extended)
	require.Equal(t, uint32(2), w.onlyRestore().Version.Restore.Days)
	w.same(b, "k", nil)
}

func TestRestoreRefusals(t *testing.T) {
	w := newWorld(t, setup{config: Config{RestoreBulk: time.Nanosecond}})
	require.NoError(t, w.Configure(t.Context(), Request{}, testBucket, nil, metapb.Versioning_VERSIONING_ENABLED))
	b := contentOf(testExtent, 1)
	restore := func(bucket, key, version string, who Caller) error {
		_, err := w.Restore(t.Context(), &RestoreInput{Caller: who, Bucket: bucket, Key: key, VersionID: version, Days: 1, Tier: wirexml.TierBulk})
		return err
	}
	w.putClass("k", b, nil, profile.ClassGlacier)
	old := w.onlyVersion("k").VersionId
	w.put("k", b, nil)
	w.put("marked", b, nil)
	deleted, err := w.Delete(t.Context(), alice, testBucket, []*metapb.ObjectName{{Key: "marked"}})
	require.NoError(t, err)

	wantCode(t, restore("none", "k", "", alice), s3err.NoSuchBucket)
	wantCode(t, restore(testBucket, "none", "", alice), s3err.NoSuchKey)
	wantCode(t, restore(testBucket, "k", "none", alice), s3err.NoSuchVersion)
	wantCode(t, restore(testBucket, "marked", "", alice), s3err.NoSuchKey)
	wantCode(t, restore(testBucket, "marked", deleted[0].VersionId, alice), s3err.MethodNotAllowed)
	err = restore(testBucket, "k", "", alice)
	wantCode(t, err, s3err.InvalidObjectState)
	require.ErrorContains(t, err, "Restore is not allowed, as object's storage class is not GLACIER")

	require.NoError(t, restore(testBucket, "k", old, alice), "an older version")
	require.NoError(t, w.Warm(t.Context(), w.onlyRestore()))
	got, err := w.Get(t.Context(), &GetInput{Caller: alice, Bucket: testBucket, Key: "k", VersionID: old})
	require.NoError(t, err)
	require.NotZero(t, WarmUntil(got.Version, time.Now()))
	require.Nil(t, w.onlyVersion("k").Restore, "the newer one is as it was")

	stranger := alice
	stranger.Access = denied{}
	wantCode(t, restore(testBucket, "k", old, stranger), s3err.AccessDenied)
	wantCode(t, restore(testBucket, "none", "", stranger), s3err.AccessDenied)
}

// denied is the rights of who has none.
type denied struct{}

func (denied) Object(string, *metapb.Version) bool { return false }
func (denied) Missing() bool                       { return false }

// A version that is overwritten between being looked up and being restored is not
// what was asked about.
func TestRestoreOfAnotherVersion(t *testing.T) {
	w := newWorld(t, setup{config: Config{RestoreBulk: time.Nanosecond}})
	b := contentOf(100, 1)
	for name, tc := range map[string]struct {
		class string
		times int
		code  s3err.Code
	}{
		"by a cold one, once": {profile.ClassGlacier, 1, ""},
		"by a warm one":       {"", 1, s3err.InvalidObjectState},
		"for ever":            {profile.ClassGlacier, restoreTries, s3err.OperationAborted},
	} {
		w.putClass("k", b, nil, profile.ClassGlacier)
		left := tc.times
		w.meta.before = func(c *metapb.Command) error {
			if c.GetUpdateVersion() != nil && left > 0 {
				left--
				w.putClass("k", b, nil, tc.class)
			}
			return nil
		}
		_, err := w.Restore(t.Context(), &RestoreInput{Caller: alice, Bucket: testBucket, Key: "k", Days: 1, Tier: wirexml.TierBulk})
		w.meta.before = nil
		if tc.code != "" {
			wantCode(t, err, tc.code)
			continue
		}
		require.NoError(t, err, name)
		require.True(t, w.onlyVersion("k").Restore.Ongoing, name)
	}
}
