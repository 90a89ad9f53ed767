package main

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// signature is one of the forms in which a request can say who sends it.
type signature string

const (
	v4Header  signature = "V4 header"
	v4Query   signature = "V4 query"
	v2Header  signature = "V2 header"
	v2Query   signature = "V2 query"
	obsHeader signature = "OBS header"
	obsQuery  signature = "OBS query"
	anonymous signature = "anonymous"
)

const unsignedPayload = "UNSIGNED-PAYLOAD"

// sign signs a request. resource is the canonical resource of V2 without its query: the path, which
// begins with the bucket even if that stands in the host name.
func sign(r *http.Request, form signature, c credentials, region, resource string, now time.Time) {
	switch form {
	case v4Header:
		signV4Header(r, c, region, now)
	case v4Query:
		signV4Query(r, c, region, now)
	case v2Header, obsHeader:
		signV2Header(r, form == obsHeader, c, resource, now)
	case v2Query, obsQuery:
		signV2Query(r, form == obsQuery, c, resource, now)
	}
}

func mac256(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func signV4Header(r *http.Request, c credentials, region string, now time.Time) {
	stamp := now.UTC().Format("20060102T150405Z")
	r.Header.Set("X-Amz-Date", stamp)
	if r.Header.Get("X-Amz-Content-Sha256") == "" {
		r.Header.Set("X-Amz-Content-Sha256", unsignedPayload)
	}
	if c.token != "" {
		r.Header.Set("X-Amz-Security-Token", c.token)
	}
	names := []string{"host"}
	for name := range r.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") || lower == "content-md5" || lower == "content-type" {
			names = append(names, lower)
		}
	}
	slices.Sort(names)
	scope := stamp[:8] + "/" + region + "/s3/aws4_request"
	sum := v4Signature(r, c, names, r.Header.Get("X-Amz-Content-Sha256"), stamp, scope, region)
	r.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s,SignedHeaders=%s,Signature=%s",
		c.access, scope, strings.Join(names, ";"), sum))
}

func signV4Query(r *http.Request, c credentials, region string, now time.Time) {
	stamp := now.UTC().Format("20060102T150405Z")
	scope := stamp[:8] + "/" + region + "/s3/aws4_request"
	names := []string{"host"}
	for name := range r.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") {
			names = append(names, lower)
		}
	}
	slices.Sort(names)
	q := r.URL.RawQuery
	add := func(name, value string) {
		if q != "" {
			q += "&"
		}
		q += name + "=" + escape(value)
	}
	add("X-Amz-Algorithm", "AWS4-HMAC-SHA256")
	add("X-Amz-Credential", c.access+"/"+scope)
	add("X-Amz-Date", stamp)
	add("X-Amz-Expires", "600")
	if c.token != "" {
		add("X-Amz-Security-Token", c.token)
	}
	add("X-Amz-SignedHeaders", strings.Join(names, ";"))
	r.URL.RawQuery = q
	r.URL.RawQuery += "&X-Amz-Signature=" + v4Signature(r, c, names, unsignedPayload, stamp, scope, region)
}

func v4Signature(r *http.Request, c credentials, names []string, payload, stamp, scope, region string) string {
	var b strings.Builder
	b.WriteString(r.Method + "\n" + r.URL.EscapedPath() + "\n")
	pairs := strings.Split(r.URL.RawQuery, "&")
	if r.URL.RawQuery == "" {
		pairs = nil
	}
	for i, p := range pairs {
		if !strings.Contains(p, "=") {
			pairs[i] = p + "="
		}
	}
	slices.Sort(pairs)
	b.WriteString(strings.Join(pairs, "&") + "\n")
	for _, name := range names {
		value := r.Host
		if name != "host" {
			value = strings.Join(r.Header.Values(name), ",")
		}
		b.WriteString(name + ":" + strings.Join(strings.Fields(value), " ") + "\n")
	}
	b.WriteString("\n" + strings.Join(names, ";") + "\n" + payload)
	digest := sha256.Sum256([]byte(b.String()))
	key := mac256([]byte("AWS4"+c.secret), stamp[:8])
	for _, part := range []string{region, "s3", "aws4_request"} {
		key = mac256(key, part)
	}
	return hex.EncodeToString(mac256(key, "AWS4-HMAC-SHA256\n"+stamp+"\n"+scope+"\n"+hex.EncodeToString(digest[:])))
}

// signedSubResources are the sub-resources that V2 signs, as far as the cases use them.
var signedSubResources = []string{"acl", "delete", "encryption", "partNumber", "restore", "response-content-type",
	"uploadId", "uploads", "versionId", "versioning", "versions", "x-obs-security-token"}

func v2String(r *http.Request, obs bool, date, resource string) string {
	prefix := "x-amz-"
	if obs {
		prefix = "x-obs-"
	}
	var names []string
	for name := range r.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, prefix) {
			names = append(names, lower)
		}
	}
	slices.Sort(names)
	headers := ""
	for _, name := range names {
		headers += name + ":" + strings.Join(r.Header.Values(name), ",") + "\n"
	}
	var subs []string
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		name, value, has := strings.Cut(pair, "=")
		if !slices.Contains(signedSubResources, name) {
			continue
		}
		if has {
			decoded, _ := url.QueryUnescape(value)
			name += "=" + decoded
		}
		subs = append(subs, name)
	}
	slices.Sort(subs)
	if len(subs) > 0 {
		resource += "?" + strings.Join(subs, "&")
	}
	return r.Method + "\n" + r.Header.Get("Content-Md5") + "\n" + r.Header.Get("Content-Type") + "\n" + date + "\n" +
		headers + resource
}

func v2Sum(secret, text string) string {
	h := hmac.New(sha1.New, []byte(secret))
	h.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func signV2Header(r *http.Request, obs bool, c credentials, resource string, now time.Time) {
	scheme, token := "AWS", "X-Amz-Security-Token"
	if obs {
		scheme, token = "OBS", "X-Obs-Security-Token"
	}
	if c.token != "" {
		r.Header.Set(token, c.token)
	}
	date := now.UTC().Format(http.TimeFormat)
	r.Header.Set("Date", date)
	r.Header.Set("Authorization", scheme+" "+c.access+":"+v2Sum(c.secret, v2String(r, obs, date, resource)))
}

func signV2Query(r *http.Request, obs bool, c credentials, resource string, now time.Time) {
	id, token := "AWSAccessKeyId", "x-amz-security-token"
	if obs {
		id, token = "AccessKeyId", "x-obs-security-token"
	}
	expires := strconv.FormatInt(now.Add(10*time.Minute).Unix(), 10)
	if r.URL.RawQuery != "" {
		r.URL.RawQuery += "&"
	}
	if c.token != "" {
		r.URL.RawQuery += token + "=" + escape(c.token) + "&"
	}
	sum := v2Sum(c.secret, v2String(r, obs, expires, resource))
	r.URL.RawQuery += id + "=" + escape(c.access) + "&Expires=" + expires + "&Signature=" + escape(sum)
}

// escape encodes as signatures want it: all but the unreserved characters.
func escape(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(s), "+", "%20"), "%7E", "~")
}

// escapePath encodes a key for a path or a copy source.
func escapePath(key string) string { return strings.ReplaceAll(escape(key), "%2F", "/") }
