package main

import (
	"cmp"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// fakeS3 is as much of S3 as deleting needs, by the rules of S3: two lists in pages,
// DeleteObjects and DeleteObject. It keeps what it is told.
type fakeS3 struct {
	mu      sync.Mutex
	buckets map[string][]fakeVersion // By key, then newest first.
	parts   map[string][]byte        // What is set for buckets, by BUCKET?PART.
	busy    int                      // So many requests for the bucket "busy" are refused before one is served.
}

// fakeVersion is of a bucket that keeps versions, if it has an id.
type fakeVersion struct {
	key, id string
	marker  bool
	locked  bool
}

const (
	fakePage = 1000
	fakeSize = 1024
)

// newFakeS3 has the buckets photos (2,502 keys and one that is locked below 2024/,
// and another), old (300 keys with four versions and a delete marker each), busy and
// denied.
func newFakeS3() *fakeS3 {
	f := &fakeS3{parts: map[string][]byte{}, buckets: map[string][]fakeVersion{"denied": {{key: "a"}},
		"busy": {{key: "a"}, {key: "b"}}}, busy: 3}
	photos := []fakeVersion{{key: "2025/new"}, {key: "2024/locked", locked: true}, {key: "2024/a +%&<é\U0001f600>\t"}, {key: "2024/\x01"}}
	for i := range 2500 {
		photos = append(photos, fakeVersion{key: fmt.Sprintf("2024/%04d.jpg", i)})
	}
	f.buckets["photos"] = photos
	for i := range 300 {
		for v := range 5 {
			f.buckets["old"] = append(f.buckets["old"], fakeVersion{key: fmt.Sprintf("k%d", i), id: fmt.Sprintf("v%d", v), marker: v == 2})
		}
	}
	f.buckets["checked"] = []fakeVersion{{key: "a/cold"}, {key: "a/fine <é>"}, {key: "a/other"}, {key: "a/unreadable"},
		{key: "b/fine"}}
	for _, b := range f.buckets {
		slices.SortStableFunc(b, func(a, b fakeVersion) int { return strings.Compare(a.key, b.key) })
	}
	return f
}

func (f *fakeS3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if f.bucketItself(w, r, bucket, key) {
		return
	}
	if _, ok := f.buckets[bucket]; !ok {
		refuse(w, 404, "NoSuchBucket")
		return
	}
	q := r.URL.Query()
	switch {
	case bucket == "busy" && f.busy > 0:
		f.busy--
		refuse(w, 503, "SlowDown")
	case r.Method == http.MethodGet && bucket == "checked" && key != "":
		checkedObject(w, key)
	case bucket == "denied":
		refuse(w, 403, "AccessDenied")
	case r.Method == http.MethodDelete:
		if !f.delete(r, bucket, key, q.Get("versionId")) {
			refuse(w, 403, "AccessDenied")
			return
		}
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPost && q.Has("delete"):
		f.deleteObjects(w, r, bucket)
	case q.Has("versions"):
		f.listVersions(w, bucket, q)
	case q.Get("list-type") == "2":
		f.list(w, bucket, q)
	default:
		refuse(w, 501, "NotImplemented")
	}
}

// fakeParts are the parts of a bucket's configuration, each with what a bucket answers that has none.
var fakeParts = map[string]string{"versioning": "<VersioningConfiguration/>", "logging": "<BucketLoggingStatus/>",
	"notification": "<NotificationConfiguration/>", "quota": "<Quota><StorageQuota>0</StorageQuota></Quota>",
	"storageinfo": "<R><Size>2048</Size><ObjectNumber>3</ObjectNumber></R>",
	"lifecycle":   "", "cors": "", "encryption": "", "website": "", "tagging": "", "object-lock": "", "policy": ""}

// bucketItself serves requests that make or delete a bucket, or concern what is set for it.
func (f *fakeS3) bucketItself(w http.ResponseWriter, r *http.Request, bucket, key string) bool {
	_, exists := f.buckets[bucket]
	for part, none := range fakeParts {
		if !exists || key != "" || !r.URL.Query().Has(part) {
			continue
		}
		at := bucket + "?" + part
		switch set, ok := f.parts[at]; {
		case r.Method == http.MethodPut:
			f.parts[at], _ = io.ReadAll(r.Body)
		case r.Method == http.MethodDelete:
			delete(f.parts, at)
			w.WriteHeader(http.StatusNoContent)
		case ok:
			_, _ = w.Write(set)
		case none != "":
			_, _ = io.WriteString(w, none)
		default:
			refuse(w, 404, "NoSuchConfiguration")
		}
		return true
	}
	switch {
	case key != "" || r.URL.RawQuery != "" && r.URL.Query().Get("x-id") == "":
		return false
	case r.Method == http.MethodPut && exists:
		refuse(w, 409, "BucketAlreadyOwnedByYou")
	case r.Method == http.MethodPut:
		f.buckets[bucket] = nil
	case r.Method == http.MethodDelete && len(f.buckets[bucket]) > 0:
		refuse(w, 409, "BucketNotEmpty")
	case r.Method == http.MethodDelete && exists:
		delete(f.buckets, bucket)
		w.WriteHeader(http.StatusNoContent)
	default:
		return false
	}
	return true
}

// checkedObject serves an object of the bucket "checked": it is what its key says.
func checkedObject(w http.ResponseWriter, key string) {
	switch sum := md5.Sum([]byte("content")); {
	case strings.HasSuffix(key, "cold"):
		refuse(w, 403, "InvalidObjectState")
	case strings.HasSuffix(key, "unreadable"):
		refuse(w, 404, "ObjectUnreadable")
	default:
		w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:])+`"`)
		body := "content"
		if strings.HasSuffix(key, "other") {
			body = "CONTENT"
		}
		_, _ = io.WriteString(w, body)
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>no luck</Message></Error>", code)
}

