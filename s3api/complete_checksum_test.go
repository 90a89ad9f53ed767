package s3api

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/checksum"
)

// compositeOf returns the composite checksum of parts, without their number.
func compositeOf(algorithm string, parts ...string) string {
	var values [][]byte
	for _, part := range parts {
		h := checksum.New(algorithm)
		_, _ = h.Write([]byte(part))
		values = append(values, h.Sum(nil))
	}
	return checksum.Format(checksum.Composite(algorithm, values))
}

// upload begins an upload and sends its parts, each with its checksum if the upload has
// an algorithm. It returns the path of the upload and the list to complete it with.
func (w *world) upload(p *person, path, algorithm, kind string, parts ...string) (at, list string) {
	w.t.Helper()
	var headers []string
	if algorithm != "" {
		headers = append(headers, "X-Amz-Checksum-Algorithm: "+algorithm)
	}
	if kind != "" {
		headers = append(headers, "X-Amz-Checksum-Type: "+kind)
	}
	at = path + "?uploadId=" + element(w.ok(p, "POST", path+"?uploads", "", headers...).body, "UploadId")
	list = "<CompleteMultipartUpload>"
	for i, part := range parts {
		headers, sum := []string(nil), ""
		if algorithm != "" {
			headers = []string{checksum.Header(algorithm) + ": " + sumOf(algorithm, part)}
			sum = fmt.Sprintf("<Checksum%s>%s</Checksum%[1]s>", algorithm, sumOf(algorithm, part))
		}
		r := w.ok(p, "PUT", fmt.Sprintf("%s&partNumber=%d", at, i+1), part, headers...)
		list += fmt.Sprintf("<Part><PartNumber>%d</PartNumber><ETag>%s</ETag>%s</Part>", i+1, r.Header.Get("ETag"), sum)
	}
	return at, list + "</CompleteMultipartUpload>"
}

// TestCompleteClaimsObject: a checksum that comes with a Complete is of the object, in
// each of its forms, and not of the document; a wrong one is refused and leaves the
// upload as it was.
func TestCompleteClaimsObject(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	a, b := strings.Repeat("a", 1000), "the last part"
	for name, c := range map[string]struct {
		algorithm, kind, right string
		wrong                  []string
	}{
		"full crc32":       {"CRC32", "FULL_OBJECT", sumOf("CRC32", a+b), []string{sumOf("CRC32", b), compositeOf("CRC32", a, b)}},
		"full crc32c":      {"CRC32C", "FULL_OBJECT", sumOf("CRC32C", a+b), []string{sumOf("CRC32C", b)}},
		"full crc64":       {"CRC64NVME", "", sumOf("CRC64NVME", a+b), []string{sumOf("CRC64NVME", b)}},
		"no algorithm":     {"", "", sumOf("CRC64NVME", a+b), []string{sumOf("CRC64NVME", b)}},
		"composite sha256": {"SHA256", "COMPOSITE", compositeOf("SHA256", a, b) + "-2", []string{sumOf("SHA256", a+b), compositeOf("SHA256", a, b) + "-3"}},
		"composite crc32":  {"CRC32", "", compositeOf("CRC32", a, b) + "-2", []string{compositeOf("CRC32", b, a) + "-2"}},
		"without number":   {"SHA1", "", compositeOf("SHA1", a, b), []string{compositeOf("SHA1", b, a)}},
	} {
		t.Run(name, func(t *testing.T) {
			path := "/bkt/" + strings.ReplaceAll(name, " ", "-")
			at, list := w.upload(owner, path, c.algorithm, c.kind, a, b)
			algorithm := c.algorithm
			if algorithm == "" {
				algorithm = checksum.CRC64NVME
			}
			header := checksum.Header(algorithm) + ": "
			for _, wrong := range c.wrong {
				w.refused("BadDigest", owner, "POST", at, list, header+wrong)
			}
			w.refused("NoSuchKey", owner, "GET", path, "")
			headers := []string{header + c.right}
			if c.kind != "" {
				headers = append(headers, "X-Amz-Checksum-Type: "+c.kind)
			}
			done := w.ok(owner, "POST", at, list, headers...)
			told := element(done.body, "Checksum"+algorithm)
			require.Equal(t, strings.TrimSuffix(c.right, "-2"), strings.TrimSuffix(told, "-2"))
			require.Equal(t, told, w.ok(owner, "HEAD", path, "", "X-Amz-Checksum-Mode: ENABLED").Header.Get(checksum.Header(algorithm)))
			require.Equal(t, a+b, w.ok(owner, "GET", path, "").body)
		})
	}
}

