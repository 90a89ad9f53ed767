package s3api

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/kms"
	"github.com/cairnstore/cairn/s3api/profile"
)

// modeOf returns how an answer says that something is encrypted: the mode, and the
// master key if it is named.
func modeOf(r reply) string {
	mode := r.Header.Get("X-Amz-Server-Side-Encryption")
	if c := r.Header.Get("X-Amz-Server-Side-Encryption-Customer-Algorithm"); c != "" {
		mode += "C:" + c
	}
	if id := r.Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"); id != "" {
		mode += " " + id
	}
	return mode
}

func customerKeyHeaders(prefix, seed string) []string {
	key := strings.Repeat(seed, 32)
	sum := md5.Sum([]byte(key))
	return []string{prefix + "Algorithm: AES256", prefix + "Key: " + base64.StdEncoding.EncodeToString([]byte(key)),
		prefix + "Key-MD5: " + base64.StdEncoding.EncodeToString(sum[:])}
}

const (
	modeHeader      = "X-Amz-Server-Side-Encryption: "
	keyHeader       = "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id: "
	contextHeader   = "X-Amz-Server-Side-Encryption-Context: "
	ownKeyPrefix    = "X-Amz-Server-Side-Encryption-Customer-"
	sourceKeyPrefix = "X-Amz-Copy-Source-Server-Side-Encryption-Customer-"
)

// masterKey makes a master key of an account and returns its id.
func (w *world) masterKey(of *person, alias string) string {
	w.t.Helper()
	k, err := w.kms.Create(w.t.Context(), kms.NewKey{Account: of.account, Alias: alias})
	require.NoError(w.t, err)
	return k.ID
}

// TestEncryption: every way to write under every mode, and what all answers tell of it.
func TestEncryption(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	id := w.masterKey(owner, "mine")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt/plain", "source")
	named := "aws:kms name-of-" + id
	context := base64.StdEncoding.EncodeToString([]byte(`{"a":"b"}`))
	for name, c := range map[string]struct {
		headers []string // Of a write.
		read    []string
		want    string
	}{
		"none":           {want: ""},
		"SSE-S3":         {headers: []string{modeHeader + "AES256"}, want: "AES256"},
		"SSE-KMS":        {headers: []string{modeHeader + "aws:kms", keyHeader + id}, want: named},
		"by alias":       {headers: []string{modeHeader + "aws:kms", keyHeader + "alias/mine"}, want: named},
		"by ARN":         {headers: []string{modeHeader + "aws:kms", keyHeader + "arn:aws:kms:us-east-1:" + owner.account + ":key/" + id}, want: named},
		"with a context": {headers: []string{modeHeader + "aws:kms", keyHeader + id, contextHeader + context}, want: named},
		"SSE-C":          {headers: customerKeyHeaders(ownKeyPrefix, "k"), read: customerKeyHeaders(ownKeyPrefix, "k"), want: "C:AES256"},
	} {
		t.Run(name, func(t *testing.T) {
			key := "/bkt/" + hexName(name)
			check := func(key, body string) {
				t.Helper()
				r := w.ok(owner, "GET", key, "", c.read...)
				require.Equal(t, c.want, modeOf(r))
				require.Equal(t, body, r.body)
				require.Equal(t, c.want, modeOf(w.ok(owner, "HEAD", key, "", c.read...)))
				md5Tag := `"` + hex.EncodeToString(md5sum(body)) + `"`
				if !strings.Contains(key, "-") {
					told := c.want == "" || c.want == "AES256" // Who has no key learns no MD5.
					require.Equal(t, told, md5Tag == r.Header.Get("ETag"))
				}
			}
			require.Equal(t, c.want, modeOf(w.ok(owner, "PUT", key, "hello", c.headers...)))
			check(key, "hello")

			copied := w.ok(owner, "PUT", key+"-copy", "", append([]string{"X-Amz-Copy-Source: bkt/plain"}, c.headers...)...)
			require.Equal(t, c.want, modeOf(copied))
			check(key+"-copy", "source")

			r := w.ok(owner, "POST", key+"-multipart?uploads", "", c.headers...)
			require.Equal(t, c.want, modeOf(r))
			u := "uploadId=" + element(r.body, "UploadId")
			p1 := w.ok(owner, "PUT", key+"-multipart?partNumber=1&"+u, "one ", c.read...)
			require.Equal(t, c.want, modeOf(p1))
			p2 := w.ok(owner, "PUT", key+"-multipart?partNumber=2&"+u, "", append([]string{"X-Amz-Copy-Source: bkt/plain"}, c.read...)...)
			require.Equal(t, c.want, modeOf(p2))
			r = w.ok(owner, "POST", key+"-multipart?"+u, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"+p1.Header.Get("ETag")+
				"</ETag></Part><Part><PartNumber>2</PartNumber><ETag>"+element(p2.body, "ETag")+"</ETag></Part></CompleteMultipartUpload>", c.read...)
			require.Equal(t, c.want, modeOf(r))
			check(key+"-multipart", "one source")

			// And back to what is not encrypted.
			back := []string{"X-Amz-Copy-Source: " + key}
			if c.read != nil {
				back = append(back, customerKeyHeaders(sourceKeyPrefix, "k")...)
			}
			require.Empty(t, modeOf(w.ok(owner, "PUT", key+"-back", "", back...)))
			require.Equal(t, "hello", w.ok(owner, "GET", key+"-back", "").body)
		})
	}
}

