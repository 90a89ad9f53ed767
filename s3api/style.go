package s3api

import (
	"net"
	"net/http"
	"strings"

	"github.com/cairnstore/cairn/s3api/profile"
)

// dialectOf returns the dialect of a client, by the kind of its signature. It believes the request
// before this is verified, because errors too are told as their client expects.
func dialectOf(r *http.Request) profile.Dialect {
	switch scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " "); scheme {
	case "AWS":
		return profile.DialectV2
	case "OBS":
		return profile.DialectOBS
	}
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		switch name, _, _ := strings.Cut(pair, "="); name {
		case "AWSAccessKeyId":
			return profile.DialectV2
		case "AccessKeyId":
			return profile.DialectOBS
		}
	}
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Obs-") {
			return profile.DialectOBS
		}
	}
	return profile.DialectV4
}

// endpoint returns the host name that a client reached, without the bucket of a
// virtual host and without port.
func (s *server) endpoint(host string) string {
	if bucket := s.hostBucket(host); bucket != "" {
		host = host[len(bucket)+1:]
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
		if strings.Contains(name, ":") {
			host = "[" + name + "]"
		}
	}
	if host == "" {
		return "localhost" // HTTP/1.0 has no Host.
	}
	return host
}
