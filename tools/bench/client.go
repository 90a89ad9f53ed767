package main

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/cairnstore/cairn/tools/load"
)

const (
	region          = "us-east-1"
	unsignedPayload = "UNSIGNED-PAYLOAD"
	maxErrorBytes   = 64 << 10
)

// client sends the requests that are measured, with as little work of its own as can be, since it
// shares the machine with the server. It hashes no body, tries nothing twice, and takes out of answers
// only what the next request needs. What is not measured goes through sdk.
type client struct {
	urls   []*url.URL
	turn   atomic.Uint64 // Counts requests that go from URL to URL: see server.
	creds  aws.Credentials
	signer *v4.Signer
	http   *http.Client
	bucket string
}

func newClient(s spec, h *http.Client, bucket string) *client {
	return &client{
		urls: s.urls, http: h, bucket: bucket,
		creds:  aws.Credentials{AccessKeyID: s.access, SecretAccessKey: s.secret},
		signer: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }),
	}
}

// request is one of S3's, to a bucket or a key of plain letters, digits, '-' and '/'.
type request struct {
	method, bucket, key string
	query               url.Values
	header              http.Header
	body                load.Value // What is sent if text is "".
	text                string
}

// refusal is an answer that is no success.
type refusal struct {
	What   string `xml:"-"`
	Status int    `xml:"-"`
	Code   string
	Text   string `xml:"Message"`
}

func (r *refusal) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%s: status %d %s %s", r.What, r.Status, r.Code, r.Text))
}

func (r *request) open() io.ReadCloser {
	switch {
	case r.text != "":
		return io.NopCloser(strings.NewReader(r.text))
	case r.body.Size() > 0:
		return io.NopCloser(load.NewReader(r.body))
	}
	return http.NoBody
}

// server chooses where a request goes. If there are at least as many clients as servers, each client
// stays with one server. Fewer clients go from server to server, so that it does not matter which of
// them leads.
func (c *client) server(ctx context.Context) *url.URL {
	if w, ok := ctx.Value(workerKey{}).(worker); ok && w.of >= len(c.urls) {
		return c.urls[w.number%len(c.urls)]
	}
	return c.urls[int(c.turn.Add(1)-1)%len(c.urls)]
}

// warm makes so many clients connect: each to its server or, if they are fewer than those, to all.
func (c *client) warm(ctx context.Context, clients int) error {
	n := clients
	if clients < len(c.urls) {
		n = clients * len(c.urls)
	}
	_, err := each(ctx, n, clients, func(ctx context.Context, _ int) error {
		answer, err := c.do(ctx, request{method: http.MethodHead})
		if err != nil {
			return err
		}
		return answer.Body.Close()
	})
	return err
}

// do sends a request. The caller must close the answer's body. An answer that is no success is returned
// as a *refusal.
func (c *client) do(ctx context.Context, r request) (*http.Response, error) {
	u := *c.server(ctx)
	if r.bucket == "" {
		r.bucket = c.bucket
	}
	u.Path = "/" + r.bucket
	if r.key != "" {
		u.Path += "/" + r.key
	}
	u.RawQuery = r.query.Encode()
	h, err := http.NewRequestWithContext(ctx, r.method, u.String(), r.open())
	if err != nil {
		return nil, err
	}
	if r.header != nil {
		h.Header = r.header
	}
	h.ContentLength = max(int64(len(r.text)), r.body.Size())
	// So that net/http can send it again if the connection was closed while it was idle.
	h.GetBody = func() (io.ReadCloser, error) { return r.open(), nil }
	h.Header.Set("X-Amz-Content-Sha256", unsignedPayload)
	if err := c.signer.SignHTTP(ctx, c.creds, h, unsignedPayload, "s3", region, time.Now()); err != nil {
		return nil, err
	}
	answer, err := c.http.Do(h)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode/100 != 2 {
		defer answer.Body.Close()
		text, err := io.ReadAll(io.LimitReader(answer.Body, maxErrorBytes))
		no := &refusal{What: r.method + " " + u.Path, Status: answer.StatusCode}
		if err == nil {
			_ = xml.Unmarshal(text, no) // A status without a document says enough.
		}
		return nil, no
	}
	return answer, nil
}

// ask sends a request and returns its whole answer. Copies and completions may fail after the status
// was sent: such an answer is returned as a *refusal too.
func (c *client) ask(ctx context.Context, r request) (http.Header, string, error) {
	answer, err := c.do(ctx, r)
	if err != nil {
		return nil, "", err
	}
	defer answer.Body.Close()
	var text strings.Builder
	if _, err := io.Copy(&text, answer.Body); err != nil {
		return nil, "", fmt.Errorf("%s %s: %w", r.method, r.key, err)
	}
	if strings.Contains(text.String(), "<Error>") {
		no := &refusal{What: r.method + " " + r.key, Status: answer.StatusCode}
		_ = xml.Unmarshal([]byte(text.String()), no)
		return nil, "", no
	}
	return answer.Header, text.String(), nil
}

