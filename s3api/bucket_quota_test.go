package s3api

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func quotaText(bytes string) string {
	return "<Quota><StorageQuota>" + bytes + "</StorageQuota></Quota>"
}

// TestBucketQuota: what a bucket holds is counted with each commit, and never more than
// it may hold is committed, in whatever way it is written.
func TestBucketQuota(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	holds := func(bytes, objects string) {
		t.Helper()
		r := w.ok(owner, "GET", "/bkt?storageinfo", "")
		require.Equal(t, [2]string{bytes, objects}, [2]string{element(r.body, "Size"), element(r.body, "ObjectNumber")})
	}
	require.Equal(t, "0", element(w.ok(owner, "GET", "/bkt?quota", "").body, "StorageQuota"))
	holds("0", "0")
	w.ok(owner, "PUT", "/bkt?quota", quotaText("100"))
	require.Equal(t, "100", element(w.asOBS(owner, "GET", "/bkt?quota", "").body, "StorageQuota"))

	w.ok(owner, "PUT", "/bkt/a", strings.Repeat("a", 60))
	w.refused("InsufficientStorageSpace", owner, "PUT", "/bkt/b", strings.Repeat("b", 41))
	w.refused("InsufficientStorageSpace", owner, "PUT", "/bkt/b", "", "X-Amz-Copy-Source: bkt/a")
	w.ok(owner, "PUT", "/bkt/b", strings.Repeat("b", 40))
	holds("100", "2")
	w.ok(owner, "PUT", "/bkt/a", strings.Repeat("a", 60)) // In its own place.
	w.refused("InsufficientStorageSpace", owner, "PUT", "/bkt/a", strings.Repeat("a", 61))
	w.ok(owner, "PUT", "/bkt/empty", "")
	holds("100", "3")
	// Parts count from when they are there: what is complete takes nothing more.
	upload := func() string {
		return "/bkt/c?uploadId=" + element(w.ok(owner, "POST", "/bkt/c?uploads", "").body, "UploadId")
	}
	at := upload()
	w.refused("InsufficientStorageSpace", owner, "PUT", at+"&partNumber=1", "part")
	w.refused("InsufficientStorageSpace", owner, "PUT", at+"&partNumber=1", "", "X-Amz-Copy-Source: bkt/b")
	w.ok(owner, "PUT", at+"&partNumber=1", "")
	w.ok(owner, "DELETE", "/bkt/b", "")
	holds("60", "2")
	w.ok(owner, "PUT", at+"&partNumber=1", strings.Repeat("p", 30))
	w.ok(owner, "PUT", at+"&partNumber=2", strings.Repeat("p", 10))
	holds("100", "2")
	w.refused("InsufficientStorageSpace", owner, "PUT", "/bkt/d", "d")
	w.refused("InsufficientStorageSpace", owner, "PUT", at+"&partNumber=2", strings.Repeat("p", 11))
	etag := w.ok(owner, "PUT", at+"&partNumber=1", "part").Header.Get("ETag") // In the place of a longer one.
	holds("74", "2")
	other := upload()
	w.ok(owner, "PUT", other+"&partNumber=1", strings.Repeat("p", 26))
	holds("100", "2")
	w.ok(owner, "DELETE", other, "")
	holds("74", "2")
	w.ok(owner, "PUT", "/bkt?quota", quotaText("10"))
	w.ok(owner, "POST", at, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"+etag+"</ETag></Part></CompleteMultipartUpload>")
	holds("64", "3") // Without the part that is in no list.
	w.ok(owner, "PUT", "/bkt?quota", quotaText("100"))

	w.ok(owner, "PUT", "/bkt?versioning", versioningDocument("Enabled"))
	w.refused("InsufficientStorageSpace", owner, "PUT", "/bkt/a", strings.Repeat("a", 60)) // The older version stays.
	w.ok(owner, "DELETE", "/bkt/a", "")
	holds("64", "3") // Behind a delete marker.
	w.ok(owner, "DELETE", "/bkt/a?versionId=null", "")
	holds("4", "2")

	w.ok(owner, "PUT", "/bkt?quota", quotaText("1"))
	w.refused("InsufficientStorageSpace", owner, "PUT", "/bkt/d", "x") // It holds more already.
	w.ok(owner, "PUT", "/bkt?quota", quotaText("0"))
	w.ok(owner, "PUT", "/bkt/d", "x")
	for _, bad := range []string{"-1", "x", "", "9223372036854775808"} {
		w.refused("MalformedQuotaError", owner, "PUT", "/bkt?quota", quotaText(bad))
	}
	w.refused("MalformedXML", owner, "PUT", "/bkt?quota", "<Quota><Other/></Quota>")
}
