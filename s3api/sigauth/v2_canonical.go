package sigauth

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/cairnstore/cairn/s3api/s3err"
)

// signedParameters are the parameters that V2 and OBS sign besides those with their prefix: those
// that AWS and OBS list, and all others that select an operation which changes something. The rest
// of a query is not signed.
var signedParameters = setOf(
	"CDNNotifyConfiguration", "abac", "accelerate", "acl", "analytics", "append", "attname", "backtosource",
	"bucketStatus", "cors", "customdomain", "defaultObjectAcl", "delete", "deletebucket", "directcoldaccess",
	"encryption", "intelligent-tiering", "inventory", "legal-hold", "length", "lifecycle", "location", "logging",
	"metadata", "metrics", "mirrorBackToSource", "modify", "name", "notification", "object-lock",
	"ownershipControls", "partNumber", "policy", "policyStatus", "policystatus", "position", "publicAccessBlock",
	"quota", "rename", "renameObject", "replication", "requestPayment", "response-cache-control",
	"response-content-disposition", "response-content-encoding", "response-content-language",
	"response-content-type", "response-expires", "restore", "retention", "select", "select-type", "storageClass",
	"storagePolicy", "storageinfo", "tagging", "torrent", "truncate", "uploadId", "uploads", "versionId",
	"versioning", "versions", "website", "x-image-process", "x-image-save-bucket", "x-image-save-object",
)

func setOf(names ...string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, n := range names {
		set[n] = true
	}
	return set
}

// pair is a header or a parameter.
type pair struct{ name, value string }

func byName(a, b pair) int { return strings.Compare(a.name, b.name) }

// checkSignatureV2 computes the signatures that a request of V2 or OBS may have, and compares them
// with the one that it has.
func (v *Verifier) checkSignatureV2(r *http.Request, c *claim, secret string) error {
	params, err := c.signedParams(r.URL.RawQuery)
	if err != nil {
		return err
	}
	s := scratches.Get().(*scratch)
	defer s.release()
	match := 0
	for _, path := range signedPaths(v.hostBucket(r.Host), rawPath(r)) {
		for _, asHeaders := range []bool{false, true} {
			// AWS's SDKs move headers into a presigned URL, but sign them as headers. OBS's SDKs
			// sign them as parameters.
			if asHeaders && (c.version == OBS || !c.presigned || !slices.ContainsFunc(params, c.isPrefixed)) {
				continue
			}
			s.stringToSignV2(r, c, path, params, asHeaders)
			match |= c.matchV2(secret, s.text)
		}
	}
	if match != 1 {
		return s3err.SignatureDoesNotMatch.Say("", s3err.Field{Name: "AWSAccessKeyId", Value: c.accessKey})
	}
	return nil
}

// signedPaths returns the forms in which the path of the resource may be signed, as it was sent. If
// a bucket in path style has no slash behind it, AWS's SDKs sign one, and those of OBS do not.
func signedPaths(bucket, path string) []string {
	switch {
	case bucket != "" && path == "":
		return []string{"/" + bucket + "/"}
	case bucket != "":
		return []string{"/" + bucket + path}
	case path == "" || path == "/":
		return []string{"/"}
	case strings.IndexByte(path[1:], '/') < 0:
		return []string{path, path + "/"}
	}
	return []string{path}
}

// matchV2 returns 1 if the claim's signature is that of text, and 0 otherwise. It takes the same
// time for both.
func (c *claim) matchV2(secret string, text []byte) int {
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write(text)
	var sum [sha1.Size]byte
	var want [28]byte // In base64.
	base64.StdEncoding.Encode(want[:], mac.Sum(sum[:0]))
	return subtle.ConstantTimeCompare(want[:], []byte(c.mac))
}

// isPrefixed reports whether a parameter is signed because of its prefix.
func (c *claim) isPrefixed(p pair) bool { return hasPrefixFold(p.name, c.prefix()) }

// standsIn reports whether a parameter of a presigned URL counts as the header of its name if this
// header is not sent.
func (c *claim) standsIn(p pair) bool {
	return c.presigned && (c.isPrefixed(p) || c.version == V2 && (p.name == "content-type" || p.name == "content-md5"))
}

