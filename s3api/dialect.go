package s3api

import (
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// OBS's native API is the S3 API with x-obs- for x-amz- in the names of headers, and a few words of
// its own. Only this file turns one into the other: normalize a request, before anything but its
// signature is looked at, and responseHeader the headers of an answer.
const (
	prefixAMZ = "X-Amz-"
	prefixOBS = "X-Obs-"

	headerStorageClass = "X-Amz-Storage-Class"
	headerEncryption   = "X-Amz-Server-Side-Encryption"
	headerKeyID        = "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"
	headerKeyIDOBS     = "X-Obs-Server-Side-Encryption-Kms-Key-Id"

	encryptionKMS    = "aws:kms"
	encryptionKMSOBS = "kms"
)

// normalize returns a request in the names of the S3 API. Names and words of headers that are OBS's
// are replaced. A parameter of a presigned URL that stands in for a header becomes that header,
// unless the request has it, as sigauth counts them. It does not change r, which is what is signed.
// It refuses a request that says one thing under both names.
func normalize(r *http.Request) (*http.Request, error) {
	obs := false
	for name := range r.Header {
		obs = obs || hasPrefixFold(name, prefixOBS)
	}
	moved, rest := movedParameters(r)
	if !obs && len(moved) == 0 {
		return r, nil
	}
	normal := *r
	normal.Header = make(http.Header, len(r.Header)+len(moved))
	maps.Copy(normal.Header, r.Header)
	if len(moved) > 0 {
		u := *r.URL
		u.RawQuery = rest
		normal.URL = &u
		for name, values := range moved {
			if _, ok := normal.Header[name]; !ok {
				normal.Header[name] = values
			}
		}
	}
	for name, values := range normal.Header {
		if !hasPrefixFold(name, prefixOBS) {
			continue
		}
		to := requestName(name)
		if _, twice := normal.Header[to]; twice {
			return nil, s3err.BadArgument(strings.ToLower(name), "",
				"A header came under two names: send "+strings.ToLower(name)+" or "+strings.ToLower(to)+".")
		}
		delete(normal.Header, name)
		normal.Header[to] = requestValues(to, values)
	}
	return &normal, nil
}

// requestName returns S3's name of a header that has OBS's name.
func requestName(name string) string {
	if strings.EqualFold(name, headerKeyIDOBS) {
		return headerKeyID
	}
	return prefixAMZ + name[len(prefixOBS):]
}

// requestValues returns the values of a header of OBS in S3's words. name is S3's.
func requestValues(name string, values []string) []string {
	out := make([]string, len(values))
	for i, v := range values {
		switch {
		case name == headerStorageClass:
			v = profile.S3ClassName(v)
		case name == headerEncryption && v == encryptionKMSOBS:
			v = encryptionKMS
		}
		out[i] = v
	}
	return out
}

// responseHeader returns a header of an answer as a client of dialect d knows it. name is S3's.
func responseHeader(d profile.Dialect, name, value string) (string, string) {
	if d != profile.DialectOBS || !hasPrefixFold(name, prefixAMZ) {
		return name, value
	}
	switch {
	case strings.EqualFold(name, headerKeyID):
		return strings.ToLower(headerKeyIDOBS), value
	case strings.EqualFold(name, headerStorageClass):
		value = d.ClassName(value)
	case strings.EqualFold(name, headerEncryption) && value == encryptionKMS:
		value = encryptionKMSOBS
	}
	return "x-obs-" + name[len(prefixAMZ):], value
}

// movedParameters returns the parameters of a presigned URL that stand in for headers, by the
// headers' names, and the raw query without them.
func movedParameters(r *http.Request) (moved http.Header, rest string) {
	raw := r.URL.RawQuery
	stands := standsIn(raw)
	if stands == nil {
		return nil, raw
	}
	var kept []string
	for pair := range strings.SplitSeq(raw, "&") {
		_, value, _ := strings.Cut(pair, "=")
		name := parameterName(pair)
		value, err := url.QueryUnescape(value)
		if err != nil || !stands(name) {
			kept = append(kept, pair)
			continue
		}
		if moved == nil {
			moved = http.Header{}
		}
		moved.Add(name, strings.Trim(value, " \t"))
	}
	return moved, strings.Join(kept, "&")
}

// standsIn says which parameters of a raw query are signed as the headers of their name would be,
// which depends on the kind of signature; nil: none is. sigauth refuses a query that seems to be
// signed in two ways.
func standsIn(raw string) func(name string) bool {
	var v4 func(string) bool
	for pair := range strings.SplitSeq(raw, "&") {
		switch parameterName(pair) {
		case "AWSAccessKeyId":
			return func(name string) bool {
				return hasPrefixFold(name, prefixAMZ) || name == "content-type" || name == "content-md5"
			}
		case "AccessKeyId":
			return func(name string) bool { return hasPrefixFold(name, prefixOBS) }
		case "X-Amz-Signature":
			v4 = standsInV4
		}
	}
	return v4
}

// staysInQuery has the parameters of Signature Version 4 that sigauth reads in the query, or only
// as headers.
var staysInQuery = newSet("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-Signedheaders", "X-Amz-Signature",
	"X-Amz-Security-Token", "X-Amz-Content-Sha256", "X-Amz-Decoded-Content-Length", "X-Amz-Trailer")

// standsInV4 is standsIn of Signature Version 4, whose signature covers all of a query. The SDKs of
// Go and JavaScript move headers there. Checksums of a body do not count, as with S3: whoever makes
// the URL has no body, and JavaScript's SDK sends the checksum of none.
func standsInV4(name string) bool {
	name = http.CanonicalHeaderKey(name)
	switch {
	case !strings.HasPrefix(name, prefixAMZ), staysInQuery[name], name == "X-Amz-Sdk-Checksum-Algorithm":
		return false
	case strings.HasPrefix(name, "X-Amz-Checksum-"):
		return name == "X-Amz-Checksum-Mode" || name == "X-Amz-Checksum-Algorithm" || name == "X-Amz-Checksum-Type"
	}
	return true
}

// parameterName returns the name of a pair of a raw query; empty: the pair is malformed.
func parameterName(pair string) string {
	name, _, _ := strings.Cut(pair, "=")
	name, err := url.QueryUnescape(name)
	if err != nil {
		return ""
	}
	return name
}
