package wirexml

import (
	"strings"
	"testing"

	"github.com/cairnstore/cairn/cluster/cost"
	"github.com/cairnstore/cairn/meta/metapb"
)

// allocatedPerByte bounds what parsing may allocate for each byte of a document: a copy of the
// document, and what its elements become. The shortest element of a list has 9 bytes, and becomes a
// record of less than 400.
const allocatedPerByte = 48

// groups is Grantees that knows any group and any account.
type groups struct{}

func (groups) URI(metapb.GranteeGroup) string { return "u" }
func (groups) Group(string) (metapb.GranteeGroup, bool) {
	return metapb.GranteeGroup_GRANTEE_ALL_USERS, true
}
func (groups) Account(string) (string, bool) { return "", true }

// parsers are all parsers of documents that clients send.
func parsers() map[string]func([]byte) error {
	return map[string]func([]byte) error{
		"CompleteUpload":      func(b []byte) error { _, err := ParseCompleteUpload(b); return err },
		"Delete":              func(b []byte) error { _, err := ParseDelete(b); return err },
		"CreateBucket":        func(b []byte) error { _, err := ParseCreateBucket(b); return err },
		"Versioning":          func(b []byte) error { _, err := ParseVersioning(b); return err },
		"RequestPayment":      func(b []byte) error { _, err := ParseRequestPayment(b); return err },
		"PublicAccessBlock":   func(b []byte) error { _, err := ParsePublicAccessBlock(b); return err },
		"OwnershipControls":   func(b []byte) error { _, err := ParseOwnershipControls(b); return err },
		"CORS":                func(b []byte) error { _, err := ParseCORS(b); return err },
		"BucketEncryption":    func(b []byte) error { _, err := ParseBucketEncryption(b); return err },
		"Lifecycle":           func(b []byte) error { _, err := ParseLifecycle(b); return err },
		"ObjectLock":          func(b []byte) error { _, err := ParseObjectLock(b); return err },
		"Retention":           func(b []byte) error { _, err := ParseRetention(b); return err },
		"LegalHold":           func(b []byte) error { _, err := ParseLegalHold(b); return err },
		"Notification":        func(b []byte) error { _, err := ParseNotification(b); return err },
		"Quota":               func(b []byte) error { _, err := ParseQuota(b); return err },
		"StorageClass":        func(b []byte) error { _, err := ParseStorageClass(b); return err },
		"RestoreRequest":      func(b []byte) error { _, err := ParseRestoreRequest(b); return err },
		"Tagging":             func(b []byte) error { _, err := ParseTagging(b, 10); return err },
		"Logging":             func(b []byte) error { _, err := ParseLogging(b, groups{}); return err },
		"AccessControlPolicy": func(b []byte) error { _, _, err := ParseAccessControlPolicy(b, groups{}); return err },
		"Website":             func(b []byte) error { _, err := ParseWebsite(b); return err },
	}
}

func checkCost(t cost.TB, document []byte) {
	t.Helper()
	for _, parse := range parsers() {
		cost.Allocated(t, len(document), allocatedPerByte, func() { _ = parse(document) })
	}
}

// Text in very many pieces, with comments or CDATA between them, costs as much as it is long,
// because it is gathered and not concatenated piece by piece.
func TestTextInPieces(t *testing.T) {
	for _, unit := range []string{"a<!---->", "<![CDATA[a]]>", "<?a?>a", "&#97;<!---->", "<!---->", "<![CDATA[]]>"} {
		for _, root := range []string{"<Delete><Object><Key>", "<Delete><Quiet>", "<CompleteMultipartUpload><Part><ETag>", "<Tagging><TagSet><Tag><Key>"} {
			checkCost(t, []byte(root+strings.Repeat(unit, 15000)))
		}
		// Without any text there is no end but that of the document.
		cost.Allocated(t, MaxBodyBytes, allocatedPerByte, func() {
			_, _ = ParseDelete([]byte("<Delete><Object><Key>" + strings.Repeat(unit, MaxBodyBytes/len(unit)-10)))
		})
	}
}

// FuzzCost: no document costs more than a bound for each byte, whatever is repeated in it.
func FuzzCost(f *testing.F) {
	for _, s := range [][3]string{
		{"<Delete>", "<Object><Key>a</Key></Object>", "</Delete>"}, {"<Delete><Object><Key>", "a<!---->", "</Key></Object></Delete>"},
		{"<CompleteMultipartUpload>", "<Part><PartNumber>1</PartNumber><ETag>a</ETag></Part>", "</CompleteMultipartUpload>"},
		{"<Delete", " a=''", "/>"}, {"<Delete><Quiet>", "&#97;", "</Quiet></Delete>"}, {"", "<a>", ""}, {"<CORSConfiguration><CORSRule>", "<AllowedOrigin>a</AllowedOrigin>", ""},
	} {
		f.Add([]byte(s[0]), []byte(s[1]), []byte(s[2]), uint16(1000))
	}
	f.Fuzz(func(t *testing.T, head, unit, tail []byte, times uint16) {
		checkCost(t, cost.Repeat(head, unit, tail, times))
	})
}