func md5sum(s string) []byte {
	sum := md5.Sum([]byte(s))
	return sum[:]
}

// TestEncryptionRefused: what the headers of encryption cannot say.
func TestEncryptionRefused(t *testing.T) {
	w := newWorld(t)
	owner, other := w.account("owner"), w.account("other")
	theirs := w.masterKey(other, "theirs")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt?acl", "", "X-Amz-Acl: public-read-write")
	w.ok(owner, "PUT", "/bkt/kms", "x", modeHeader+"aws:kms")
	w.ok(owner, "PUT", "/bkt/plain", "x")
	for _, c := range []struct {
		code    string
		line    string
		headers []string
	}{
		{"InvalidEncryptionAlgorithmError", "PUT /bkt/k", []string{modeHeader + "rot13"}},
		{"NotImplemented", "PUT /bkt/k", []string{modeHeader + "aws:kms:dsse"}},
		{"InvalidArgument", "PUT /bkt/k", []string{keyHeader + "k"}},
		{"InvalidArgument", "PUT /bkt/k", []string{modeHeader + "AES256", keyHeader + "k"}},
		{"InvalidArgument", "PUT /bkt/k", []string{modeHeader + "AES256", contextHeader + "e30="}},
		{"InvalidArgument", "PUT /bkt/k", []string{modeHeader + "aws:kms", contextHeader + "not base64"}},
		{"InvalidArgument", "PUT /bkt/k", []string{modeHeader + "aws:kms", keyHeader + "a key?"}},
		{"KMS.NotFoundException", "PUT /bkt/k", []string{modeHeader + "aws:kms", keyHeader + "none"}},
		{"KMS.NotFoundException", "PUT /bkt/k", []string{modeHeader + "aws:kms", keyHeader + theirs}},
		{"KMS.NotFoundException", "POST /bkt/k?uploads", []string{modeHeader + "aws:kms", keyHeader + theirs}},
		{"KMS.NotFoundException", "PUT /bkt/k", []string{modeHeader + "aws:kms", keyHeader + theirs, "X-Amz-Copy-Source: bkt/plain"}},
		{"KMS.NotFoundException", "PUT /bkt/k", []string{modeHeader + "aws:kms", keyHeader + "cairn-sse-s3"}},
		{"InvalidArgument", "PUT /bkt/k", append(customerKeyHeaders(ownKeyPrefix, "k"), modeHeader+"AES256")},
		{"InvalidArgument", "GET /bkt/kms", []string{modeHeader + "aws:kms"}},
		{"InvalidRequest", "GET /bkt/kms", customerKeyHeaders(ownKeyPrefix, "k")},
		{"InvalidRequest", "GET /bkt/plain", customerKeyHeaders(ownKeyPrefix, "k")},
	} {
		method, path := cut(c.line)
		w.refused(c.code, owner, method, path, "", c.headers...)
	}
	require.Equal(t, http.StatusBadRequest, w.as(owner, "HEAD", "/bkt/kms", "", modeHeader+"aws:kms").StatusCode)
	// Master keys are an account's own: nobody unknown writes with them, and nobody
	// else reads, whatever ACL and policy say.
	w.refused("AccessDenied", nil, "PUT", "/bkt/k", "x", modeHeader+"aws:kms")
	w.ok(nil, "PUT", "/bkt/k", "x", modeHeader+"AES256")
	w.ok(owner, "PUT", "/bkt/kms?acl", "", "X-Amz-Acl: public-read")
	w.ok(owner, "PUT", "/bkt?policy", statements(`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bkt/*"}`))
	for _, who := range []*person{nil, other} {
		w.refused("AccessDenied", who, "GET", "/bkt/kms", "")
		require.Equal(t, 403, w.as(who, "HEAD", "/bkt/kms", "").StatusCode)
		w.ok(who, "GET", "/bkt/plain", "")
	}
	w.ok(other, "PUT", "/bucket-of-other", "")
	w.refused("AccessDenied", other, "PUT", "/bucket-of-other/k", "", "X-Amz-Copy-Source: bkt/kms")
	w.ok(owner, "GET", "/bkt/kms", "")
}

