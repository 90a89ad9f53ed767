package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// How commands that speak S3 make requests. A request that fails for a reason that may pass is made
// again; all of these requests may be repeated.
const (
	s3Timeout    = 2 * time.Minute // Of one request: deleting 1,000 large objects takes its time.
	s3Attempts   = 6
	s3FirstPause = 100 * time.Millisecond // Doubled each time.
	s3AnswerMax  = 16 << 20               // Bytes of an answer.
)

// The most that one DeleteObjects may hold: S3's limit, and what keeps its document
// well below the server's.
const (
	deleteMaxKeys  = 1000
	deleteMaxBytes = 1 << 20
)

// s3Client calls the S3 API of a target.
type s3Client struct {
	http     *http.Client
	endpoint string
	bypass   bool // Of the retention in governance mode.
}

// s3 returns the S3 API of the target, for as many calls at once.
func (t *target) s3(parallel int) (*s3Client, error) {
	hc, err := t.httpClient()
	if err != nil {
		return nil, err
	}
	hc.Transport.(*http.Transport).MaxIdleConnsPerHost = parallel
	hc.Transport, hc.Timeout = &signer{next: hc.Transport, target: t}, s3Timeout
	return &s3Client{http: hc, endpoint: strings.TrimRight(t.Endpoint, "/")}, nil
}

// s3Error is an answer of S3 that is an error.
type s3Error struct {
	Status  int    `xml:"-"`
	Code    string `xml:"Code"`
	Message string `xml:"Message"`
}

func (e *s3Error) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Message) }

// passes reports whether another attempt may succeed.
func (e *s3Error) passes() bool {
	return e.Status >= 500 && e.Status != http.StatusNotImplemented || e.Status == http.StatusTooManyRequests
}

// s3Failure gives a failed S3 call its exit status.
func (t *target) s3Failure(err error) error {
	var se *s3Error
	switch {
	case !errors.As(err, &se) || se.passes():
		return &statusError{exitUnavailable, fmt.Errorf("%s: %w", t.Endpoint, err)}
	case se.Status == http.StatusNotFound:
		return &statusError{exitNotFound, err}
	}
	return &statusError{exitError, err}
}

// call makes a request of a bucket and key until it succeeds, fails for good, or has
// failed too often, and returns the answer's body.
func (c *s3Client) call(ctx context.Context, method, path, query string, body []byte) ([]byte, error) {
	for attempt := 1; ; attempt++ {
		answer, err := c.once(ctx, method, path, query, body)
		var se *s3Error
		if err == nil || ctx.Err() != nil || attempt == s3Attempts || errors.As(err, &se) && !se.passes() {
			return answer, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(s3FirstPause << (attempt - 1)):
		}
	}
}

func (c *s3Client) once(ctx context.Context, method, path, query string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.endpoint+path+"?"+query, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		sum := md5.Sum(body)
		req.Header.Set("Content-MD5", base64.StdEncoding.EncodeToString(sum[:]))
		req.Header.Set("Content-Type", "application/xml")
	}
	if c.bypass && method != http.MethodGet {
		req.Header.Set("X-Amz-Bypass-Governance-Retention", "true")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, s3AnswerMax))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < 300 {
		return answer, nil
	}
	se := &s3Error{Status: resp.StatusCode}
	if xml.Unmarshal(answer, se) != nil || se.Code == "" {
		se.Code, se.Message = resp.Status, "the answer is none of S3"
	}
	return nil, se
}

