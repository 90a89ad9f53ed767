package s3api

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/bucket"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

func TestStorageClassOfWhatIsWritten(t *testing.T) {
	h := newHarness(t)
	for name, class := range map[string]string{"": "", "STANDARD": "", "STANDARD_IA": "STANDARD_IA", "WARM": "STANDARD_IA",
		"GLACIER": "GLACIER", "COLD": "GLACIER"} {
		h.put("k", "x", "X-Amz-Storage-Class: "+name)
		require.Equal(t, class, h.do("HEAD", "/bkt/k", "").Header.Get("X-Amz-Storage-Class"), name)
		require.Equal(t, class, h.do("GET", "/bkt/k", "").Header.Get("X-Amz-Storage-Class"), name)
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
	var got *object.RestoreInput
	extended, failure := false, error(nil)
	h.objects.hook(hooks{onRestore: func(in *object.RestoreInput) (bool, error) {
		got = in
		return extended, failure
	}})
	body := func(days, rest string) string {
		return "<RestoreRequest><Days>" + days + "</Days>" + rest + "</RestoreRequest>"
	}
	r := h.do("POST", "/bkt/k?restore", body("7", "<GlacierJobParameters><Tier>Bulk</Tier></GlacierJobParameters>"))
	require.Equal(t, 202, r.StatusCode)
	require.Empty(t, r.body)
	require.Equal(t, &object.RestoreInput{Caller: testOwner, Bucket: "bkt", Key: "k", Days: 7, Tier: wirexml.TierBulk}, got)
	extended = true
	require.Equal(t, 200, h.do("POST", "/bkt/k?restore&versionId=v1", body("1", "")).StatusCode)
	require.Equal(t, "v1", got.VersionID)
	require.Equal(t, wirexml.TierStandard, got.Tier)

	got = nil
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
	require.Nil(t, got)
	failure = s3err.RestoreAlreadyInProgress.Err()
	r = h.do("POST", "/bkt/k?restore", body("1", ""))
	require.Equal(t, 409, r.StatusCode)
	require.Contains(t, r.body, "Object restore is already in progress")
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
		h.objects.hook(hooks{onGot: func(got *object.Got) { got.Version.Restore = tc.restore }})
		for _, method := range []string{"HEAD", "GET"} {
			require.Equal(t, tc.want, h.do(method, "/bkt/k", "").Header.Get("X-Amz-Restore"), fmt.Sprint(method, i))
		}
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
