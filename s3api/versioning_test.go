package s3api

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func versionOf(r reply) string { return r.Header.Get("X-Amz-Version-Id") }

// TestVersions: the ids that answers tell, from a bucket that never had versions to
// one that has them no more.
func TestVersions(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	status := func() string { return element(w.ok(owner, "GET", "/bkt?versioning", "").body, "Status") }
	get := func(query string) reply { return w.ok(owner, "GET", "/bkt/k"+query, "") }
	require.Empty(t, status())
	require.Empty(t, versionOf(w.ok(owner, "PUT", "/bkt/k", "zero")))
	require.Empty(t, versionOf(get("")))
	require.Equal(t, "zero", get("?versionId=null").body)

	w.ok(owner, "PUT", "/bkt?versioning", versioningDocument("Enabled"))
	require.Equal(t, "Enabled", status())
	require.Equal(t, "null", versionOf(get("")), "what was there before is the null version")
	v1 := versionOf(w.ok(owner, "PUT", "/bkt/k", "one"))
	v2 := versionOf(w.ok(owner, "PUT", "/bkt/k", "two"))
	require.NotEqual(t, v1, v2)
	for id, body := range map[string]string{"null": "zero", v1: "one", v2: "two"} {
		r := get("?versionId=" + id)
		require.Equal(t, body, r.body)
		require.Equal(t, id, versionOf(r))
		require.Equal(t, id, versionOf(w.ok(owner, "HEAD", "/bkt/k?versionId="+id, "")))
	}
	require.Equal(t, v2, versionOf(get("")))
	w.refused("NoSuchVersion", owner, "GET", "/bkt/k?versionId="+strings.Repeat("A", len(v1)), "")
	w.refused("NoSuchVersion", owner, "GET", "/bkt/other?versionId="+v1, "")

	// A delete hides; deleting the marker brings back.
	r := w.ok(owner, "DELETE", "/bkt/k", "")
	marker := versionOf(r)
	require.Equal(t, "true", r.Header.Get("X-Amz-Delete-Marker"))
	for _, method := range []string{"GET", "HEAD"} {
		for path, status := range map[string]int{"/bkt/k": 404, "/bkt/k?versionId=" + marker: 405} {
			r = w.as(owner, method, path, "")
			require.Equal(t, status, r.StatusCode, "%s %s", method, path)
			require.Equal(t, "true", r.Header.Get("X-Amz-Delete-Marker"))
			require.Equal(t, marker, versionOf(r))
		}
	}
	require.Empty(t, w.as(owner, "HEAD", "/bkt/none", "").Header.Get("X-Amz-Delete-Marker"))
	require.Equal(t, "one", get("?versionId="+v1).body)
	require.NotContains(t, w.ok(owner, "GET", "/bkt", "").body, "<Key>")
	r = w.ok(owner, "DELETE", "/bkt/k?versionId="+marker, "")
	require.Equal(t, marker, versionOf(r))
	require.Equal(t, "true", r.Header.Get("X-Amz-Delete-Marker"))
	require.Equal(t, "two", get("").body)
	r = w.ok(owner, "DELETE", "/bkt/k?versionId="+v2, "")
	require.Equal(t, v2, versionOf(r))
	require.Empty(t, r.Header.Get("X-Amz-Delete-Marker"))
	require.Equal(t, "one", get("").body)
	w.ok(owner, "DELETE", "/bkt/k?versionId=none", "") // As of what is gone.

	// Suspended: the null version is replaced, the others stay.
	w.ok(owner, "PUT", "/bkt?versioning", versioningDocument("Suspended"))
	require.Equal(t, "Suspended", status())
	require.Equal(t, "null", versionOf(w.ok(owner, "PUT", "/bkt/k", "three")))
	require.Equal(t, "three", get("?versionId=null").body)
	require.Equal(t, "one", get("?versionId="+v1).body)
	r = w.ok(owner, "DELETE", "/bkt/k", "")
	require.Equal(t, "null", versionOf(r))
	require.Equal(t, "true", r.Header.Get("X-Amz-Delete-Marker"))
	w.refused("MethodNotAllowed", owner, "GET", "/bkt/k?versionId=null", "")
	require.Equal(t, "one", get("?versionId="+v1).body)

	w.refused("BucketNotEmpty", owner, "DELETE", "/bkt", "")
	w.refused("IllegalVersioningConfigurationException", owner, "PUT", "/bkt?versioning", "<VersioningConfiguration><Status>On</Status></VersioningConfiguration>")
	require.Equal(t, "Suspended", status())
}

