package s3api

import (
	"net"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/cairnstore/cairn/s3api/s3err"
)

// scope says whether a request is about the service, a bucket or an object.
type scope uint8

const (
	scopeService scope = iota
	scopeBucket
	scopeObject
)

// address is the bucket and key that a request names.
type address struct{ bucket, key string }

func (t address) scope() scope {
	switch {
	case t.bucket == "":
		return scopeService
	case t.key == "":
		return scopeBucket
	}
	return scopeObject
}

// parseAddress reads what a request names, in virtual host or path style. The path is decoded once
// and never cleaned: a key may hold "//", "." and "..".
func (s *server) parseAddress(r *http.Request) (address, error) {
	t := address{bucket: s.hostBucket(r.Host)}
	path := strings.TrimPrefix(r.URL.Path, "/")
	if t.bucket != "" {
		t.key = path
	} else {
		t.bucket, t.key, _ = strings.Cut(path, "/")
		if t.bucket == "" && path != "" {
			return address{}, s3err.InvalidBucketName.Err() // "//key".
		}
	}
	if !utf8.ValidString(path) || strings.IndexByte(path, 0) >= 0 || r.URL.Opaque != "" {
		return address{}, s3err.InvalidURI.Err()
	}
	if len(t.key) > MaxKeyBytes {
		return address{bucket: t.bucket}, s3err.KeyTooLong.Err()
	}
	return t, nil
}

// hostBucket returns the bucket of a virtual host, empty for path style.
func (s *server) hostBucket(host string) string { return bucketUnder(host, s.cfg.Domains) }

// bucketUnder returns BUCKET if host is BUCKET.DOMAIN for one of the domains, and nothing else.
func bucketUnder(host string, domains []string) string {
	if len(domains) == 0 {
		return ""
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	for _, domain := range domains {
		n := len(host) - len(domain)
		if n > 1 && host[n-1] == '.' && strings.EqualFold(host[n:], domain) {
			return strings.ToLower(host[:n-1])
		}
	}
	return ""
}

// String returns the scope in S3's words.
func (sc scope) String() string {
	switch sc {
	case scopeService:
		return "SERVICE"
	case scopeBucket:
		return "BUCKET"
	}
	return "OBJECT"
}