// TestPartsRepeatTheMode: a part may say again how its upload is encrypted, and
// nothing else.
func TestPartsRepeatTheMode(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	a, b := w.masterKey(owner, "a"), w.masterKey(owner, "b")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt/plain", "x")
	for name, c := range map[string]struct{ create, same, other []string }{
		"none":    {nil, nil, []string{modeHeader + "AES256"}},
		"SSE-S3":  {[]string{modeHeader + "AES256"}, []string{modeHeader + "AES256"}, []string{modeHeader + "aws:kms", keyHeader + a}},
		"SSE-KMS": {[]string{modeHeader + "aws:kms", keyHeader + a}, []string{modeHeader + "aws:kms", keyHeader + "alias/a"}, []string{modeHeader + "aws:kms", keyHeader + b}},
		"context": {[]string{modeHeader + "aws:kms", keyHeader + a}, []string{modeHeader + "aws:kms", keyHeader + a},
			[]string{modeHeader + "aws:kms", keyHeader + a, contextHeader + base64.StdEncoding.EncodeToString([]byte(`{"a":"b"}`))}},
	} {
		t.Run(name, func(t *testing.T) {
			u := "/bkt/k?partNumber=1&uploadId=" + element(w.ok(owner, "POST", "/bkt/k?uploads", "", c.create...).body, "UploadId")
			for _, source := range [][]string{nil, {"X-Amz-Copy-Source: bkt/plain"}} {
				w.ok(owner, "PUT", u, "", source...)
				w.ok(owner, "PUT", u, "", append(source, c.same...)...)
				w.refused("InvalidArgument", owner, "PUT", u, "", append(source, c.other...)...)
			}
		})
	}
}

// TestDefaultEncryption: what a bucket is set to holds for what says nothing, from
// then on, and an upload keeps what it began with.
func TestDefaultEncryption(t *testing.T) {
	w := newWorld(t)
	owner, other := w.account("owner"), w.account("other")
	id := w.masterKey(owner, "mine")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt/k", "x")
	w.refused("ServerSideEncryptionConfigurationNotFoundError", owner, "GET", "/bkt?encryption", "")
	early := "uploadId=" + element(w.ok(owner, "POST", "/bkt/early?uploads", "").body, "UploadId")

	for _, c := range []struct{ mode, key, want string }{
		{"AES256", "", "AES256"},
		{"aws:kms", id, "aws:kms name-of-" + id},
		{"aws:kms", "alias/mine", "aws:kms name-of-" + id},
	} {
		w.ok(owner, "PUT", "/bkt?encryption", encryptionDocument(c.mode, c.key))
		r := w.ok(owner, "GET", "/bkt?encryption", "")
		require.Equal(t, c.mode, element(r.body, "SSEAlgorithm"))
		require.Equal(t, c.want, strings.TrimSpace(c.mode+" "+element(r.body, "KMSMasterKeyID")))
		require.Equal(t, c.want, modeOf(w.ok(owner, "PUT", "/bkt/k", "x")))
		require.Equal(t, c.want, modeOf(w.ok(owner, "PUT", "/bkt/copy", "", "X-Amz-Copy-Source: bkt/k")))
		require.Equal(t, c.want, modeOf(w.ok(owner, "POST", "/bkt/k?uploads", "")))
		require.Equal(t, "AES256", modeOf(w.ok(owner, "PUT", "/bkt/k", "x", modeHeader+"AES256")), "what a request says comes first")
		require.Equal(t, "C:AES256", modeOf(w.ok(owner, "PUT", "/bkt/k", "x", customerKeyHeaders(ownKeyPrefix, "k")...)))
	}
	// With no key named it is the account's own that is made at first use.
	w.ok(owner, "PUT", "/bkt?encryption", encryptionDocument("aws:kms", ""))
	require.Empty(t, element(w.ok(owner, "GET", "/bkt?encryption", "").body, "KMSMasterKeyID"))
	require.Regexp(t, "^aws:kms name-of-.+", modeOf(w.ok(owner, "PUT", "/bkt/k", "x")))
	require.Empty(t, modeOf(w.ok(owner, "PUT", "/bkt/early?partNumber=1&"+early, "x")))

	w.refused("KMS.NotFoundException", owner, "PUT", "/bkt?encryption", encryptionDocument("aws:kms", w.masterKey(other, "")))
	w.refused("MalformedXML", owner, "PUT", "/bkt?encryption", "<ServerSideEncryptionConfiguration/>")
	require.Equal(t, 204, w.ok(owner, "DELETE", "/bkt?encryption", "").StatusCode)
	require.Empty(t, modeOf(w.ok(owner, "PUT", "/bkt/k", "x")))
	w.refused("ServerSideEncryptionConfigurationNotFoundError", owner, "GET", "/bkt?encryption", "")
}

