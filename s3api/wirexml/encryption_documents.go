package wirexml

import "github.com/cairnstore/cairn/s3api/s3err"

// The values of SSEAlgorithm.
const (
	AlgorithmAES256 = "AES256"
	AlgorithmKMS    = "aws:kms" // OBS's native API: kms.
)

// BucketEncryption is the document of a bucket's default encryption.
type BucketEncryption struct {
	Algorithm string // AlgorithmAES256 or AlgorithmKMS; empty: only objects whose request asks for it are encrypted.
	KMSKeyID  string // As the client wrote it; empty: the account's default key.
	BucketKey bool   // It is stored and returned, and has no effect.
	BlockSSEC bool   // The bucket refuses requests with customer keys.
}

// AppendXML implements Document.
func (d *BucketEncryption) AppendXML(dst []byte, ns string) []byte {
	dst = append(appendRoot(dst, "ServerSideEncryptionConfiguration", ns), "<Rule>"...)
	if d.Algorithm != "" {
		dst = append(dst, "<ApplyServerSideEncryptionByDefault>"...)
		dst = appendText(dst, "SSEAlgorithm", d.Algorithm)
		dst = appendOptional(dst, "KMSMasterKeyID", d.KMSKeyID)
		dst = append(dst, "</ApplyServerSideEncryptionByDefault>"...)
	}
	dst = appendBool(dst, "BucketKeyEnabled", d.BucketKey)
	if d.BlockSSEC {
		dst = append(dst, "<BlockedEncryptionTypes>"...)
		dst = appendText(dst, "EncryptionType", "SSE-C")
		dst = append(dst, "</BlockedEncryptionTypes>"...)
	}
	return append(dst, "</Rule></ServerSideEncryptionConfiguration>"...)
}

// ParseBucketEncryption parses a ServerSideEncryptionConfiguration, which must have exactly one
// rule.
func ParseBucketEncryption(body []byte) (*BucketEncryption, error) {
	s := newScanner(body)
	var d *BucketEncryption
	err := s.document("ServerSideEncryptionConfiguration", func(name string) (err error) {
		if name != "Rule" || d != nil {
			return s.unknown(name)
		}
		d, err = parseEncryptionRule(s)
		return err
	})
	if err == nil && d == nil {
		err = s3err.MalformedXML.Say("You must specify one Rule.")
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

func parseEncryptionRule(s *scanner) (*BucketEncryption, error) {
	d, got, blocked := &BucketEncryption{}, leaves{}, false
	err := s.children(func(name string) error {
		switch {
		case name == "ApplyServerSideEncryptionByDefault" && d.Algorithm == "":
			return d.parseDefault(s)
		case name == "BlockedEncryptionTypes" && !blocked:
			blocked = true
			return d.parseBlocked(s)
		}
		return s.leaf(got, name, "BucketKeyEnabled")
	})
	if err != nil {
		return nil, err
	}
	if d.BucketKey, err = got.flag("BucketKeyEnabled"); err != nil {
		return nil, err
	}
	if d.Algorithm == "" && !blocked {
		return nil, s3err.MalformedXML.Say("A Rule needs ApplyServerSideEncryptionByDefault or BlockedEncryptionTypes.")
	}
	return d, nil
}

func (d *BucketEncryption) parseDefault(s *scanner) error {
	got, err := s.leaves("SSEAlgorithm", "KMSMasterKeyID")
	if err != nil {
		return err
	}
	d.KMSKeyID = got.word("KMSMasterKeyID")
	switch got.word("SSEAlgorithm") {
	case AlgorithmAES256:
		d.Algorithm = AlgorithmAES256
	case AlgorithmKMS, "kms":
		d.Algorithm = AlgorithmKMS
	case "aws:kms:dsse", "aws:fsx":
		return s3err.NotImplemented.Say("Default encryption is AES256 or aws:kms.")
	default:
		return s3err.MalformedXML.Say("SSEAlgorithm must be AES256 or aws:kms.")
	}
	if d.KMSKeyID != "" && d.Algorithm != AlgorithmKMS {
		return s3err.BadArgument("KMSMasterKeyID", "", "KMSMasterKeyID is for SSEAlgorithm aws:kms only.")
	}
	return nil
}

func (d *BucketEncryption) parseBlocked(s *scanner) error {
	return s.children(func(name string) error {
		if name != "EncryptionType" {
			return s.unknown(name)
		}
		got := leaves{}
		if err := s.leaf(got, name, name); err != nil {
			return err
		}
		switch got.word(name) {
		case "SSE-C":
			d.BlockSSEC = true
		case "NONE":
		default:
			return s3err.MalformedXML.Say("EncryptionType must be SSE-C or NONE.")
		}
		return nil
	})
}
