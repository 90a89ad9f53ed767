package main

import (
	"bytes"
	"crypto/md5"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// world is the endpoint under test, and what the cases have made there.
type world struct {
	*config
	http *http.Client
	base *url.URL

	mu      sync.Mutex
	buckets []string
	serial  int
	run     string // Random, so that two runs do not use the same buckets.
	data    []byte // The bytes that sources are cut from.
}

const dataBytes = 17 << 20

func newWorld(c *config, h *http.Client) (*world, error) {
	base, err := url.Parse(c.endpoint)
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("--endpoint %q is no URL", c.endpoint)
	}
	w := &world{config: c, http: h, base: base, data: make([]byte, dataBytes)}
	_, _ = rand.Read(w.data)
	w.run = hex.EncodeToString(w.data[:4])
	return w, nil
}

// call is one request.
type call struct {
	method, bucket, key string
	query               string // Encoded.
	headers             map[string]string
	body                []byte
	as                  *credentials // Nil: the main account.
	form                signature    // Empty: v4Header.
	when                time.Time    // Zero: now.
	virtual             bool         // Virtual-host style.
	spoil               func(*http.Request)
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
	chunks bool // Transfer-Encoding: chunked.
}

// failure is an error document.
type failure struct {
	XMLName                            xml.Name
	Code, Message, Resource, RequestID string
}

func (a *answer) failure() (f failure) {
	_ = xml.Unmarshal(a.body, &f)
	if f.XMLName.Local != "Error" {
		return failure{}
	}
	return f
}

func (a *answer) String() string {
	f := a.failure()
	return fmt.Sprintf("%d %s %q", a.status, f.Code, f.Message)
}

// do sends a call. A broken connection ends the case.
func (c *t) do(k call) *answer {
	a, err := c.try(k)
	if err != nil {
		c.fatalf("%s /%s/%s?%s: %v", k.method, k.bucket, k.key, k.query, err)
	}
	return a
}

func (w *world) try(k call) (*answer, error) {
	r, err := w.request(k)
	if err != nil {
		return nil, err
	}
	resp, err := w.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return &answer{status: resp.StatusCode, header: resp.Header, body: body, chunks: len(resp.TransferEncoding) > 0}, err
}

func (w *world) request(k call) (*http.Request, error) {
	u := *w.base
	path := "/"
	if k.bucket != "" {
		path += k.bucket
	}
	if k.key != "" {
		path += "/" + k.key
	}
	resource := "/" + k.bucket
	if k.key != "" || k.virtual {
		resource += "/" + escapePath(k.key)
	}
	host := u.Host
	if k.virtual {
		host = k.bucket + "." + w.domain
		if port := u.Port(); port != "" {
			host += ":" + port
		}
		path = "/" + k.key
	}
	u.Path, u.RawPath, u.RawQuery = path, escapePath(path), k.query
	r, err := http.NewRequest(k.method, u.String(), bytes.NewReader(k.body))
	if err != nil {
		return nil, err
	}
	r.URL, r.Host = &u, host
	for name, value := range k.headers {
		r.Header[http.CanonicalHeaderKey(name)] = []string{value}
	}
	who := w.main
	if k.as != nil {
		who = *k.as
	}
	form, when := k.form, k.when
	if form == "" {
		form = v4Header
	}
	if when.IsZero() {
		when = time.Now()
	}
	if form != anonymous {
		sign(r, form, who, w.region, resource, when)
	}
	if k.spoil != nil {
		k.spoil(r)
	}
	return r, nil
}

// want checks the status, the code and the message of a call that must fail, and that its document and
// its headers have the same request id.
func (c *t) want(a *answer, status int, code, message string) {
	f := a.failure()
	if a.status != status || f.Code != code || !strings.Contains(f.Message, message) {
		c.errorf("want %d %s %q, got %s", status, code, message, a)
	}
	if f.Code != "" && f.RequestID != a.header.Get("X-Amz-Request-Id") && f.RequestID != a.header.Get("X-Obs-Request-Id") {
		c.errorf("the document's RequestId %q is not the header's", f.RequestID)
	}
}

// ok ends the case unless the call succeeded. A body that tells an error after status 200 is none.
func (c *t) ok(a *answer) *answer {
	if a.status/100 != 2 || a.failure().Code != "" {
		c.fatalf("unexpected %s", a)
	}
	return a
}

func (c *t) equal(what string, got, want any) {
	if got != want {
		c.errorf("%s is %v, want %v", what, got, want)
	}
}

// bucket makes a bucket for the case, in which policies and ACLs can let others in. In the aws profile
// a new bucket has its ACLs disabled and its public access blocked, so both are changed.
func (c *t) bucket() string {
	c.mu.Lock()
	c.serial++
	name := fmt.Sprintf("accept-%s-%d", c.world.run, c.serial)
	c.buckets = append(c.buckets, name)
	c.mu.Unlock()
	if c.compat != "aws" {
		c.ok(c.do(call{method: "PUT", bucket: name}))
		return name
	}
	c.ok(c.do(call{method: "PUT", bucket: name, headers: map[string]string{"x-amz-object-ownership": "ObjectWriter"}}))
	c.ok(c.do(call{method: "DELETE", bucket: name, query: "publicAccessBlock"}))
	return name
}

// put stores an object.
func (c *t) put(bucket, key string, body []byte, headers map[string]string) *answer {
	return c.ok(c.do(call{method: "PUT", bucket: bucket, key: key, body: body, headers: headers}))
}

