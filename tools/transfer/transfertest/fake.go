// Package transfertest has a store in memory that speaks as much S3 as copying objects takes, and that can
// be made to fail. It is for tests.
package transfertest

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cairnstore/cairn/s3api/checksum"
)

// Fake is a store in memory. Its zero value has no buckets and never fails.
type Fake struct {
	// Fault is called before a request is served. It returns true if it has answered itself. It may be
	// nil.
	Fault func(w http.ResponseWriter, r *http.Request) bool
	// PageMax is how much a page of a list holds; 0: 1000.
	PageMax int
	// Plain objects have no additional checksum.
	Plain bool

	mu      sync.Mutex
	buckets map[string]map[string]*Object
	uploads map[string]*upload
	serial  int
	calls   []string
}

// Object is an object of a Fake.
type Object struct {
	Body     []byte
	ETag     string // Without quotes.
	CRC      string // CRC64NVME, if it has one.
	Modified time.Time
	Header   http.Header // Content-Type, x-amz-meta-…, x-amz-storage-class.
	Tags     string
}

type upload struct {
	bucket, key string
	header      http.Header
	parts       map[int]*Object
	checksum    bool
}

// Begun is when the first object of a Fake was written; each later one is a second younger.
var Begun = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// Make makes buckets.
func (f *Fake) Make(names ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.buckets == nil {
		f.buckets, f.uploads = map[string]map[string]*Object{}, map[string]*upload{}
	}
	for _, n := range names {
		f.buckets[n] = map[string]*Object{}
	}
}

// Set writes an object.
func (f *Fake) Set(bucket, key, body string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.buckets[bucket][key] = f.object([]byte(body), http.Header{})
}

// Spoil changes a byte of an object, and not what is said of it.
func (f *Fake) Spoil(bucket, key string, at int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o := *f.buckets[bucket][key]
	o.Body = bytes.Clone(o.Body)
	o.Body[at] ^= 1
	f.buckets[bucket][key] = &o
}

// Get returns an object, nil if there is none.
func (f *Fake) Get(bucket, key string) *Object {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.buckets[bucket][key]
}

// Keys returns the keys of a bucket in their order.
func (f *Fake) Keys(bucket string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.buckets[bucket]))
}

// Uploads returns how many uploads are in progress, and how many parts they have.
func (f *Fake) Uploads() (n, parts int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, u := range f.uploads {
		parts += len(u.parts)
	}
	return len(f.uploads), parts
}

// Calls returns how many requests have been served whose method and query begin with a text, as in
// "PUT partNumber".
func (f *Fake) Calls(like string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if strings.HasPrefix(c, like) {
			n++
		}
	}
	return n
}

func (f *Fake) object(body []byte, h http.Header) *Object {
	sum := md5.Sum(body)
	f.serial++
	o := &Object{Body: body, ETag: hex.EncodeToString(sum[:]), Header: http.Header{},
		Modified: Begun.Add(time.Duration(f.serial) * time.Second), Tags: h.Get("x-amz-tagging")}
	if !f.Plain {
		o.CRC = crc(body)
	}
	for name := range h {
		if l := strings.ToLower(name); strings.HasPrefix(l, "x-amz-meta-") || l == "content-type" || l == "cache-control" ||
			l == "x-amz-storage-class" {
			o.Header[name] = h[name]
		}
	}
	return o
}

func crc(body []byte) string {
	h := checksum.New(checksum.CRC64NVME)
	_, _ = h.Write(body)
	return checksum.Format(h.Sum(nil))
}

const crcHeader = "x-amz-checksum-crc64nvme"

// ServeHTTP implements http.Handler.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.Fault != nil && f.Fault(w, r) {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if want := r.Header.Get(crcHeader); want != "" && r.Method == http.MethodPut && want != crc(body) {
		refuse(w, 400, "BadDigest")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	q := r.URL.Query()
	f.calls = append(f.calls, r.Method+" "+r.URL.RawQuery)
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	objects, ok := f.buckets[bucket]
	switch {
	case bucket == "":
		f.listBuckets(w)
	case key == "" && r.Method == http.MethodPut && ok:
		refuse(w, 409, "BucketAlreadyOwnedByYou")
	case key == "" && r.Method == http.MethodPut:
		f.buckets[bucket] = map[string]*Object{}
	case !ok:
		refuse(w, 404, "NoSuchBucket")
	case key == "" && r.Method == http.MethodPost && q.Has("delete"):
		deleteObjects(w, objects, body)
	case key == "" && r.Method == http.MethodDelete && len(objects) > 0:
		refuse(w, 409, "BucketNotEmpty")
	case key == "" && r.Method == http.MethodDelete:
		delete(f.buckets, bucket)
		w.WriteHeader(http.StatusNoContent)
	case key == "" && q.Has("versions"):
		f.listVersions(w, objects, q)
	case key == "" && q.Has("uploads"):
		f.listUploads(w, bucket)
	case key == "" && r.Method == http.MethodGet:
		f.list(w, objects, q)
	case q.Has("uploads") || q.Has("uploadId"):
		f.multipart(w, r, bucket, key, q, body)
	case q.Has("tagging"):
		f.tagging(w, r, objects[key], body)
	case q.Has("restore") && objects[key] != nil:
		w.WriteHeader(http.StatusAccepted)
	case q.Has("attributes"):
		refuse(w, 501, "NotImplemented")
	case r.Method == http.MethodPut && r.Header.Get("x-amz-copy-source") != "":
		f.copyObject(w, r, bucket, key)
	case r.Method == http.MethodPut:
		objects[key] = f.object(body, r.Header)
		w.Header().Set("ETag", `"`+objects[key].ETag+`"`)
	case r.Method == http.MethodDelete:
		if want := r.Header.Get("If-Match"); want != "" && objects[key] != nil && want != `"`+objects[key].ETag+`"` {
			refuse(w, 412, "PreconditionFailed")
			return
		}
		delete(objects, key)
		w.WriteHeader(http.StatusNoContent)
	default:
		read(w, r, objects[key])
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>no luck</Message></Error>", code)
}