// TestClusterEncryptsByDefault: the profile's default is every bucket's.
func TestClusterEncryptsByDefault(t *testing.T) {
	w := newWorld(t, withProfile(t, profile.OBS, map[string]string{"default-sse": "sse-s3"}))
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	require.Equal(t, "AES256", modeOf(w.ok(owner, "PUT", "/bkt/k", "x")))
	require.Equal(t, "AES256", element(w.ok(owner, "GET", "/bkt?encryption", "").body, "SSEAlgorithm"))
	// To encrypt what is encrypted changes nothing; another key does.
	w.refused("InvalidRequest", owner, "PUT", "/bkt/k", "", "X-Amz-Copy-Source: bkt/k")
	w.ok(owner, "PUT", "/bkt/k", "", "X-Amz-Copy-Source: bkt/k", modeHeader+"aws:kms")
	w.ok(owner, "PUT", "/bkt/k", "", "X-Amz-Copy-Source: bkt/k", "X-Amz-Metadata-Directive: REPLACE")
}

// TestKeysThatAreNotThere: a disabled master key opens nothing and closes nothing; one
// that is enabled again does.
func TestKeysThatAreNotThere(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	id := w.masterKey(owner, "")
	w.ok(owner, "PUT", "/bkt", "")
	mode := []string{modeHeader + "aws:kms", keyHeader + id}
	w.ok(owner, "PUT", "/bkt/k", "hello", mode...)
	w.ok(owner, "PUT", "/bkt/plain", "x")
	r := w.ok(owner, "POST", "/bkt/m?uploads", "", mode...)
	u := "uploadId=" + element(r.body, "UploadId")
	part := w.ok(owner, "PUT", "/bkt/m?partNumber=1&"+u, "x")

	_, err := w.kms.Disable(t.Context(), id)
	require.NoError(t, err)
	const disabled = "KMS.DisabledException"
	w.refused(disabled, owner, "PUT", "/bkt/new", "x", mode...)
	w.refused(disabled, owner, "POST", "/bkt/new?uploads", "", mode...)
	w.refused(disabled, owner, "PUT", "/bkt/m?partNumber=2&"+u, "x")
	w.refused(disabled, owner, "PUT", "/bkt/m?partNumber=2&"+u, "", "X-Amz-Copy-Source: bkt/plain")
	w.refused(disabled, owner, "GET", "/bkt/k", "")
	w.refused(disabled, owner, "PUT", "/bkt/new", "", "X-Amz-Copy-Source: bkt/k")
	w.refused(disabled, owner, "PUT", "/bkt?encryption", encryptionDocument("aws:kms", id))
	require.Equal(t, 200, w.as(owner, "HEAD", "/bkt/k", "").StatusCode, "to look takes no key")
	w.ok(owner, "GET", "/bkt/k?acl", "")

	_, err = w.kms.Enable(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, "hello", w.ok(owner, "GET", "/bkt/k", "").body)
	w.ok(owner, "POST", "/bkt/m?"+u, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"+part.Header.Get("ETag")+"</ETag></Part></CompleteMultipartUpload>")
	w.ok(owner, "DELETE", "/bkt/k", "")
}
