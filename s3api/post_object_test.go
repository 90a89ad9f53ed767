package s3api

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/profile"
)

// posting is a form in the making: fields in order as NAME=VALUE, then the file.
type posting struct {
	fields   []string
	fileName string
	file     string
	after    []string
}

// text returns the form and its Content-Type.
func (p posting) text() (body, contentType string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	_ = w.SetBoundary("a-boundary-of-tests")
	field := func(list []string) {
		for _, f := range list {
			name, value, _ := strings.Cut(f, "=")
			_ = w.WriteField(name, value)
		}
	}
	field(p.fields)
	if p.fileName != "none" {
		f, _ := w.CreateFormFile("file", p.fileName)
		_, _ = io.WriteString(f, p.file)
	}
	field(p.after)
	_ = w.Close()
	return b.String(), w.FormDataContentType()
}

func (w *world) post(path string, p posting, headers ...string) reply {
	w.t.Helper()
	body, contentType := p.text()
	return w.send(w.request("POST", path, body, append(headers, "Content-Type: "+contentType)...))
}

// policyText is a policy of conditions, good for an hour.
func policyText(conditions ...string) string {
	return `{"expiration":"` + time.Now().Add(time.Hour).UTC().Format("2006-01-02T15:04:05.000Z") + `","conditions":[` + strings.Join(conditions, ",") + `]}`
}

func hmacOf(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	_, _ = io.WriteString(m, text)
	return m.Sum(nil)
}

// signV4 returns the fields that sign a policy, whose conditions cover them.
func (p *person) signV4(conditions ...string) []string {
	now := time.Now().UTC()
	date, stamp := now.Format("20060102"), now.Format("20060102T150405Z")
	fields := []string{"x-amz-algorithm=AWS4-HMAC-SHA256", "x-amz-credential=" + p.accessKey + "/" + date + "/us-east-1/s3/aws4_request", "x-amz-date=" + stamp}
	if p.token != "" {
		fields = append(fields, "x-amz-security-token="+p.token)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		conditions = append(conditions, `{"`+name+`":"`+value+`"}`)
	}
	policy := base64.StdEncoding.EncodeToString([]byte(policyText(conditions...)))
	key := []byte("AWS4" + p.secret)
	for _, step := range []string{date, "us-east-1", "s3", "aws4_request"} {
		key = hmacOf(key, step)
	}
	return append(fields, "policy="+policy, "x-amz-signature="+hex.EncodeToString(hmacOf(key, policy)))
}

// signV2 is signV4 with the signature of V2, or that of OBS.
func (p *person) signV2(keyField string, conditions ...string) []string {
	policy := base64.StdEncoding.EncodeToString([]byte(policyText(conditions...)))
	m := hmac.New(sha1.New, []byte(p.secret))
	_, _ = io.WriteString(m, policy)
	return []string{keyField + "=" + p.accessKey, "policy=" + policy, "signature=" + base64.StdEncoding.EncodeToString(m.Sum(nil))}
}

const anyKey, inBucket = `["starts-with","$key",""]`, `{"bucket":"bkt"}`

// TestPostObject: a form in every way of signing, by path and virtual host, and what it
// can ask to be answered.
func TestPostObject(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	session := w.session(owner)
	for i, fields := range [][]string{
		owner.signV4(anyKey, inBucket),
		session.signV4(anyKey, inBucket),
		owner.signV2("AWSAccessKeyId", anyKey, inBucket),
		owner.signV2("AccessKeyId", anyKey, inBucket),
	} {
		key := fmt.Sprintf("key-%d", i)
		for _, at := range [][]string{{"/bkt"}, {"/bkt/"}, {"/", "Host: bkt." + worldDomain}} {
			r := w.post(at[0], posting{fields: append([]string{"key=" + key}, fields...), fileName: "f", file: "content"}, at[1:]...)
			require.Equal(t, 204, r.StatusCode, r.body)
			require.Equal(t, `"9a0364b9e99bb480dd25e1f0284c8555"`, r.Header.Get("ETag"))
			require.True(t, strings.HasSuffix(r.Header.Get("Location"), "/"+key), r.Header.Get("Location"))
			require.Equal(t, "content", w.ok(owner, "GET", "/bkt/"+key, "").body)
		}
	}

	all := []string{anyKey, inBucket, `["starts-with","$success_action_status",""]`, `["starts-with","$success_action_redirect",""]`,
		`["starts-with","$Content-Type","text/"]`, `["eq","$x-amz-meta-a","b"]`, `{"acl":"public-read"}`, `["starts-with","$x-amz-server-side-encryption",""]`}
	full := func(more ...string) posting {
		return posting{fields: append(append([]string{"key=dir/${filename}", "Content-Type=text/plain", "x-amz-meta-a=b", "acl=public-read",
			"x-amz-server-side-encryption=AES256", "x-ignore-button=go"}, owner.signV4(all...)...), more...), fileName: `C:\pics\päron.txt`, file: "x"}
	}
	r := w.post("/bkt", full("success_action_status=201"))
	require.Equal(t, 201, r.StatusCode, r.body)
	require.Contains(t, r.body, "<PostResponse")
	require.Equal(t, "dir/päron.txt", element(r.body, "Key"))
	require.Equal(t, `"9dd4e461268c8034f5c8564e155c67a6"`, element(r.body, "ETag"))
	got := w.ok(nil, "GET", "/bkt/dir/p%C3%A4ron.txt", "")
	require.Equal(t, "text/plain", got.Header.Get("Content-Type"))
	require.Equal(t, "b", got.Header.Get("X-Amz-Meta-A"))
	require.Equal(t, "AES256", got.Header.Get("X-Amz-Server-Side-Encryption"))
	require.Equal(t, 200, w.post("/bkt", full("success_action_status=200")).StatusCode)
	require.Equal(t, 204, w.post("/bkt", full("success_action_status=500")).StatusCode)
	w.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r = w.post("/bkt", full("success_action_redirect=https://app.test/done?a=1"))
	require.Equal(t, 303, r.StatusCode)
	require.Equal(t, "https://app.test/done?a=1&bucket=bkt&key=dir%2Fp%C3%A4ron.txt&etag=%229dd4e461268c8034f5c8564e155c67a6%22", r.Header.Get("Location"))
	require.Equal(t, 204, w.post("/bkt", full("success_action_redirect=javascript:alert(1)")).StatusCode)
}