// TestCompleteDocumentDigest: Content-MD5 of a Complete is of the document, beside a
// checksum of the object.
func TestCompleteDocumentDigest(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	at, list := w.upload(owner, "/bkt/k", "CRC32", "FULL_OBJECT", "one", "two")
	claim := "X-Amz-Checksum-Crc32: " + sumOf("CRC32", "onetwo")
	sum := func(text string) string {
		m := md5.Sum([]byte(text))
		return "Content-MD5: " + base64.StdEncoding.EncodeToString(m[:])
	}
	w.refused("BadDigest", owner, "POST", at, list, claim, sum("another document"))
	w.ok(owner, "POST", at, list, claim, sum(list))
}

// TestDocumentChecksums: a checksum of every other operation with a document is of that
// document.
func TestDocumentChecksums(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt/k", "x")
	documents := map[string]string{
		"PUT /bkt?versioning":        versioningDocument("Enabled"),
		"PUT /bkt?tagging":           taggingOf("a=b"),
		"PUT /bkt/k?tagging":         taggingOf("a=b"),
		"POST /bkt?delete":           "<Delete><Object><Key>none</Key></Object></Delete>",
		"PUT /bkt?policy":            `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::bkt/none"}]}`,
		"PUT /bkt?publicAccessBlock": "<PublicAccessBlockConfiguration/>",
		"PUT /bkt?requestPayment":    "<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>",
		"PUT /bkt?ownershipControls": "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>",
		"PUT /another-bucket":        "<CreateBucketConfiguration><LocationConstraint>us-east-1</LocationConstraint></CreateBucketConfiguration>",
		"PUT /bkt?encryption":        "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>",
		"PUT /bkt?logging":           "<BucketLoggingStatus/>",
		"PUT /bkt?website":           "<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument></WebsiteConfiguration>",
		"PUT /bkt?acl":               aclOf(owner.account),
		"PUT /bkt?notification":      "<NotificationConfiguration/>",
		"PUT /bkt?cors":              "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>",
		"PUT /bkt?lifecycle":         "<LifecycleConfiguration><Rule><Filter><Prefix>x</Prefix></Filter><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>",
		"PUT /bkt/k?acl":             aclOf(owner.account),
	}
	for operation, document := range documents {
		t.Run(operation, func(t *testing.T) {
			method, path, _ := strings.Cut(operation, " ")
			for _, algorithm := range []string{"CRC32", "SHA256"} {
				w.refused("BadDigest", owner, method, path, document, checksum.Header(algorithm)+": "+sumOf(algorithm, "something else"))
			}
			sum := crc32.ChecksumIEEE([]byte(document))
			require.NotZero(t, sum)
			w.ok(owner, method, path, document, "X-Amz-Sdk-Checksum-Algorithm: CRC32", "X-Amz-Checksum-Crc32: "+sumOf("CRC32", document))
		})
	}
}

// TestPartOfCompositeChecksum: a read of one part tells the part's checksum, and of which
// type the object's is.
func TestPartOfCompositeChecksum(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	for kind, path := range map[string]string{"COMPOSITE": "/bkt/composite", "FULL_OBJECT": "/bkt/full"} {
		at, list := w.upload(owner, path, "CRC32", kind, "one", "two!")
		w.ok(owner, "POST", at, list)
		for _, method := range []string{"GET", "HEAD"} {
			r := w.ok(owner, method, path+"?partNumber=2", "", "X-Amz-Checksum-Mode: ENABLED")
			require.Equal(t, sumOf("CRC32", "two!"), r.Header.Get("X-Amz-Checksum-Crc32"))
			require.Equal(t, kind, r.Header.Get("X-Amz-Checksum-Type"))
		}
	}
	// An object of one request has one part, which is all of it.
	w.ok(owner, "PUT", "/bkt/single", "one", "X-Amz-Checksum-Crc32: "+sumOf("CRC32", "one"))
	r := w.ok(owner, "GET", "/bkt/single?partNumber=1", "", "X-Amz-Checksum-Mode: ENABLED")
	require.Equal(t, "FULL_OBJECT", r.Header.Get("X-Amz-Checksum-Type"))
	require.Equal(t, sumOf("CRC32", "one"), r.Header.Get("X-Amz-Checksum-Crc32"))
}

// aclOf returns an ACL document that gives its owner all.
func aclOf(owner string) string {
	var id strings.Builder
	_ = xml.EscapeText(&id, []byte(owner))
	return `<AccessControlPolicy><Owner><ID>` + id.String() + `</ID></Owner><AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID>` +
		id.String() + `</ID></Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList></AccessControlPolicy>`
}