// get reads an object.
func (c *t) get(bucket, key string, headers map[string]string) []byte {
	return c.ok(c.do(call{method: "GET", bucket: bucket, key: key, headers: headers})).body
}

// initiate begins an upload.
func (c *t) initiate(bucket, key string, headers map[string]string) string {
	a := c.ok(c.do(call{method: "POST", bucket: bucket, key: key, query: "uploads", headers: headers}))
	var doc struct{ UploadId string }
	if err := xml.Unmarshal(a.body, &doc); err != nil || doc.UploadId == "" {
		c.fatalf("no upload id in %s", a.body)
	}
	return doc.UploadId
}

func partQuery(number int, upload string) string {
	return "partNumber=" + strconv.Itoa(number) + "&uploadId=" + url.QueryEscape(upload)
}

// copyPart sends an Upload Part - Copy. extra adds headers to it and may overwrite them.
func (c *t) copyPart(bucket, key, upload string, number int, source, rng string, extra map[string]string) *answer {
	return c.do(copyCall(bucket, key, upload, number, source, rng, extra))
}

func copyCall(bucket, key, upload string, number int, source, rng string, extra map[string]string) call {
	h := map[string]string{"x-amz-copy-source": source}
	if rng != "" {
		h["x-amz-copy-source-range"] = rng
	}
	for name, value := range extra {
		h[name] = value
	}
	return call{method: "PUT", bucket: bucket, key: key, query: partQuery(number, upload), headers: h}
}

// copied is a CopyPartResult.
type copied struct {
	XMLName                                                                        xml.Name `xml:"CopyPartResult"`
	ETag, LastModified                                                             string
	ChecksumCRC32, ChecksumCRC32C, ChecksumCRC64NVME, ChecksumSHA1, ChecksumSHA256 string
}

func (c *t) copied(a *answer) copied {
	c.ok(a)
	var doc copied
	if err := xml.Unmarshal(a.body, &doc); err != nil || doc.ETag == "" {
		c.fatalf("no ETag in %s", a.body)
	}
	return doc
}

// complete completes an upload of parts 1, 2, … that have these tags.
func (c *t) complete(bucket, key, upload string, headers map[string]string, tags ...string) *answer {
	var b strings.Builder
	b.WriteString("<CompleteMultipartUpload>")
	for i, tag := range tags {
		fmt.Fprintf(&b, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", i+1, tag)
	}
	b.WriteString("</CompleteMultipartUpload>")
	return c.do(call{method: "POST", bucket: bucket, key: key, query: "uploadId=" + url.QueryEscape(upload), body: []byte(b.String()), headers: headers})
}

// multipart stores an object that is made of parts.
func (c *t) multipart(bucket, key string, headers, partHeaders map[string]string, parts ...[]byte) {
	id := c.initiate(bucket, key, headers)
	var tags []string
	for i, p := range parts {
		a := c.ok(c.do(call{method: "PUT", bucket: bucket, key: key, query: partQuery(i+1, id), body: p, headers: partHeaders}))
		tags = append(tags, a.header.Get("ETag"))
	}
	c.ok(c.complete(bucket, key, id, partHeaders, tags...))
}

// upload makes a bucket, puts body there as the object "source", and begins an upload of "target".
func (c *t) upload(body []byte) (bucket, id string) {
	bucket = c.bucket()
	c.put(bucket, "source", body, nil)
	return bucket, c.initiate(bucket, "target", nil)
}

// finish completes an upload whose one part is that of a copy's answer, and returns the object.
func (c *t) finish(bucket, id string, part *answer, read map[string]string) []byte {
	c.ok(c.complete(bucket, "target", id, read, c.copied(part).ETag))
	return c.get(bucket, "target", read)
}

// setting changes a setting of the cluster. The case must call the func that it returns, which makes
// it what it was: another cluster's setting may have been set before.
func (c *t) setting(name, value string) (restore func()) {
	if c.admin == "" {
		c.passOver("needs --admin to turn " + name)
	}
	var was struct {
		Settings []struct{ Value, Source string }
	}
	told := c.cairn("config", "get", name, "--output", "json")
	if err := json.Unmarshal(told, &was); err != nil || len(was.Settings) != 1 {
		c.fatalf("config get %s: not understood: %s", name, told)
	}
	back := []string{"config", "reset", name}
	if s := was.Settings[0]; s.Source == ofCluster {
		back = []string{"config", "set", name, s.Value}
	}
	c.cairn("config", "set", name, value)
	return func() { c.cairn(back...) }
}

// ofCluster is the source of a setting that was set for the whole cluster.
const ofCluster = "cluster"

// cairn runs the admin tool and returns what it prints.
func (c *t) cairn(args ...string) []byte {
	words := append(strings.Fields(c.admin), args...)
	var said bytes.Buffer
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		c.fatalf("%s: %v: %s%s", strings.Join(args, " "), err, out, &said)
	}
	return out
}

// customerKey returns the header triple of a customer's key.
func customerKey(prefix string, key []byte) map[string]string {
	sum := md5.Sum(key)
	return map[string]string{
		prefix + "algorithm": "AES256",
		prefix + "key":       base64.StdEncoding.EncodeToString(key),
		prefix + "key-MD5":   base64.StdEncoding.EncodeToString(sum[:]),
	}
}

const (
	ssecTarget = "x-amz-server-side-encryption-customer-"
	ssecSource = "x-amz-copy-source-server-side-encryption-customer-"
)

func merged(maps ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range maps {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}