// objectPath is where an object lies below the endpoint; a bucket for no key.
func objectPath(bucket, key string) string {
	const plain = "-._~/"
	var b strings.Builder
	path := "/" + bucket
	if key != "" {
		path += "/" + key
	}
	for _, c := range []byte(path) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(plain, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// listed is a key, or a version of it, as a list tells.
type listed struct {
	Key       string
	VersionID string `xml:"VersionId"`
	Size      uint64
}

// listPage is a page of ListObjectsV2 or of ListObjectVersions.
type listPage struct {
	Contents, Version, DeleteMarker []listed

	Truncated     bool   `xml:"IsTruncated"`
	NextToken     string `xml:"NextContinuationToken"`
	NextKeyMarker string
	NextVersion   string `xml:"NextVersionIdMarker"`
}

// page reads a page of the keys with a prefix, or of their versions, after the page
// before it; nil: the first.
func (c *s3Client) page(ctx context.Context, bucket, prefix string, versions bool, before *listPage) (*listPage, error) {
	q := url.Values{"prefix": {prefix}, "encoding-type": {"url"}}
	if versions {
		q.Set("versions", "")
	} else {
		q.Set("list-type", "2")
	}
	switch {
	case before == nil:
	case versions:
		q.Set("key-marker", before.NextKeyMarker)
		if before.NextVersion != "" {
			q.Set("version-id-marker", before.NextVersion)
		}
	default:
		q.Set("continuation-token", before.NextToken)
	}
	answer, err := c.call(ctx, http.MethodGet, objectPath(bucket, ""), q.Encode(), nil)
	if err != nil {
		return nil, err
	}
	p := &listPage{}
	if err := xml.Unmarshal(answer, p); err != nil {
		return nil, fmt.Errorf("a list that cannot be read: %w", err)
	}
	for _, text := range p.encoded() {
		if *text, err = url.QueryUnescape(*text); err != nil {
			return nil, fmt.Errorf("a list that cannot be read: %w", err)
		}
	}
	if p.Truncated && p.NextToken == "" && p.NextKeyMarker == "" {
		return nil, errors.New("a list that cannot be read: there is more, and no telling where")
	}
	return p, nil
}

// encoded returns what encoding-type=url encodes.
func (p *listPage) encoded() []*string {
	all := []*string{&p.NextKeyMarker}
	for _, list := range [][]listed{p.Contents, p.Version, p.DeleteMarker} {
		for i := range list {
			all = append(all, &list[i].Key)
		}
	}
	return all
}

// entries returns what the page lists.
func (p *listPage) entries() []listed {
	return append(append(p.Contents, p.Version...), p.DeleteMarker...)
}

// notDeleted is a key, or a version of it, that is still there, and why.
type notDeleted struct {
	Key       string `json:"key"`
	VersionID string `xml:"VersionId" json:"version_id"`
	Code      string `json:"code"`
	Message   string `json:"message"`
}

// delete deletes objects in as many requests as it takes, and returns those that the server would
// not delete. If a request fails, it returns an error, and nothing is known about the objects of
// that request.
func (c *s3Client) delete(ctx context.Context, bucket string, objects []listed) ([]notDeleted, error) {
	var left []notDeleted
	for len(objects) > 0 {
		if !fitsXML(objects[0].Key) {
			why, err := c.deleteOne(ctx, bucket, objects[0])
			if err != nil {
				return nil, err
			}
			left, objects = append(left, why...), objects[1:]
			continue
		}
		body, n := deleteDocument(objects)
		answer, err := c.call(ctx, http.MethodPost, objectPath(bucket, ""), "delete=", body)
		if err != nil {
			return nil, err
		}
		var result struct{ Error []notDeleted }
		if err := xml.Unmarshal(answer, &result); err != nil {
			return nil, fmt.Errorf("the answer of a delete cannot be read: %w", err)
		}
		left, objects = append(left, result.Error...), objects[n:]
	}
	return left, nil
}

// deleteDocument is the document of a DeleteObjects with as many of the objects as
// one may hold, and how many these are.
func deleteDocument(objects []listed) ([]byte, int) {
	var b bytes.Buffer
	b.WriteString("<Delete><Quiet>true</Quiet>")
	n := 0
	for n < len(objects) && n < deleteMaxKeys && b.Len() < deleteMaxBytes && fitsXML(objects[n].Key) {
		b.WriteString("<Object><Key>")
		_ = xml.EscapeText(&b, []byte(objects[n].Key)) // A bytes.Buffer does not fail.
		b.WriteString("</Key>")
		if v := objects[n].VersionID; v != "" {
			b.WriteString("<VersionId>")
			_ = xml.EscapeText(&b, []byte(v))
			b.WriteString("</VersionId>")
		}
		b.WriteString("</Object>")
		n++
	}
	b.WriteString("</Delete>")
	return b.Bytes(), n
}

// deleteOne deletes an object whose key XML cannot hold.
func (c *s3Client) deleteOne(ctx context.Context, bucket string, o listed) ([]notDeleted, error) {
	query := ""
	if o.VersionID != "" {
		query = url.Values{"versionId": {o.VersionID}}.Encode()
	}
	_, err := c.call(ctx, http.MethodDelete, objectPath(bucket, o.Key), query, nil)
	var se *s3Error
	switch {
	case err == nil:
		return nil, nil
	case errors.As(err, &se) && !se.passes() && se.Code != "NoSuchBucket":
		return []notDeleted{{o.Key, o.VersionID, se.Code, se.Message}}, nil
	}
	return nil, err
}

// fitsXML reports whether XML 1.0 can hold all characters of a key.
func fitsXML(key string) bool {
	for _, r := range key {
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff || r == utf8.RuneError {
			return false
		}
	}
	return true
}