// TestVersionsOfEveryWrite: copies, uploads, ACLs and removals of many name versions
// as puts do.
func TestVersionsOfEveryWrite(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt/old", "null")
	w.ok(owner, "PUT", "/bkt?versioning", versioningDocument("Enabled"))
	v1 := versionOf(w.ok(owner, "PUT", "/bkt/k", "one"))
	w.ok(owner, "PUT", "/bkt/k", "two")

	source := func(r reply) string { return r.Header.Get("X-Amz-Copy-Source-Version-Id") }
	r := w.ok(owner, "PUT", "/bkt/copy", "", "X-Amz-Copy-Source: bkt/k?versionId="+v1)
	require.Equal(t, v1, source(r))
	require.NotEmpty(t, versionOf(r))
	require.Equal(t, "one", w.ok(owner, "GET", "/bkt/copy?versionId="+versionOf(r), "").body)
	r = w.ok(owner, "PUT", "/bkt/copy", "", "X-Amz-Copy-Source: bkt/k")
	require.NotEqual(t, v1, source(r))
	require.Equal(t, "two", w.ok(owner, "GET", "/bkt/copy", "").body)
	require.Equal(t, "null", source(w.ok(owner, "PUT", "/bkt/copy", "", "X-Amz-Copy-Source: bkt/old")))
	require.Equal(t, "null", source(w.ok(owner, "PUT", "/bkt/copy", "", "X-Amz-Copy-Source: bkt/old?versionId=null")))
	// An older version becomes the newest by a copy in its own place.
	w.ok(owner, "PUT", "/bkt/k", "", "X-Amz-Copy-Source: bkt/k?versionId="+v1)
	require.Equal(t, "one", w.ok(owner, "GET", "/bkt/k", "").body)
	w.refused("InvalidRequest", owner, "PUT", "/bkt/k", "", "X-Amz-Copy-Source: bkt/k")
	w.refused("NoSuchVersion", owner, "PUT", "/bkt/copy", "", "X-Amz-Copy-Source: bkt/k?versionId=none")

	u := "uploadId=" + element(w.ok(owner, "POST", "/bkt/m?uploads", "").body, "UploadId")
	r = w.ok(owner, "PUT", "/bkt/m?partNumber=1&"+u, "", "X-Amz-Copy-Source: bkt/k?versionId="+v1)
	require.Equal(t, v1, source(r))
	r = w.ok(owner, "POST", "/bkt/m?"+u, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"+element(r.body, "ETag")+"</ETag></Part></CompleteMultipartUpload>")
	require.NotEmpty(t, versionOf(r))
	require.Equal(t, versionOf(r), versionOf(w.ok(owner, "GET", "/bkt/m", "")))

	// The ACL of one version is not that of another.
	r = w.ok(owner, "PUT", "/bkt/k?acl&versionId="+v1, "", "X-Amz-Acl: public-read")
	require.Equal(t, v1, versionOf(r))
	require.Contains(t, w.ok(owner, "GET", "/bkt/k?acl&versionId="+v1, "").body, "AllUsers")
	require.NotContains(t, w.ok(owner, "GET", "/bkt/k?acl", "").body, "AllUsers")
	w.ok(nil, "GET", "/bkt/k?versionId="+v1, "")
	w.refused("AccessDenied", nil, "GET", "/bkt/k", "")

	body := "<Delete><Object><Key>k</Key></Object><Object><Key>k</Key><VersionId>" + v1 + "</VersionId></Object>" +
		"<Object><Key>old</Key><VersionId>null</VersionId></Object></Delete>"
	doc := w.ok(owner, "POST", "/bkt?delete", body, "Content-MD5: "+md5Of(body)).body
	require.Contains(t, doc, "<Deleted><Key>k</Key><DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>")
	require.Contains(t, doc, "<Deleted><Key>k</Key><VersionId>"+v1+"</VersionId></Deleted>")
	require.Contains(t, doc, "<Deleted><Key>old</Key><VersionId>null</VersionId></Deleted>")
	w.refused("NoSuchKey", owner, "GET", "/bkt/k", "")
	w.refused("NoSuchKey", owner, "GET", "/bkt/old", "")
}

// listed returns the entries of a ListVersionsResult: KEY=VERSION, ! for a marker and
// * for the latest of its key; prefixes as they are.
func listed(doc string) (entries []string) {
	for _, part := range strings.Split(doc, "<")[1:] {
		name, _, _ := strings.Cut(part, ">")
		switch name {
		case "Version", "DeleteMarker":
			entries = append(entries, "")
			if name == "DeleteMarker" {
				entries[len(entries)-1] = "!"
			}
		case "Key", "VersionId", "IsLatest":
			_, text, _ := strings.Cut(part, ">")
			last := &entries[len(entries)-1]
			switch {
			case name == "Key":
				*last = text + "=" + *last
			case name == "VersionId":
				*last += text
			case text == "true":
				*last += "*"
			}
		}
	}
	for _, part := range strings.Split(doc, "<CommonPrefixes><Prefix>")[1:] {
		prefix, _, _ := strings.Cut(part, "<")
		entries = append(entries, prefix)
	}
	return entries
}

// TestListVersionsInPages: whatever the page's size, the pages are the list, and both
// markers lead from one to the next.
func TestListVersionsInPages(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt/a", "x") // A null version, the oldest of its key.
	w.ok(owner, "PUT", "/bkt/d%2F1", "x")
	w.ok(owner, "PUT", "/bkt?versioning", versioningDocument("Enabled"))
	var a []string
	for range 3 {
		a = append([]string{versionOf(w.ok(owner, "PUT", "/bkt/a", "x"))}, a...)
	}
	b := versionOf(w.ok(owner, "PUT", "/bkt/b%20%26", "x"))
	marker := versionOf(w.ok(owner, "DELETE", "/bkt/b%20%26", ""))
	c := versionOf(w.ok(owner, "PUT", "/bkt/d/2", "x"))
	all := []string{"a=" + a[0] + "*", "a=" + a[1], "a=" + a[2], "a=null", "b+%26=!" + marker + "*", "b+%26=" + b, "d/1=null*", "d/2=" + c + "*"}
	folded := append(append([]string(nil), all[:6]...), "d/")

	for _, list := range []struct {
		query string
		want  []string
	}{{"", all}, {"&delimiter=/", folded}, {"&prefix=a", all[:4]}, {"&prefix=d/&delimiter=/", all[6:]}, {"&prefix=none", nil}} {
		for size := 1; size <= len(all)+1; size++ {
			var got []string
			next := ""
			for page := 0; ; page++ {
				require.LessOrEqual(t, page, len(all), "no end")
				doc := w.ok(owner, "GET", fmt.Sprintf("/bkt?versions&encoding-type=url&max-keys=%d%s%s", size, list.query, next), "").body
				entries := listed(doc)
				require.LessOrEqual(t, len(entries), size)
				got = append(got, entries...)
				if element(doc, "IsTruncated") == "false" {
					require.Empty(t, element(doc, "NextKeyMarker"))
					break
				}
				require.Len(t, entries, size, "a page that is not the last is full")
				next = "&key-marker=" + element(doc, "NextKeyMarker") // As it came: encoded.
				if id := element(doc, "NextVersionIdMarker"); id != "" {
					next += "&version-id-marker=" + url.QueryEscape(id)
				}
			}
			require.Equal(t, list.want, got, "%s in pages of %d", list.query, size)
		}
	}
	// From a version that is gone meanwhile, and from a key alone.
	doc := w.ok(owner, "GET", "/bkt?versions&encoding-type=url&key-marker=a&version-id-marker="+a[1], "").body
	require.Equal(t, all[2:], listed(doc))
	require.Equal(t, all[4:], listed(w.ok(owner, "GET", "/bkt?versions&encoding-type=url&key-marker=a", "").body))
	require.Empty(t, listed(w.ok(owner, "GET", "/bkt?versions&max-keys=0", "").body))
	require.Equal(t, owner.account, element(doc, "ID"))
	w.refused("InvalidArgument", owner, "GET", "/bkt?versions&version-id-marker="+b, "")
	w.refused("InvalidArgument", owner, "GET", "/bkt?versions&max-keys=-1", "")
}