// place says where an object lies, and under which customer's key.
type place struct {
	bucket, key string // Bucket is "" for the bucket of most rows.
	version     string
	sse         *customerKey
}

func (p place) request(method string) request {
	r := request{method: method, bucket: p.bucket, key: p.key, header: p.sse.own(http.Header{})}
	if p.version != "" {
		r.query = url.Values{"versionId": {p.version}}
	}
	return r
}

// put writes an object and returns its version's id, if it has one.
func (c *client) put(ctx context.Context, at place, v load.Value) (version string, err error) {
	r := at.request(http.MethodPut)
	r.body = v
	h, _, err := c.ask(ctx, r)
	return h.Get("X-Amz-Version-Id"), err
}

func (c *client) delete(ctx context.Context, at place) error {
	r := at.request(http.MethodDelete)
	r.header = http.Header{}
	_, _, err := c.ask(ctx, r)
	return err
}

// get reads n bytes of an object from off on, and compares each with what was written. whole is what
// the object holds.
func (c *client) get(ctx context.Context, at place, whole load.Value, off, n int64) error {
	r, status := at.request(http.MethodGet), http.StatusOK
	if n != whole.Size() {
		r.header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+n-1))
		status = http.StatusPartialContent
	}
	answer, err := c.do(ctx, r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != status {
		return fmt.Errorf("GET %s: status %d, want %d", at.key, answer.StatusCode, status)
	}
	if err := whole.Slice(off, n).Compare(answer.Body); err != nil {
		return fmt.Errorf("GET %s from %d on: %w", at.key, off, err)
	}
	return nil
}

// size asks how long an object is.
func (c *client) size(ctx context.Context, at place) (int64, error) {
	answer, err := c.do(ctx, at.request(http.MethodHead))
	if err != nil {
		return 0, err
	}
	return answer.ContentLength, answer.Body.Close()
}

// source returns the header that names an object of the bucket as the source of a copy.
func (c *client) source(key string) []string { return []string{"/" + c.bucket + "/" + key} }

func (c *client) copyObject(ctx context.Context, from, to string) error {
	header := http.Header{"X-Amz-Copy-Source": c.source(from)}
	_, _, err := c.ask(ctx, request{method: http.MethodPut, key: to, header: header})
	return err
}

func partQuery(upload string, number int) url.Values {
	return url.Values{"uploadId": {upload}, "partNumber": {strconv.Itoa(number)}}
}

// putPart sends a part and returns its ETag.
func (c *client) putPart(ctx context.Context, at place, upload string, number int, v load.Value) (string, error) {
	r := at.request(http.MethodPut)
	r.query, r.body = partQuery(upload, number), v
	h, _, err := c.ask(ctx, r)
	return h.Get("Etag"), err
}

// span is a range of an object: n bytes from off on.
type span struct{ off, n int64 }

// copyPart makes a part of a range of another object, and returns its ETag.
func (c *client) copyPart(ctx context.Context, from, to place, upload string, number int, s span) (string, error) {
	r := to.request(http.MethodPut)
	r.query = partQuery(upload, number)
	from.sse.source(r.header)
	r.header["X-Amz-Copy-Source"] = c.source(from.key)
	r.header.Set("X-Amz-Copy-Source-Range", fmt.Sprintf("bytes=%d-%d", s.off, s.off+s.n-1))
	_, text, err := c.ask(ctx, r)
	if err != nil {
		return "", err
	}
	etag, ok := element(text, "ETag")
	if !ok {
		return "", errors.New("the answer to a part copy has no ETag")
	}
	return etag, nil
}

// complete makes an object of parts numbered from 1 on.
func (c *client) complete(ctx context.Context, at place, upload string, etags []string) error {
	r := at.request(http.MethodPost)
	r.query, r.text = url.Values{"uploadId": {upload}}, completion(etags)
	_, _, err := c.ask(ctx, r)
	return err
}

func completion(etags []string) string {
	var b strings.Builder
	b.WriteString(`<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`)
	for i, etag := range etags {
		fmt.Fprintf(&b, "<Part><PartNumber>%d</PartNumber><ETag>", i+1)
		_ = xml.EscapeText(&b, []byte(etag)) // A Builder takes everything.
		b.WriteString("</ETag></Part>")
	}
	b.WriteString("</CompleteMultipartUpload>")
	return b.String()
}
