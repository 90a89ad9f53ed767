package s3api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/cairnstore/cairn/s3api/checksum"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// subResources are the query parameters by which S3 and OBS select an operation or a version. One
// that the operation does not take is refused and never ignored: DELETE ?lifecycle must not delete
// a bucket.
var subResources = newSet(
	"abac", "accelerate", "acl", "analytics", "append", "attributes", "attname", "backtosource", "cors",
	"customdomain", "delete", "deletebucket", "encryption", "intelligent-tiering", "inventory", "legal-hold",
	"length", "lifecycle", "list-type", "location", "logging", "metadata", "metadataConfiguration",
	"metadataInventoryTable", "metadataJournalTable", "metadataTable", "metrics", "mirrorBackToSource", "modify",
	"name", "notification", "object-lock", "ownershipControls", "partNumber", "policy", "policyStatus",
	"policystatus", "position", "publicAccessBlock", "publicStatus", "quota", "rename", "renameObject", "replication",
	"requestPayment", "restore", "retention", "select", "session", "storageClass", "storageinfo",
	"storagePolicy", "tagging", "torrent", "truncate", "uploadId", "uploads", "versionId", "versioning",
	"versions", "website", "x-image-process",
)

// signatureParameters sign a URL; sigauth has read them.
var signatureParameters = newSet("AWSAccessKeyId", "Signature", "Expires", "x-id")

func newSet(names ...string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, n := range names {
		set[n] = true
	}
	return set
}

// checkQuery refuses parameters that would give the request another meaning than op has. Other
// parameters are ignored, as S3 ignores them.
func checkQuery(op *operation, q query) error {
	for _, p := range q {
		switch {
		case op.takes(p.name), signatureParameters[p.name]:
		case hasPrefixFold(p.name, "x-amz-"):
		case subResources[p.name], p.bare, hasPrefixFold(p.name, "x-obs-"):
			return s3err.NotImplemented.Say("A query parameter you provided implies functionality that is not implemented here: "+printable(p.name),
				s3err.Field{Name: "Query", Value: p.name})
		}
	}
	return nil
}

// headerRule checks the value of a header. A nil one allows every value.
type headerRule func(value string) error

// headerRules has the x-amz- headers that some operation understands. Other headers of S3 are
// refused, because to ignore them would do something else than the client asked for.
var headerRules = map[string]headerRule{
	"X-Amz-Abort-Date":             nil,
	"X-Amz-Content-Sha256":         nil,
	"X-Amz-Date":                   nil,
	"X-Amz-Decoded-Content-Length": nil,
	"X-Amz-Security-Token":         nil,
	"X-Amz-Te":                     nil,
	"X-Amz-Trailer":                nil,
	"X-Amz-User-Agent":             nil,
	"X-Amz-Request-Payer":          nil,
	"X-Amz-Expected-Bucket-Owner":  nil,
	"X-Amz-Checksum-Algorithm":     nil,
	"X-Amz-Checksum-Mode":          nil,
	"X-Amz-Object-Ownership":       checkOwnership,
	headerRedirect:                 checkRedirect,
	"X-Amz-Acl":                    nil,
	"X-Amz-Grant-Read":             nil,
	"X-Amz-Grant-Write":            nil,
	"X-Amz-Grant-Read-Acp":         nil,
	"X-Amz-Grant-Write-Acp":        nil,
	"X-Amz-Grant-Full-Control":     nil,

	headerEncryption: nil,
	headerKeyID:      nil,
	headerContext:    nil,
	"X-Amz-Server-Side-Encryption-Bucket-Key-Enabled": nil, // Envelopes here need no key of the bucket.

	"X-Amz-Checksum-Type":          nil,
	"X-Amz-Sdk-Checksum-Algorithm": nil,
	"X-Amz-Mp-Object-Size":         nil,
	"X-Amz-Metadata-Directive":     nil,
	"X-Amz-Copy-Source":            nil,
	"X-Amz-Copy-Source-Range":      nil,
	"X-Amz-Copy-Source-If-Match":   nil,
	headerOptionalAttributes:       checkOptionalAttributes,

	"X-Amz-Copy-Source-If-None-Match":       nil,
	"X-Amz-Copy-Source-If-Modified-Since":   nil,
	"X-Amz-Copy-Source-If-Unmodified-Since": nil,
	"X-Amz-Source-Expected-Bucket-Owner":    nil,

	targetKeyHeaders.algorithm: nil,
	targetKeyHeaders.key:       nil,
	targetKeyHeaders.md5:       nil,
	sourceKeyHeaders.algorithm: nil,
	sourceKeyHeaders.key:       nil,
	sourceKeyHeaders.md5:       nil,

	headerBucketLock: nil,
	"X-Amz-Confirm-Remove-Self-Bucket-Access": nil, // The root may replace any policy, so nobody is shut out.
	"X-Amz-Mfa": nil, // Deleting versions needs no second factor, as at OBS.

	// These say what is so anyway, and only such values are allowed.
	headerStorageClass: checkClass,
}