// delete deletes a version, or all that has the key where versions have no ids.
func (f *fakeS3) delete(r *http.Request, bucket, key, id string) bool {
	bypass := r.Header.Get("X-Amz-Bypass-Governance-Retention") == "true"
	is := func(v fakeVersion) bool { return v.key == key && v.id == id }
	if slices.ContainsFunc(f.buckets[bucket], func(v fakeVersion) bool { return is(v) && v.locked && !bypass }) {
		return false
	}
	f.buckets[bucket] = slices.DeleteFunc(f.buckets[bucket], is)
	return true
}

func (f *fakeS3) deleteObjects(w http.ResponseWriter, r *http.Request, bucket string) {
	body, _ := io.ReadAll(r.Body)
	sum := md5.Sum(body)
	var doc struct {
		Quiet  bool
		Object []struct{ Key, VersionId string }
	}
	if xml.Unmarshal(body, &doc) != nil || len(doc.Object) > 1000 || r.Header.Get("Content-MD5") != base64.StdEncoding.EncodeToString(sum[:]) {
		refuse(w, 400, "MalformedXML")
		return
	}
	fmt.Fprint(w, "<DeleteResult>")
	for _, o := range doc.Object {
		if !f.delete(r, bucket, o.Key, o.VersionId) {
			fmt.Fprintf(w, "<Error><Key>%s</Key><VersionId>%s</VersionId><Code>AccessDenied</Code><Message>locked</Message></Error>", o.Key, o.VersionId)
		}
	}
	fmt.Fprint(w, "</DeleteResult>")
}

func (f *fakeS3) list(w http.ResponseWriter, bucket string, q url.Values) {
	fmt.Fprint(w, "<ListBucketResult>")
	after, _ := hex.DecodeString(q.Get("continuation-token"))
	n, last := 0, ""
	for _, v := range f.buckets[bucket] {
		if v.marker || !strings.HasPrefix(v.key, q.Get("prefix")) || v.key <= string(after) {
			continue
		}
		if n == fakePage {
			fmt.Fprintf(w, "<IsTruncated>true</IsTruncated><NextContinuationToken>%x</NextContinuationToken>", last)
			break
		}
		fmt.Fprintf(w, "<Contents><Key>%s</Key><Size>%d</Size></Contents>", url.QueryEscape(v.key), fakeSize)
		n, last = n+1, v.key
	}
	fmt.Fprint(w, "</ListBucketResult>")
}

func (f *fakeS3) listVersions(w http.ResponseWriter, bucket string, q url.Values) {
	fmt.Fprint(w, "<ListVersionsResult>")
	all := f.buckets[bucket]
	from, _ := slices.BinarySearchFunc(all, q.Get("key-marker"), func(v fakeVersion, m string) int { return cmp.Or(strings.Compare(v.key, m), -1) })
	if m := q.Get("version-id-marker"); m != "" {
		i := slices.IndexFunc(all, func(v fakeVersion) bool { return v.key == q.Get("key-marker") && v.id == m })
		if from = i + 1; i < 0 { // It is gone: all of its key once more.
			from, _ = slices.BinarySearchFunc(all, q.Get("key-marker"), func(v fakeVersion, m string) int { return cmp.Or(strings.Compare(v.key, m), 1) })
		}
	}
	n := 0
	var last fakeVersion
	for _, v := range all[from:] {
		if !strings.HasPrefix(v.key, q.Get("prefix")) {
			continue
		}
		if n == fakePage {
			fmt.Fprintf(w, "<IsTruncated>true</IsTruncated><NextKeyMarker>%s</NextKeyMarker><NextVersionIdMarker>%s</NextVersionIdMarker>", url.QueryEscape(last.key), last.id)
			break
		}
		name := "Version"
		if v.marker {
			name = "DeleteMarker"
		}
		fmt.Fprintf(w, "<%s><Key>%s</Key><VersionId>%s</VersionId><Size>%d</Size><LastModified>%s</LastModified>"+
			"<IsLatest>%t</IsLatest></%s>", name, url.QueryEscape(v.key), v.id, fakeSize, fakeTime, n == 0 ||
			last.key != v.key, name)
		n, last = n+1, v
	}
	fmt.Fprint(w, "</ListVersionsResult>")
}
