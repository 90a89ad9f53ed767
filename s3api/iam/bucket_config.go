package iam

import (
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/policy"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// Names of the parts of a bucket's configuration that this package reads.
const (
	PartPolicy            = "policy"            // JSON.
	PartACL               = "acl"               // A metapb.Acl.
	PartRequestPayment    = "requestPayment"    // PayerRequester or nothing.
	PartPublicAccessBlock = "publicAccessBlock" // The document.
	PartOwnership         = "ownershipControls" // One of wirexml's words.
	PartCORS              = "cors"              // The document.
	PartWebsite           = "website"           // The document.
	PartLogging           = "logging"           // The document.
)

// PayerRequester says that requesters pay.
const PayerRequester = "Requester"

// Bucket is a bucket and what is configured for it. It must not be changed.
type Bucket struct {
	*metapb.Bucket
	Config    map[string][]byte
	Policy    *policy.Policy // Nil: none.
	ACL       *metapb.Acl    // Nil: private.
	Ownership string         // Who owns what others write: one of wirexml's words; empty: the writer.
	Block     wirexml.PublicAccessBlock
	CORS      []wirexml.CORSRule
	Website   *wirexml.Website // Nil: it is not served as one.
	Logging   *wirexml.Logging // Nil: requests are not logged.

	// broken says that the policy cannot be read, or what would limit it: nobody but
	// the owner's root may do anything.
	broken bool
	public bool // The policy lets in everybody.
}

// RequesterPays reports whether requesters of other accounts pay, and so must say
// that they know.
func (b *Bucket) RequesterPays() bool { return string(b.Config[PartRequestPayment]) == PayerRequester }

// Enforced reports whether the bucket's owner owns all that is in it, and no ACL
// counts.
func (b *Bucket) Enforced() bool { return b.Ownership == wirexml.OwnershipEnforced }

// PolicyIsPublic reports whether the bucket's policy lets in callers that it does not
// name.
func (b *Bucket) PolicyIsPublic() bool { return b.public }

// IsPublic reports whether a policy or an ACL that counts lets everybody at the bucket.
func (b *Bucket) IsPublic() bool {
	return b.public && !b.Block.RestrictPublicBuckets || PublicACL(b.effectiveACL(b.ACL))
}

// MayAdmitStrangers reports whether somebody whom nobody knows might be allowed
// something in the bucket: where not, there is nothing to look at. Where so, it depends
// on the action, the key and the conditions.
func (b *Bucket) MayAdmitStrangers() bool {
	if b.Policy != nil && !b.broken && policy.MayAllow(b.Policy, policy.Principal{Anonymous: true}) {
		return true
	}
	return PublicACL(b.effectiveACL(b.ACL))
}

// effectiveACL returns what counts of an ACL in this bucket.
func (b *Bucket) effectiveACL(acl *metapb.Acl) *metapb.Acl {
	switch {
	case b.Enforced():
		return nil
	case !b.Block.IgnorePublicACLs || !PublicACL(acl):
		return acl
	}
	kept := &metapb.Acl{}
	for _, g := range acl.GetGrants() {
		if !publicGroup(g.Group) {
			kept.Grants = append(kept.Grants, g)
		}
	}
	return kept
}

// PublicACL reports whether an ACL gives anything to everybody.
func PublicACL(acl *metapb.Acl) bool {
	for _, g := range acl.GetGrants() {
		if publicGroup(g.Group) {
			return true
		}
	}
	return false
}

func publicGroup(g metapb.GranteeGroup) bool {
	return g == metapb.GranteeGroup_GRANTEE_ALL_USERS || g == metapb.GranteeGroup_GRANTEE_AUTHENTICATED
}

func (b *Bucket) configBytes() (n int) {
	for _, value := range b.Config {
		n += len(value)
	}
	return n
}

func newBucket(b *metapb.Bucket, c *metapb.BucketConfig) *Bucket {
	out := &Bucket{Bucket: b, Config: make(map[string][]byte, len(c.GetParts()))}
	for _, p := range c.GetParts() {
		out.Config[p.Name] = p.Value
	}
	if doc := out.Config[PartPolicy]; len(doc) > 0 {
		var err error
		out.Policy, err = policy.ParseBucket(doc, b.Name)
		out.broken = err != nil
		out.public = err == nil && policy.IsPublic(out.Policy)
	}
	if raw := out.Config[PartACL]; len(raw) > 0 {
		acl := new(metapb.Acl)
		if proto.Unmarshal(raw, acl) == nil {
			out.ACL = acl
		}
	}
	out.Ownership = string(out.Config[PartOwnership])
	if doc := out.Config[PartPublicAccessBlock]; len(doc) > 0 {
		block, err := wirexml.ParsePublicAccessBlock(doc)
		if err != nil {
			out.broken = true // What it closes must not be open for that.
		} else {
			out.Block = *block
		}
	}
	if doc := out.Config[PartCORS]; len(doc) > 0 {
		if cors, err := wirexml.ParseCORS(doc); err == nil {
			out.CORS = cors.Rules // One that cannot be read allows nothing.
		}
	}
	if doc := out.Config[PartWebsite]; len(doc) > 0 {
		if website, err := wirexml.ParseWebsite(doc); err == nil {
			out.Website = website
		}
	}
	if doc := out.Config[PartLogging]; len(doc) > 0 {
		if logging, err := wirexml.ParseLogging(doc, AnyGrantees{}); err == nil {
			out.Logging = logging
		}
	}
	return out
}
