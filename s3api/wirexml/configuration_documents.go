package wirexml

import (
	"strings"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// Versioning is the document of a bucket's versioning. For a bucket that never had versioning the
// document is empty.
type Versioning struct{ State metapb.Versioning }

// AppendXML implements Document.
func (d *Versioning) AppendXML(dst []byte, ns string) []byte {
	dst = appendRoot(dst, "VersioningConfiguration", ns)
	switch d.State {
	case metapb.Versioning_VERSIONING_ENABLED:
		dst = appendText(dst, "Status", "Enabled")
	case metapb.Versioning_VERSIONING_SUSPENDED:
		dst = appendText(dst, "Status", "Suspended")
	}
	return append(dst, "</VersioningConfiguration>"...)
}

// ParseVersioning parses a VersioningConfiguration, which says Enabled or Suspended. Any other
// status, or none, is IllegalVersioningConfiguration. MfaDelete is ignored, as at OBS.
func ParseVersioning(body []byte) (metapb.Versioning, error) {
	s, got := newScanner(body), leaves{}
	err := s.document("VersioningConfiguration", func(name string) error {
		return s.leaf(got, name, "Status", "MfaDelete")
	})
	if err != nil {
		return 0, err
	}
	switch got.word("Status") {
	case "Enabled":
		return metapb.Versioning_VERSIONING_ENABLED, nil
	case "Suspended":
		return metapb.Versioning_VERSIONING_SUSPENDED, nil
	}
	return 0, s3err.IllegalVersioningConfiguration.Err()
}

// RequestPayment is the document that says who pays for requests to a bucket.
type RequestPayment struct{ Requester bool }

// AppendXML implements Document.
func (d *RequestPayment) AppendXML(dst []byte, ns string) []byte {
	payer := "BucketOwner"
	if d.Requester {
		payer = "Requester"
	}
	dst = appendRoot(dst, "RequestPaymentConfiguration", ns)
	dst = appendText(dst, "Payer", payer)
	return append(dst, "</RequestPaymentConfiguration>"...)
}

// ParseRequestPayment parses a RequestPaymentConfiguration.
func ParseRequestPayment(body []byte) (*RequestPayment, error) {
	s, got := newScanner(body), leaves{}
	err := s.document("RequestPaymentConfiguration", func(name string) error { return s.leaf(got, name, "Payer") })
	if err != nil {
		return nil, err
	}
	switch got.word("Payer") {
	case "Requester":
		return &RequestPayment{Requester: true}, nil
	case "BucketOwner":
		return &RequestPayment{}, nil
	}
	return nil, s3err.MalformedXML.Say("Payer must be Requester or BucketOwner.")
}

// PublicAccessBlock is the document that says what a bucket refuses to make public.
type PublicAccessBlock struct {
	BlockPublicACLs, IgnorePublicACLs, BlockPublicPolicy, RestrictPublicBuckets bool
}

var publicAccessNames = [4]string{"BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"}

// flags returns the fields in the order of publicAccessNames.
func (d *PublicAccessBlock) flags() [4]*bool {
	return [4]*bool{&d.BlockPublicACLs, &d.IgnorePublicACLs, &d.BlockPublicPolicy, &d.RestrictPublicBuckets}
}

// AppendXML implements Document.
func (d *PublicAccessBlock) AppendXML(dst []byte, ns string) []byte {
	dst = appendRoot(dst, "PublicAccessBlockConfiguration", ns)
	for i, set := range d.flags() {
		dst = appendBool(dst, publicAccessNames[i], *set)
	}
	return append(dst, "</PublicAccessBlockConfiguration>"...)
}

// ParsePublicAccessBlock parses a PublicAccessBlockConfiguration. An element that is missing is
// false.
func ParsePublicAccessBlock(body []byte) (*PublicAccessBlock, error) {
	s, got := newScanner(body), leaves{}
	err := s.document("PublicAccessBlockConfiguration", func(name string) error {
		return s.leaf(got, name, publicAccessNames[:]...)
	})
	if err != nil {
		return nil, err
	}
	d := &PublicAccessBlock{}
	for i, set := range d.flags() {
		if *set, err = got.flag(publicAccessNames[i]); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// PolicyStatus is the document that says whether a bucket's policy lets everybody in.
type PolicyStatus struct{ Public bool }

// AppendXML implements Document.
func (d *PolicyStatus) AppendXML(dst []byte, ns string) []byte {
	dst = appendRoot(dst, "PolicyStatus", ns)
	dst = appendBool(dst, "IsPublic", d.Public)
	return append(dst, "</PolicyStatus>"...)
}

// The values of OwnershipControls.
const (
	OwnershipEnforced  = "BucketOwnerEnforced"  // The bucket's owner owns everything in it, and ACLs have no effect.
	OwnershipPreferred = "BucketOwnerPreferred" // The bucket's owner owns what is written with full control for the owner.
	OwnershipWriter    = "ObjectWriter"         // Whoever writes an object owns it.
)

// OwnershipControls is the document that says who owns what other accounts write to a bucket.
type OwnershipControls struct{ Ownership string }

// AppendXML implements Document.
func (d *OwnershipControls) AppendXML(dst []byte, ns string) []byte {
	dst = append(appendRoot(dst, "OwnershipControls", ns), "<Rule>"...)
	dst = appendText(dst, "ObjectOwnership", d.Ownership)
	return append(dst, "</Rule></OwnershipControls>"...)
}

// ParseOwnershipControls parses OwnershipControls, which must have exactly one rule.
func ParseOwnershipControls(body []byte) (*OwnershipControls, error) {
	s, d := newScanner(body), &OwnershipControls{}
	err := s.document("OwnershipControls", func(name string) error {
		if name != "Rule" || d.Ownership != "" {
			return s.unknown(name)
		}
		rule, err := s.leaves("ObjectOwnership")
		if err != nil {
			return err
		}
		switch d.Ownership = rule.word("ObjectOwnership"); d.Ownership {
		case OwnershipEnforced, OwnershipPreferred, OwnershipWriter:
			return nil
		}
		return s3err.MalformedXML.Say("ObjectOwnership must be one of " + strings.Join([]string{OwnershipEnforced, OwnershipPreferred, OwnershipWriter}, ", ") + ".")
	})
	if err == nil && d.Ownership == "" {
		err = s3err.MalformedXML.Say("You must specify one Rule.")
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}
