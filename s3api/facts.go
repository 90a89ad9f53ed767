package s3api

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/policy"
	"github.com/cairnstore/cairn/s3api/sigauth"
)

// facts returns a function for policies to ask of a request: it returns the values of a condition
// key, and whether the request has it. versionID is the version that the action is on; empty: none.
func (rq *request) facts(versionID string) func(key string) ([]string, bool) {
	return func(key string) ([]string, bool) {
		if key == policy.KeyVersionID {
			return fact(versionID)
		}
		if name, ok := factHeaders[key]; ok {
			return fact(rq.r.Header.Get(name))
		}
		if name, ok := factParameters[key]; ok {
			// A parameter that the operation does not read tells nothing about the request.
			if rq.op == nil || !rq.op.takes(name) {
				return nil, false
			}
			value, ok := rq.query.lookup(name)
			return []string{value}, ok
		}
		if values, ok := rq.changeFacts(key); ok {
			return values, true
		}
		if values, ok := rq.tagFacts(key); ok {
			return values, true
		}
		if values, ok := rq.lockFacts(key, time.Now()); ok {
			return values, true
		}
		return rq.ownFacts(key)
	}
}

// changeFacts are the facts of a request that changes objects: its conditions, and whether it makes
// an object. Conditions of reads are not among them.
func (rq *request) changeFacts(key string) ([]string, bool) {
	if rq.op == nil {
		return nil, false
	}
	makes, puts := makers[rq.op.name]
	switch {
	case key == policy.KeyCreates && puts:
		return fact(strconv.FormatBool(makes))
	case key == policy.KeyIfMatch && (puts || rq.op.name == "DeleteObject"):
		return fact(rq.r.Header.Get("If-Match"))
	case key == policy.KeyIfNoneMatch && puts:
		return fact(rq.r.Header.Get("If-None-Match"))
	}
	return nil, false
}

// makers has the operations that need s3:PutObject, and whether each makes an object.
var makers = map[string]bool{
	"PutObject": true, "PostObject": true, "CopyObject": true, "CompleteMultipartUpload": true,
	"CreateMultipartUpload": false, "UploadPart": false, "UploadPartCopy": false,
}

// ownFacts are the facts of the request itself.
func (rq *request) ownFacts(key string) ([]string, bool) {
	now := time.Now()
	switch key {
	case policy.KeyCurrentTime:
		return fact(now.UTC().Format(time.RFC3339))
	case policy.KeyEpochTime:
		return fact(strconv.FormatInt(now.Unix(), 10))
	case policy.KeySecureTransport:
		return fact(strconv.FormatBool(rq.secure()))
	case policy.KeySourceIP:
		return fact(rq.sourceIP())
	case policy.KeyTLSVersion:
		return fact(tlsVersion(rq.r))
	case policy.KeyTokenIssueTime:
		if rq.identity == nil || !rq.identity.Temporary {
			return nil, false
		}
		return fact(rq.identity.Issued.UTC().Format(time.RFC3339))
	case policy.KeyCopySource:
		return fact(rq.copied)
	case policy.KeyLocation:
		return fact(rq.location)
	case policy.KeyOwnership:
		return fact(rq.ownership)
	case policy.KeySignatureVersion:
		if rq.auth.Version == sigauth.OBS {
			return fact(string(sigauth.V2)) // OBS's signature is V2 with other words.
		}
		return fact(string(rq.auth.Version))
	case policy.KeyAuthType:
		switch {
		case rq.auth.Anonymous:
			return nil, false
		case rq.auth.Form:
			return fact("POST")
		case rq.auth.Presigned:
			return fact("REST-QUERY-STRING")
		}
		return fact("REST-HEADER")
	case policy.KeySignatureAge:
		if rq.auth.SignedAt.IsZero() || rq.auth.Version != sigauth.V4 {
			return nil, false
		}
		return fact(strconv.FormatInt(max(0, now.Sub(rq.auth.SignedAt).Milliseconds()), 10))
	}
	return nil, false
}

// fact is a fact of one value. If that is empty, the request does not have it.
func fact(value string) ([]string, bool) { return []string{value}, value != "" }

// secure reports whether a request came over TLS to this node, or to a trusted proxy.
func (rq *request) secure() bool {
	return rq.r.TLS != nil || rq.forwarded && rq.r.Header.Get("X-Forwarded-Proto") == "https"
}

// scheme returns the scheme of the URL that the client used.
func (rq *request) scheme() string {
	if rq.secure() {
		return "https"
	}
	return "http"
}

// sourceIP returns the address of who sent a request; empty: it is not known. For a request that a
// trusted proxy forwards it is the last address that the proxy names.
func (rq *request) sourceIP() string {
	host, _, err := net.SplitHostPort(rq.r.RemoteAddr)
	if rq.forwarded {
		told := strings.Join(rq.r.Header.Values("X-Forwarded-For"), ",")
		host, err = strings.TrimSpace(told[strings.LastIndexByte(told, ',')+1:]), nil
	}
	addr, bad := netip.ParseAddr(host)
	if err != nil || bad != nil {
		return ""
	}
	return addr.Unmap().WithZone("").String()
}

// Facts returns a function that returns the facts of a request that is not to S3, as policies ask
// for them. forwarded is Config.Forwarded.
func Facts(forwarded func(*http.Request) bool) func(*http.Request) func(key string) ([]string, bool) {
	return func(r *http.Request) func(key string) ([]string, bool) {
		rq := &request{r: r, auth: &sigauth.Request{Anonymous: true}, forwarded: forwarded != nil && forwarded(r)}
		return rq.facts("")
	}
}

// factHeaders has the condition keys that are headers.
var factHeaders = map[string]string{
	policy.KeyUserAgent:         "User-Agent",
	policy.KeyReferer:           "Referer",
	policy.KeyACL:               "X-Amz-Acl",
	policy.KeyGrantRead:         "X-Amz-Grant-Read",
	policy.KeyGrantWrite:        "X-Amz-Grant-Write",
	policy.KeyGrantReadACP:      "X-Amz-Grant-Read-Acp",
	policy.KeyGrantWriteACP:     "X-Amz-Grant-Write-Acp",
	policy.KeyGrantFullControl:  "X-Amz-Grant-Full-Control",
	policy.KeyMetadataDirective: "X-Amz-Metadata-Directive",
	policy.KeySSE:               headerEncryption,
	policy.KeySSEKMSKeyID:       headerKeyID,
	policy.KeySSECustomer:       targetKeyHeaders.algorithm,
	policy.KeyStorageClass:      headerStorageClass,
	policy.KeyContentSHA256:     "X-Amz-Content-Sha256",
	policy.KeyRedirect:          object.RedirectHeader,
}

// factParameters has the condition keys that are parameters.
var factParameters = map[string]string{
	policy.KeyPrefix:    "prefix",
	policy.KeyDelimiter: "delimiter",
	policy.KeyMaxKeys:   "max-keys",
}
