package s3api

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/bucket"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

func TestStorageClassOfWhatIsWritten(t *testing.T) {
	h := newHarness(t)
	for name, class := range map[string]string{"": "", "STANDARD": "", "STANDARD_IA": "STANDARD_IA", "WARM": "STANDARD_IA",
		"GLACIER": "GLACIER", "COLD": "GLACIER"} {
		h.put("k", "x", "X-Amz-Storage-Class: "+name)
		require.Equal(t, class, h.do("HEAD", "/bkt/k", "").Header.Get("X-Amz-Storage-Class"), name)
		r := h.do("GET", "/bkt/k", "")
		if class == "GLACIER" {
			require.Equal(t, "InvalidObjectState", r.code(), name)
			continue
		}
		require.Equal(t, class, r.Header.Get("X-Amz-Storage-Class"), name)
	}
	h.put("source", "x")
	for _, name := range []string{"FOO", "glacier", "OUTPOSTS", "STANDARDX"} {
		for _, r := range []reply{
			h.do("PUT", "/bkt/k", "x", "X-Amz-Storage-Class: "+name),
			h.do("POST", "/bkt/k?uploads", "", "X-Amz-Storage-Class: "+name),
			h.do("PUT", "/bkt/k", "", "X-Amz-Copy-Source: /bkt/source", "X-Amz-Storage-Class: "+name),
		} {
			require.Equal(t, "InvalidStorageClass", r.code(), name)
			require.Equal(t, 400, r.StatusCode)
		}
	}
}

func TestClassOfANewBucket(t *testing.T) {
	for _, tc := range []struct {
		header, value string
		class         string
		bad           bool
	}{
		{"X-Default-Storage-Class", "STANDARD", "", false},
		{"X-Default-Storage-Class", "GLACIER", "GLACIER", false},
		{"X-Amz-Storage-Class", "COLD", "GLACIER", false},
		{"X-Amz-Storage-Class", "WARM", "STANDARD_IA", false},
		{"X-Amz-Meta-Other", "COLD", "", false},
		{"X-Default-Storage-Class", "FOO", "", true},
	} {
		part, err := newBucketClass(http.Header{tc.header: {tc.value}})
		require.Equal(t, tc.bad, err != nil, tc.value)
		require.Equal(t, tc.class, string(part.GetValue()), tc.value)
	}
}

func TestRestoreObject(t *testing.T) {
	h := newHarness(t)
	restore := func(versionID string) *metapb.Restore {
		got, err := h.objects.Get(t.Context(), &object.GetInput{Bucket: "bkt", Key: "k", VersionID: versionID, Head: true})
		require.NoError(t, err)
		return got.Version.Restore
	}
	body := func(days, rest string) string {
		return "<RestoreRequest><Days>" + days + "</Days>" + rest + "</RestoreRequest>"
	}
	h.put("k", "x", "X-Amz-Storage-Class: GLACIER")
	for _, tc := range []struct{ body, code, message string }{
		{body("0", ""), "InvalidArgument", "restoration days should be at least 1 and at most 30"},
		{body("31", ""), "InvalidArgument", "restoration days should be at least 1 and at most 30"},
		{body("x", ""), "MalformedXML", ""},
		{body("1", "<GlacierJobParameters><Tier>Fast</Tier></GlacierJobParameters>"), "MalformedXML", ""},
		{"", "MalformedXML", ""},
	} {
		r := h.do("POST", "/bkt/k?restore", tc.body)
		require.Equal(t, 400, r.StatusCode)
		require.Equal(t, tc.code, r.code(), tc.body)
		require.Contains(t, r.body, tc.message)
	}
	require.Nil(t, restore(""))

	r := h.do("POST", "/bkt/k?restore", body("7", "<GlacierJobParameters><Tier>Bulk</Tier></GlacierJobParameters>"))
	require.Equal(t, 202, r.StatusCode)
	require.Empty(t, r.body)
	require.True(t, restore("").Ongoing)
	require.EqualValues(t, 7, restore("").Days)
	require.Equal(t, wirexml.TierBulk, restore("").Tier)
	r = h.do("POST", "/bkt/k?restore", body("1", ""))
	require.Equal(t, 409, r.StatusCode)
	require.Contains(t, r.body, "Object restore is already in progress")

	// A version that is named, which is not the latest; then for longer.
	enabled := "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
	require.Equal(t, 200, h.do("PUT", "/bkt?versioning", enabled).StatusCode)
	old := h.put("k", "x", "X-Amz-Storage-Class: GLACIER").Header.Get("X-Amz-Version-Id")
	h.put("k", "y", "X-Amz-Storage-Class: GLACIER")
	require.Equal(t, 202, h.do("POST", "/bkt/k?restore&versionId="+old, body("1", "")).StatusCode)
	require.Equal(t, wirexml.TierStandard, restore(old).Tier)
	require.Nil(t, restore(""))
	done := proto.CloneOf(restore(old))
	done.Ongoing, done.ExpiresMs = false, time.Now().Add(time.Hour).UnixMilli()
	h.setRestore(old, done)
	require.Equal(t, 200, h.do("POST", "/bkt/k?restore&versionId="+old, body("2", "")).StatusCode)
	require.Greater(t, restore(old).ExpiresMs, done.ExpiresMs)
}

// setRestore makes a version of k's restore what upkeep would make it.
func (h *harness) setRestore(versionID string, r *metapb.Restore) {
	h.meta.must(&metapb.Command{Op: &metapb.Command_UpdateVersion{UpdateVersion: &metapb.UpdateVersion{
		Bucket: "bkt", Key: "k", VersionId: versionID, Restore: r, ClearRestore: r == nil}}})
}

// What readers are told of a restore, in HEAD and GET.
func TestRestoreHeader(t *testing.T) {
	h := newHarness(t)
	h.put("k", "x", "X-Amz-Storage-Class: GLACIER")
	future := time.Now().Add(48 * time.Hour).Truncate(time.Second)
	for i, tc := range []struct {
		restore *metapb.Restore
		want    string
	}{
		{nil, ""},
		{&metapb.Restore{Ongoing: true, DueMs: 1}, `ongoing-request="true"`},
		{&metapb.Restore{ExpiresMs: future.UnixMilli()}, `ongoing-request="false", expiry-date="` + future.UTC().Format(http.TimeFormat) + `"`},
		{&metapb.Restore{ExpiresMs: 1}, ""},
	} {
		h.setRestore("", tc.restore)
		require.Equal(t, tc.want, h.do("HEAD", "/bkt/k", "").Header.Get("X-Amz-Restore"), "HEAD %d", i)
		r := h.do("GET", "/bkt/k", "")
		if tc.restore.GetExpiresMs() != future.UnixMilli() {
			require.Equal(t, "InvalidObjectState", r.code(), "GET %d", i)
			continue
		}
		require.Equal(t, tc.want, r.Header.Get("X-Amz-Restore"), "GET %d", i)
	}
}

// A bucket's class is that of what names none.
func TestClassOf(t *testing.T) {
	for _, tc := range []struct{ header, bucket, want string }{
		{"", "", ""}, {"", "GLACIER", "GLACIER"}, {"STANDARD", "GLACIER", ""}, {"WARM", "GLACIER", "STANDARD_IA"},
	} {
		b := &bucket.Bucket{Config: map[string][]byte{bucket.PartStorageClass: []byte(tc.bucket)}}
		var a metapb.Attributes
		require.NoError(t, setClass(&a, classNamed(http.Header{headerStorageClass: {tc.header}}, b)))
		require.Equal(t, tc.want, a.StorageClass)
		require.Empty(t, a.ClassName)
	}
}