// signedParams returns the decoded parameters of a raw query that V2 and OBS sign or that stand in
// for headers, in the order of their names. It refuses parameters with which the string to sign
// could be read in two ways, because one signature would then be good for two requests.
func (c *claim) signedParams(raw string) ([]pair, error) {
	var params []pair
	for n := 0; raw != ""; n++ {
		if n == maxParameters {
			return nil, s3err.InvalidURI.Say("The query has more than " + strconv.Itoa(maxParameters) + " parameters.")
		}
		var text string
		text, raw, _ = strings.Cut(raw, "&")
		name, value, _ := strings.Cut(text, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			return nil, s3err.InvalidURI.Err()
		}
		p := pair{name, value}
		stands := c.standsIn(p)
		if !stands && !c.isSignedParam(name) {
			continue
		}
		if stands && strings.ContainsFunc(value, isControl) || c.hidesParam(value) ||
			c.isPrefixed(p) && (!isHeaderName(strings.ToLower(name)) || c.hidesParam(name)) {
			return nil, s3err.BadArgument(name, "",
				"This parameter cannot be signed with this version of signatures. "+
					"Please use AWS4-HMAC-SHA256.")
		}
		params = append(params, p)
	}
	slices.SortStableFunc(params, byName)
	return params, nil
}

// isSignedParam reports whether V2 and OBS sign a parameter of this name.
func (c *claim) isSignedParam(name string) bool {
	return signedParameters[name] || hasPrefixFold(name, c.prefix())
}

// hidesParam reports whether a decoded name or value reads like further signed parameters. The
// request would have the same signature as one that really has these parameters.
func (c *claim) hidesParam(text string) bool {
	_, rest, found := strings.Cut(text, "&")
	for found {
		var one string
		one, rest, found = strings.Cut(rest, "&")
		name, _, _ := strings.Cut(one, "=")
		if c.isSignedParam(name) {
			return true
		}
	}
	return false
}

func isControl(c rune) bool { return c < ' ' || c == 0x7f }

// stringToSignV2 builds the string to sign in s.text. asHeaders says that parameters with the
// prefix are signed as headers and not with the resource.
func (s *scratch) stringToSignV2(r *http.Request, c *claim, path string, params []pair, asHeaders bool) {
	s.text = append(append(s.text[:0], r.Method...), '\n')
	for _, name := range [...]string{"content-md5", "content-type"} {
		s.text = append(append(s.text, c.standard(r.Header, params, name)...), '\n')
	}
	s.text = append(append(s.text, c.dateLine...), '\n')

	lines := c.headerLines(r.Header, params, asHeaders)
	for i, l := range lines {
		if i > 0 && lines[i-1].name == l.name {
			s.text[len(s.text)-1] = ',' // The header is repeated: its line goes on.
		} else {
			s.text = append(append(s.text, l.name...), ':')
		}
		s.text = append(append(s.text, l.value...), '\n')
	}

	s.text = append(s.text, path...)
	mark := byte('?')
	for _, p := range params {
		if !c.isSignedParam(p.name) || asHeaders && c.isPrefixed(p) {
			continue
		}
		s.text = append(append(s.text, mark), p.name...)
		if p.value != "" {
			s.text = append(append(s.text, '='), p.value...)
		}
		mark = '&'
	}
}

// standard returns the value of Content-MD5 or Content-Type as it is signed. A parameter counts if
// the header is not sent.
func (c *claim) standard(h http.Header, params []pair, name string) string {
	if values := h.Values(name); len(values) > 0 {
		return strings.Join(values, ",") // With the second one, so that nobody can add one to a signed request.
	}
	for _, p := range params {
		if p.name == name {
			return p.value
		}
	}
	return ""
}

// headerLines returns the headers that are signed, in the order of their names.
func (c *claim) headerLines(h http.Header, params []pair, asHeaders bool) []pair {
	var lines []pair
	for name, values := range h {
		if !hasPrefixFold(name, c.prefix()) {
			continue
		}
		for _, v := range values {
			lines = append(lines, pair{strings.ToLower(name), strings.Trim(v, " \t")})
		}
	}
	if asHeaders {
		for _, p := range params {
			if c.isPrefixed(p) && len(h.Values(p.name)) == 0 {
				lines = append(lines, pair{strings.ToLower(p.name), strings.Trim(p.value, " \t")})
			}
		}
	}
	slices.SortStableFunc(lines, byName)
	return lines
}
