package bucket

import (
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/lifecycle"
	"github.com/cairnstore/cairn/s3api/policy"
	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// Names of the parts of a bucket's configuration. The part of its lifecycle is lifecycle.Part.
const (
	PartPolicy            = "policy"            // JSON.
	PartACL               = "acl"               // A metapb.Acl.
	PartRequestPayment    = "requestPayment"    // PayerRequester or nothing.
	PartPublicAccessBlock = "publicAccessBlock" // The document.
	PartOwnership         = "ownershipControls" // One of wirexml's words.
	PartCORS              = "cors"              // The document.
	PartWebsite           = "website"           // The document.
	PartLogging           = "logging"           // The document.
	PartNotification      = "notification"      // The document; the record has what it says.
	PartTagging           = "tagging"           // The document.
	PartEncryption        = "encryption"        // "AES256" or "aws:kms"; after a blank, the key id if one is named.
	PartStorageClass      = "storageClass"      // Of objects that name none, as the S3 API calls it.
)

// PayerRequester is the value of PartRequestPayment if requesters pay.
const PayerRequester = "Requester"

// Bucket is a bucket and its configuration. Many requests share one, so it must not be changed.
type Bucket struct {
	*metapb.Bucket
	Config    map[string][]byte
	Policy    *policy.Policy // Nil: none.
	ACL       *metapb.Acl    // Nil: private.
	Ownership string         // Who owns what others write, in one of wirexml's words; empty: the writer.
	Block     wirexml.PublicAccessBlock
	CORS      []wirexml.CORSRule
	Website   *wirexml.Website // Nil: it is not served as a website.
	Logging   *wirexml.Logging // Nil: requests are not logged.

	broken bool // See Broken.

	rulesRead sync.Once
	rules     lifecycle.Rules // See LifecycleRules.
	public    bool            // The policy lets in callers that it does not name.
}

// RequesterPays reports whether requesters of other accounts pay. They must then say in each
// request that they know.
func (b *Bucket) RequesterPays() bool { return string(b.Config[PartRequestPayment]) == PayerRequester }

// Enforced reports whether the bucket's owner owns everything in it. No ACL counts then.
func (b *Bucket) Enforced() bool { return b.Ownership == wirexml.OwnershipEnforced }

// Broken reports whether the bucket's policy, or the public access block that would limit it,
// cannot be read. Nobody but the root of the owner may do anything then, because nobody knows what
// is denied.
func (b *Bucket) Broken() bool { return b.broken }

// PolicyIsPublic reports whether the bucket's policy lets in callers that it does not name.
func (b *Bucket) PolicyIsPublic() bool { return b.public }

// IsPublic reports whether a policy or an ACL lets everybody in, as far as it counts in this
// bucket.
func (b *Bucket) IsPublic() bool {
	return b.public && !b.Block.RestrictPublicBuckets || PublicACL(b.EffectiveACL(b.ACL))
}

// MayAdmitStrangers reports whether the bucket may allow anything to callers whom nobody knows. If
// it is false, they need not be looked at further. If it is true, it depends on the action, the key
// and the conditions.
func (b *Bucket) MayAdmitStrangers() bool {
	if b.Policy != nil && !b.broken && policy.MayAllow(b.Policy, policy.Principal{Anonymous: true}) {
		return true
	}
	return PublicACL(b.EffectiveACL(b.ACL))
}

// EffectiveACL returns the part of an ACL that counts in this bucket.
func (b *Bucket) EffectiveACL(acl *metapb.Acl) *metapb.Acl {
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

// LifecycleRules returns the rules of the bucket's lifecycle. day is the length of one of their
// days, and must be the same in every call. The rules are parsed at the first call. Rules that
// cannot be read are not returned, and no request fails for them: upkeep, which would have to carry
// them out, reports them.
func (b *Bucket) LifecycleRules(day time.Duration) lifecycle.Rules {
	b.rulesRead.Do(func() {
		if document := b.Config[lifecycle.Part]; len(document) > 0 {
			b.rules, _ = lifecycle.Parse(document, day)
		}
	})
	return b.rules
}

// StorageClass returns the name of the storage class of objects that name none; empty: STANDARD.
func (b *Bucket) StorageClass() string { return string(b.Config[PartStorageClass]) }

// EncryptionS3 is the mode of encryption under keys of the cluster (SSE-S3).
const EncryptionS3 = "AES256"

// DefaultEncryption returns how an object is encrypted if the request does not say: the mode, and
// the key if one is named. The bucket decides, and otherwise the cluster. An empty mode means that
// the object is not encrypted.
func (b *Bucket) DefaultEncryption(p *profile.Profile) (mode, keyID string) {
	if text, ok := b.Config[PartEncryption]; ok {
		mode, keyID, _ = strings.Cut(string(text), " ")
		return mode, keyID
	}
	if p.DefaultSSE == profile.EncryptSSES3 {
		return EncryptionS3, ""
	}
	return "", ""
}

// CORSRule returns the bucket's first rule that allows a request; nil if none does.
func (b *Bucket) CORSRule(origin, method string, headers []string) *wirexml.CORSRule {
	for i := range b.CORS {
		if r := &b.CORS[i]; r.Allows(origin, method, headers) {
			return r
		}
	}
	return nil
}

// New returns the bucket of the metadata's records. It never fails: a document that cannot be read
// gives nobody anything (see Broken).
func New(b *metapb.Bucket, c *metapb.BucketConfig) *Bucket {
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
			out.broken = true // What the block closes must not be open because of that.
		} else {
			out.Block = *block
		}
	}
	if doc := out.Config[PartCORS]; len(doc) > 0 {
		if cors, err := wirexml.ParseCORS(doc); err == nil {
			out.CORS = cors.Rules // Rules that cannot be read allow nothing.
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