// TestPostRefused is what no form gets past, and with which error.
func TestPostRefused(t *testing.T) {
	w := newWorld(t, withProfile(t, profile.OBS, map[string]string{"error-profile": "aws"}))
	owner, other := w.account("owner"), w.account("other")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/other", "")
	file := func(fields ...string) posting { return posting{fields: fields, fileName: "f", file: "12345"} }
	signed := func(conditions ...string) posting {
		return file(append([]string{"key=k"}, owner.signV4(conditions...)...)...)
	}
	without := func(p posting, name string) posting {
		var kept []string
		for _, f := range p.fields {
			if !strings.HasPrefix(f, name+"=") {
				kept = append(kept, f)
			}
		}
		p.fields = kept
		return p
	}
	with := func(p posting, fields ...string) posting {
		p.fields = append(append([]string(nil), p.fields...), fields...)
		return p
	}
	good := signed(anyKey, inBucket)
	old := base64.StdEncoding.EncodeToString([]byte(`{"expiration":"2020-01-01T00:00:00Z","conditions":[]}`))
	expired := posting{fields: []string{"key=k", "AWSAccessKeyId=" + owner.accessKey, "policy=" + old, "signature=" + macOf(owner, old)}, fileName: "f"}
	for name, c := range map[string]struct {
		p    posting
		want string
	}{
		"anonymous":             {file("key=k"), "AccessDenied"},
		"another account":       {file(append([]string{"key=k"}, other.signV4(anyKey, inBucket)...)...), "AccessDenied"},
		"no key":                {without(good, "key"), "UserKeyMustBeSpecified"},
		"a long key":            {file(append([]string{"key=" + strings.Repeat("k", 1025)}, owner.signV4(anyKey, inBucket)...)...), "KeyTooLongError"},
		"no policy":             {without(good, "policy"), "InvalidArgument"},
		"no signature":          {without(good, "x-amz-signature"), "InvalidArgument"},
		"no date":               {without(good, "x-amz-date"), "InvalidArgument"},
		"no credential":         {without(good, "x-amz-credential"), "InvalidArgument"},
		"another algorithm":     {with(without(good, "x-amz-algorithm"), "x-amz-algorithm=AWS4-X"), "InvalidArgument"},
		"a wrong signature":     {with(without(good, "x-amz-signature"), "x-amz-signature="+strings.Repeat("0", 64)), "SignatureDoesNotMatch"},
		"a wrong secret":        {file(append([]string{"key=k"}, (&person{accessKey: owner.accessKey, secret: "x"}).signV4(anyKey)...)...), "SignatureDoesNotMatch"},
		"an unknown key":        {file(append([]string{"key=k"}, (&person{accessKey: "AKIANOBODY", secret: "x"}).signV4(anyKey)...)...), "InvalidAccessKeyId"},
		"a bad token":           {file(append([]string{"key=k"}, (&person{accessKey: owner.accessKey, secret: owner.secret, token: "x"}).signV4(anyKey)...)...), "InvalidToken"},
		"a wrong V2 signature":  {file("key=k", "AWSAccessKeyId="+owner.accessKey, "policy="+old, "signature=x"), "SignatureDoesNotMatch"},
		"both signatures":       {with(good, "AWSAccessKeyId="+owner.accessKey, "signature=x"), "InvalidArgument"},
		"a policy alone":        {file("key=k", "policy="+old), "InvalidArgument"},
		"an expired policy":     {expired, "AccessDenied"},
		"another bucket":        {signed(anyKey, `{"bucket":"other"}`), "AccessDenied"},
		"another key":           {signed(`["starts-with","$key","user/"]`, inBucket), "AccessDenied"},
		"a condition unmet":     {signed(anyKey, inBucket, `{"acl":"public-read"}`), "AccessDenied"},
		"a field uncovered":     {with(good, "x-amz-meta-a=b"), "AccessDenied"},
		"too large":             {signed(anyKey, inBucket, `["content-length-range",1,4]`), "EntityTooLarge"},
		"too small":             {signed(anyKey, inBucket, `["content-length-range",6,10]`), "EntityTooSmall"},
		"not JSON":              {file("key=k", "AWSAccessKeyId="+owner.accessKey, "policy=e30x", "signature="+macOf(owner, "e30x")), "InvalidPolicyDocument"},
		"an unknown condition":  {signed(anyKey, inBucket, `["ends-with","$key","k"]`), "InvalidPolicyDocument"},
		"no file":               {posting{fields: good.fields, fileName: "none"}, "IncorrectNumberOfFilesInPostRequest"},
		"large fields":          {with(good, "x-ignore-a="+strings.Repeat("x", 21<<10)), "MaxPostPreDataLengthExceededError"},
		"a field twice":         {with(good, "key=l"), "InvalidArgument"},
		"an unknown x-amz-":     {file(append([]string{"key=k", "x-amz-object-new=1"}, owner.signV4(anyKey, inBucket, `{"x-amz-object-new":"1"}`)...)...), "NotImplemented"},
		"a copy":                {file(append([]string{"key=k", "x-amz-copy-source=b/k"}, owner.signV4(anyKey, inBucket, `["starts-with","$x-amz-copy-source",""]`)...)...), "InvalidArgument"},
		"a header of two lines": {file(append([]string{"key=k", "x-amz-meta-a=1\r\n2"}, owner.signV4(anyKey, inBucket, `["starts-with","$x-amz-meta-a",""]`)...)...), "InvalidArgument"},
		"much behind the file":  {posting{fields: good.fields, fileName: "f", after: []string{"x=" + strings.Repeat("x", 100<<10)}}, "MaxPostPreDataLengthExceededError"},
	} {
		r := w.post("/bkt", c.p)
		require.Equal(t, c.want, r.code(), "%s: %d %s", name, r.StatusCode, r.body)
		require.Equal(t, 404, w.as(owner, "HEAD", "/bkt/k", "").StatusCode, "%s left an object", name)
	}
	require.Equal(t, "RequestIsNotMultiPartContent", w.send(w.request("POST", "/bkt", "a=b", "Content-Type: application/x-www-form-urlencoded")).code())
	require.Equal(t, "MalformedPOSTRequest", w.send(w.request("POST", "/bkt", "--b\r\nxx", "Content-Type: multipart/form-data; boundary=b")).code())
	require.Equal(t, 204, w.post("/bkt", good).StatusCode, "the good one is")
	require.Equal(t, 204, w.post("/bkt", posting{fields: good.fields, fileName: "f", after: []string{"submit=go"}}).StatusCode)
}