// read answers GET and HEAD, also of ranges.
func read(w http.ResponseWriter, r *http.Request, o *Object) {
	if o == nil {
		refuse(w, 404, "NoSuchKey")
		return
	}
	if want := r.Header.Get("If-Match"); want != "" && want != `"`+o.ETag+`"` {
		refuse(w, 412, "PreconditionFailed")
		return
	}
	maps.Copy(w.Header(), o.Header)
	w.Header().Set("ETag", `"`+o.ETag+`"`)
	w.Header().Set("Last-Modified", o.Modified.Format(http.TimeFormat))
	if o.CRC != "" && r.Header.Get("x-amz-checksum-mode") == "ENABLED" {
		w.Header().Set(crcHeader, o.CRC)
		w.Header().Set("x-amz-checksum-type", "FULL_OBJECT")
	}
	if o.Tags != "" {
		w.Header().Set("x-amz-tagging-count", strconv.Itoa(strings.Count(o.Tags, "&")+1))
	}
	body, status := o.Body, http.StatusOK
	var from, to int
	if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to); n == 2 && from < len(body) {
		to = min(to, len(body)-1)
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, len(body)))
		body, status = body[from:to+1], http.StatusPartialContent
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method == http.MethodGet {
		_, _ = w.Write(body)
	}
}

func (f *Fake) listBuckets(w http.ResponseWriter) {
	fmt.Fprint(w, "<ListAllMyBucketsResult><Buckets>")
	for _, b := range slices.Sorted(maps.Keys(f.buckets)) {
		fmt.Fprintf(w, "<Bucket><Name>%s</Name><CreationDate>%s</CreationDate></Bucket>", b, Begun.Format(time.RFC3339))
	}
	fmt.Fprint(w, "</Buckets></ListAllMyBucketsResult>")
}

func (f *Fake) list(w http.ResponseWriter, objects map[string]*Object, q url.Values) {
	prefix, delimiter := q.Get("prefix"), q.Get("delimiter")
	after, _ := hex.DecodeString(q.Get("continuation-token"))
	last := max(string(after), q.Get("start-after"))
	most := 1000
	if f.PageMax > 0 {
		most = f.PageMax
	}
	fmt.Fprint(w, "<ListBucketResult><EncodingType>url</EncodingType>")
	n := 0
	for _, key := range slices.Sorted(maps.Keys(objects)) {
		if !strings.HasPrefix(key, prefix) || key <= last || delimiter != "" && last != "" &&
			strings.HasSuffix(last, delimiter) && strings.HasPrefix(key, last) {
			continue
		}
		if n == most {
			fmt.Fprintf(w, "<IsTruncated>true</IsTruncated><NextContinuationToken>%x</NextContinuationToken>", last)
			break
		}
		n++
		if i := strings.Index(key[len(prefix):], delimiter); delimiter != "" && i >= 0 {
			last = key[:len(prefix)+i+1]
			fmt.Fprintf(w, "<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>", url.QueryEscape(last))
			continue
		}
		last = key
		o := objects[key]
		fmt.Fprintf(w, "<Contents><Key>%s</Key><Size>%d</Size><ETag>&quot;%s&quot;</ETag><LastModified>%s</LastModified>"+
			"<StorageClass>STANDARD</StorageClass></Contents>", url.QueryEscape(key), len(o.Body), o.ETag,
			o.Modified.Format(time.RFC3339))
	}
	fmt.Fprint(w, "</ListBucketResult>")
}

// listVersions lists each object as its only version.
func (f *Fake) listVersions(w http.ResponseWriter, objects map[string]*Object, q url.Values) {
	fmt.Fprint(w, "<ListVersionsResult><EncodingType>url</EncodingType>")
	for _, key := range slices.Sorted(maps.Keys(objects)) {
		if strings.HasPrefix(key, q.Get("prefix")) {
			fmt.Fprintf(w, "<Version><Key>%s</Key><VersionId>null</VersionId><Size>%d</Size><IsLatest>true</IsLatest>"+
				"<LastModified>%s</LastModified></Version>", url.QueryEscape(key), len(objects[key].Body),
				objects[key].Modified.Format(time.RFC3339))
		}
	}
	fmt.Fprint(w, "</ListVersionsResult>")
}

func deleteObjects(w http.ResponseWriter, objects map[string]*Object, body []byte) {
	var doc struct{ Object []struct{ Key string } }
	if xml.Unmarshal(body, &doc) != nil || len(doc.Object) > 1000 {
		refuse(w, 400, "MalformedXML")
		return
	}
	fmt.Fprint(w, "<DeleteResult>")
	for _, o := range doc.Object {
		if strings.HasSuffix(o.Key, "locked") {
			fmt.Fprintf(w, "<Error><Key>%s</Key><Code>AccessDenied</Code><Message>it is locked</Message></Error>", o.Key)
			continue
		}
		delete(objects, o.Key)
	}
	fmt.Fprint(w, "</DeleteResult>")
}