// newObject has the operations whose headers describe something new.
var newObject = newSet("PutObject", "PostObject", "CopyObject", "CreateMultipartUpload")

// operationHeaders has headers that some operations understand. They would change the meaning of
// others, which refuse them.
var operationHeaders = map[string]map[string]bool{
	headerObjectAttributes:    newSet("GetObjectAttributes"),
	headerMaxParts:            newSet("GetObjectAttributes"),
	headerPartMarker:          newSet("GetObjectAttributes"),
	headerTagging:             newObject,
	"X-Amz-Tagging-Directive": newSet("CopyObject"),
	headerRedirect:            newObject,
	headerLockMode:            newObject,
	headerLockUntil:           newObject,
	headerLegalHold:           newObject,
	headerBypassGovernance:    newSet("DeleteObject", "DeleteObjects", "PutObjectRetention"),
	headerIfMatchTime:         newSet("DeleteObject"),
	headerIfMatchSize:         newSet("DeleteObject"),
}

// meaningful has the beginnings of the names of headers by which S3 is told what to do. If one of
// these is not understood, the request would do something else than it asks for. Other names are
// not S3's: proxies add such headers.
var meaningful = []string{
	"X-Amz-Acl", "X-Amz-Bucket-", "X-Amz-Bypass-", "X-Amz-Checksum-", "X-Amz-Client-Token", "X-Amz-Confirm-", "X-Amz-Content-Sha256",
	"X-Amz-Copy-", "X-Amz-Create-Session-", "X-Amz-Expected-", "X-Amz-Fwd-", "X-Amz-Grant-", "X-Amz-If-", "X-Amz-Metadata-", "X-Amz-Mp-",
	"X-Amz-Object-", "X-Amz-Rename-", "X-Amz-Replication-", "X-Amz-Request-Route", "X-Amz-Request-Token", "X-Amz-Restore-", "X-Amz-S3session-",
	"X-Amz-Sdk-Checksum-", "X-Amz-Server-Side-Encryption", "X-Amz-Skip-Destination-", "X-Amz-Source-", "X-Amz-Storage-", "X-Amz-Tagging",
	"X-Amz-Transition-", "X-Amz-Website-", "X-Amz-Write-",
}

// changesMeaning reports whether an x-amz- header that headerRules does not have asks for
// something.
func changesMeaning(name string) bool {
	if _, ok := checksum.FromHeader(name); ok {
		return false
	}
	return slices.ContainsFunc(meaningful, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

const metadataPrefix = "X-Amz-Meta-"

// checkHeaders refuses headers that ask for what op does not do, or Cairn does not.
func checkHeaders(op *operation, h http.Header) error {
	if err := checkText(h); err != nil {
		return err
	}
	if h["X-Amz-Copy-Source"] != nil && !op.copy {
		return s3err.BadArgument("x-amz-copy-source", "",
			"You can only specify a copy source header for copy requests.")
	}
	for name, values := range h {
		switch {
		case strings.HasPrefix(name, "X-Amz-"):
			if strings.HasPrefix(name, metadataPrefix) {
				continue
			}
			if strings.HasPrefix(name, "X-Amz-Copy-Source-") && h["X-Amz-Copy-Source"] == nil {
				return s3err.InvalidRequest.Say("A " + strings.ToLower(name) + " header needs an x-amz-copy-source header.")
			}
			rule, known := headerRules[name]
			if of := operationHeaders[name]; of != nil {
				if known = of[op.name] || values[0] == ""; !known {
					return notImplementedHeader(name)
				}
			}
			if !known && changesMeaning(name) {
				return notImplementedHeader(name)
			}
			if rule != nil {
				if err := rule(values[0]); err != nil {
					return err
				}
			}
		case strings.HasPrefix(name, "X-Obs-"), name == "Content-Range":
			return notImplementedHeader(name)
		}
	}
	return nil
}

// notImplementedHeader is the error of a header that asks for what Cairn does not do. It names the
// header.
func notImplementedHeader(name string) error {
	return s3err.NotImplemented.Say("A header you provided implies functionality that is not implemented: "+name,
		s3err.Field{Name: "Header", Value: name})
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// maxPrintableBytes bounds how much of a client's text a message repeats.
const maxPrintableBytes = 128

func printable(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxPrintableBytes)], "") }