// A form whose signature does not hold is told of under the access key that it names.
func TestForgedFormsNameTheirKey(t *testing.T) {
	var done []RequestDone
	w := newWorld(t, func(c *Config) {
		c.Events.RequestDone = func(_ context.Context, d RequestDone) { done = append(done, d) }
	})
	forger := &person{accessKey: "AKIAFORGED", secret: "x"}
	w.ok(w.account("owner"), "PUT", "/bkt", "")
	for _, fields := range [][]string{
		forger.signV4(`["starts-with","$key",""]`),
		{"AWSAccessKeyId=" + forger.accessKey, "policy=e30", "signature=x"},
	} {
		r := w.post("/bkt", posting{fields: append([]string{"key=k"}, fields...), fileName: "f", file: "body"})
		require.Equal(t, 403, r.StatusCode, r.body)
		last := done[len(done)-1]
		require.Equal(t, forger.accessKey, last.Claimed)
		require.Nil(t, last.Who)
	}
}

func macOf(p *person, text string) string {
	m := hmac.New(sha1.New, []byte(p.secret))
	_, _ = io.WriteString(m, text)
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}

// TestPostSizes: files of every length around the borders, with and without fields
// behind them, are what was sent, and known by their MD5.
func TestPostSizes(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt?acl", "", "X-Amz-Acl: public-read-write")
	all := strings.Repeat("0123456789abcdef\r\n--a-boundary", 200<<10)
	for _, size := range []int{0, 1, 4 << 10, 60 << 10, 64<<10 - 200, 64 << 10, 70 << 10, 80 << 10, 1 << 20, 5 << 20} {
		for _, after := range [][]string{nil, {"submit=go", "x=" + strings.Repeat("y", 50<<10)}} {
			r := w.post("/bkt", posting{fields: []string{"key=k"}, fileName: "f", file: all[:size], after: after})
			require.Equal(t, 204, r.StatusCode, "%d: %s", size, r.body)
			sum := md5.Sum([]byte(all[:size]))
			require.Equal(t, `"`+hex.EncodeToString(sum[:])+`"`, r.Header.Get("ETag"))
			require.Equal(t, all[:size], w.ok(owner, "GET", "/bkt/k", "").body)
		}
	}
}
