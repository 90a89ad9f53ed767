package s3api

import (
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func keyTriple(prefix string, key []byte) []string {
	sum := md5.Sum(key)
	return []string{
		prefix + "-Algorithm: AES256",
		prefix + "-Key: " + base64.StdEncoding.EncodeToString(key),
		prefix + "-Key-Md5: " + base64.StdEncoding.EncodeToString(sum[:]),
	}
}

const (
	targetKey = "X-Amz-Server-Side-Encryption-Customer"
	sourceKey = "X-Amz-Copy-Source-Server-Side-Encryption-Customer"
)

func TestCustomerKeys(t *testing.T) {
	allowed := true
	h := newHarness(t, func(c *Config) { c.SSECAllowed = func(*http.Request) bool { return allowed } })
	key := []byte(strings.Repeat("k", 32))
	triple := keyTriple(targetKey, key)
	put := h.put("enc", "secret", triple...)
	require.Equal(t, "AES256", put.Header.Get(targetKey+"-Algorithm"))
	require.NotEmpty(t, put.Header.Get(targetKey+"-Key-Md5"))
	require.Empty(t, put.Header.Get(targetKey+"-Key"))
	require.Equal(t, "secret", h.do("GET", "/bkt/enc", "", triple...).body)
	h.put("long", "secret", keyTriple(targetKey, []byte(strings.Repeat("k", 64)))...)

	line := func(i int, value string) []string {
		lines := append([]string(nil), triple...)
		name, _, _ := strings.Cut(lines[i], ": ")
		if value == "" {
			return append(lines[:i], lines[i+1:]...)
		}
		lines[i] = name + ": " + value
		return lines
	}
	for _, c := range []struct {
		headers       []string
		code, message string
	}{
		{line(0, ""), "InvalidArgument", msgKeyNoAlgorithm},
		{line(1, ""), "InvalidArgument", msgKeyMissing},
		{line(2, ""), "InvalidArgument", msgKeyMD5Missing},
		{line(0, "AES128"), "InvalidEncryptionAlgorithmError", ""},
		{line(1, base64.StdEncoding.EncodeToString(key[:31])), "InvalidArgument", "The secret key was invalid for the specified algorithm."},
		{line(1, "!!"), "InvalidArgument", "The secret key was invalid for the specified algorithm."},
		{line(2, "AAAAAAAAAAAAAAAAAAAAAA=="), "InvalidArgument", "The calculated MD5 hash of the key did not match the hash that was provided."},
	} {
		for _, r := range []reply{h.do("GET", "/bkt/enc", "", c.headers...), h.do("PUT", "/bkt/new", "x", c.headers...), h.do("POST", "/bkt/new?uploads", "", c.headers...)} {
			require.Equal(t, 400, r.StatusCode)
			require.Equal(t, c.code, r.code())
			if c.message != "" {
				require.Equal(t, c.message, element(r.body, "Message"))
			}
		}
	}
	copied := func(headers ...string) reply {
		return h.do("PUT", "/bkt/copy", "", append([]string{"X-Amz-Copy-Source: bkt/enc"}, headers...)...)
	}
	require.Equal(t, "InvalidRequest", copied().code())
	require.Equal(t, 200, copied(keyTriple(sourceKey, key)...).StatusCode)
	require.Equal(t, "secret", h.do("GET", "/bkt/copy", "").body)
	require.Equal(t, "InvalidArgument", copied(keyTriple(sourceKey, key)[:2]...).code())
	both := copied(append(keyTriple(sourceKey, key), keyTriple(targetKey, key)...)...)
	require.Equal(t, "AES256", both.Header.Get(targetKey+"-Algorithm"))

	allowed = false
	for _, r := range []reply{h.do("GET", "/bkt/enc", "", triple...), copied(keyTriple(sourceKey, key)...)} {
		require.Equal(t, "InvalidRequest", r.code())
		require.Equal(t, msgKeyInsecure, element(r.body, "Message"))
	}
	for _, e := range h.events() {
		require.NotContains(t, fmt.Sprint(e), string(key))
		require.NotContains(t, fmt.Sprint(e), base64.StdEncoding.EncodeToString(key))
	}
}

func TestDigests(t *testing.T) {
	h := newHarness(t)
	sum := md5.Sum([]byte("data"))
	md5ok := base64.StdEncoding.EncodeToString(sum[:])
	for _, c := range []struct {
		headers []string
		code    string
	}{
		{[]string{"Content-Md5: " + md5ok}, ""},
		{[]string{"Content-Md5: AAAAAAAAAAAAAAAAAAAAAA=="}, "BadDigest"},
		{[]string{"Content-Md5: short"}, "InvalidDigest"},
		{[]string{"Content-Md5: "}, "InvalidDigest"},
		{[]string{"X-Amz-Checksum-Crc32: rfPzYw=="}, ""},
		{[]string{"X-Amz-Checksum-Crc32: AAAAAA=="}, "BadDigest"},
		{[]string{"X-Amz-Checksum-Crc32: AAAA"}, "InvalidRequest"},
		{[]string{"X-Amz-Checksum-Crc32: rfPzYw==", "X-Amz-Checksum-Crc32c: rfPzYw=="}, "InvalidRequest"},
		{[]string{"X-Amz-Sdk-Checksum-Algorithm: CRC32"}, "InvalidRequest"},
		{[]string{"X-Amz-Sdk-Checksum-Algorithm: CRC99"}, "InvalidRequest"},
		{[]string{"X-Amz-Sdk-Checksum-Algorithm: CRC32", "X-Amz-Checksum-Crc32: rfPzYw=="}, ""},
	} {
		r := h.do("PUT", "/bkt/k", "data", c.headers...)
		require.Equal(t, c.code, r.code(), "%v %s", c.headers, r.body)
	}
	list := "<Delete><Object><Key>k</Key></Object></Delete>"
	require.Equal(t, "InvalidRequest", h.do("POST", "/bkt?delete", list).code())
	require.Equal(t, "BadDigest", h.do("POST", "/bkt?delete", list, "Content-Md5: "+md5ok).code())
	sum = md5.Sum([]byte(list))
	r := h.do("POST", "/bkt?delete", list, "Content-Md5: "+base64.StdEncoding.EncodeToString(sum[:]))
	require.Contains(t, r.body, "<Deleted><Key>k</Key>")
	for _, c := range []struct{ algorithm, kind, code string }{
		{"CRC32", "FULL_OBJECT", ""}, {"CRC64NVME", "", ""}, {"SHA1", "COMPOSITE", ""}, {"", "", ""},
		{"SHA256", "FULL_OBJECT", "InvalidRequest"}, {"CRC64NVME", "COMPOSITE", "InvalidRequest"},
		{"", "COMPOSITE", "InvalidRequest"}, {"CRC32", "HALF", "InvalidRequest"}, {"CRC99", "", "InvalidRequest"},
	} {
		var headers []string
		if c.algorithm != "" {
			headers = append(headers, "X-Amz-Checksum-Algorithm: "+c.algorithm)
		}
		if c.kind != "" {
			headers = append(headers, "X-Amz-Checksum-Type: "+c.kind)
		}
		require.Equal(t, c.code, h.do("POST", "/bkt/m?uploads", "", headers...).code(), "%v", c)
	}
}

func TestConditionalPut(t *testing.T) {
	h := newHarness(t)
	require.Equal(t, 200, h.do("PUT", "/bkt/k", "1", "If-None-Match: *").StatusCode)
	require.Equal(t, 412, h.do("PUT", "/bkt/k", "2", "If-None-Match: *").StatusCode)
	require.Equal(t, 412, h.do("PUT", "/bkt/k", "2", `If-Match: "x"`).StatusCode)
	require.Equal(t, 200, h.do("PUT", "/bkt/k", "2", "If-Match: c4ca4238a0b923820dcc509a6f75849b").StatusCode)
	require.Equal(t, 501, h.do("PUT", "/bkt/k", "2", `If-None-Match: "x"`).StatusCode)
	for _, name := range []string{"If-None-Match", "If-Modified-Since", "If-Unmodified-Since"} {
		require.Equal(t, 501, h.do("DELETE", "/bkt/k", "", name+": *").StatusCode)
	}
	require.Equal(t, 501, h.do("DELETE", "/bkt/k", "", `If-Match: "x", "y"`).StatusCode)
}

func TestTooLarge(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.Limits.MaxPutBytes, c.Limits.MaxPartBytes, c.Limits.MaxXMLBytes = 10, 10, 100 })
	require.Equal(t, 200, h.do("PUT", "/bkt/k", strings.Repeat("x", 10)).StatusCode)
	require.Equal(t, "EntityTooLarge", h.do("PUT", "/bkt/k", strings.Repeat("x", 11)).code())
	require.Equal(t, "EntityTooLarge", h.do("PUT", "/bkt/k?partNumber=1&uploadId=u", strings.Repeat("x", 11)).code())
	require.Equal(t, "MaxMessageLengthExceeded", h.do("POST", "/bkt/k?uploadId=u", strings.Repeat("x", 101)).code())
	req := h.request("PUT", "/bkt/k", "", "X-Amz-Content-Sha256: UNSIGNED-PAYLOAD")
	req.Body, req.ContentLength = io.NopCloser(strings.NewReader("x")), -1
	require.Equal(t, "MissingContentLength", h.send(req).code())
}
