package iam

import (
	"strings"
	"sync/atomic"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/bucket"
	"github.com/cairnstore/cairn/s3api/policy"
)

// Authorizer decides what identities may do.
type Authorizer struct{ directory *Directory }

// NewAuthorizer returns an authorizer of the directory.
func NewAuthorizer(d *Directory) *Authorizer { return &Authorizer{d} }

// Access is one use of one action.
type Access struct {
	Identity *Identity      // Nil: anonymous.
	Action   string         // "s3:GetObject".
	Bucket   *bucket.Bucket // Nil for actions on no bucket or on one that is not there.
	Name     string         // Of the bucket where Bucket is nil; empty: on no bucket.
	Key      string         // Empty: on the bucket.
	// Conditions returns the facts of the request, as policy.Request has them, but
	// for tags of the object and the bucket's owner. Nil: none.
	Conditions func(key string) ([]string, bool)
	// Memo keeps what conditions said of other keys of the same request. Nil: nothing is kept.
	Memo *policy.Memo
	// ByACL is set where the action is allowed and would not be without an ACL. May be nil.
	ByACL *atomic.Bool
}

func (a *Access) resource() string {
	name := a.Name
	if a.Bucket != nil {
		name = a.Bucket.Name
	}
	switch {
	case name == "":
		return policy.AllBuckets
	case a.Key == "":
		return policy.BucketARN(name)
	}
	return policy.ObjectARN(name, a.Key)
}

// BucketsMax returns how many buckets an account may have by what was said of it alone;
// 0 where nothing was.
func (z *Authorizer) BucketsMax(account string) uint32 {
	return z.directory.current.Load().account(account).GetBucketsMax()
}

// Allows decides about an action on the service, on a bucket, or on a key whose
// object does not matter for it, such as a PutObject.
func (z *Authorizer) Allows(a *Access) bool {
	if a.Identity != nil && a.Identity.Admin {
		return true
	}
	e := z.effects(a, nil)
	if a.Bucket == nil {
		// What is not there belongs to whoever asks for it.
		return a.Identity != nil && e.allow(a.Identity, a.Identity.Account, false)
	}
	return a.allowed(&e, a.Bucket.Owner, grants(a.Bucket.EffectiveACL(a.Bucket.ACL), a.Identity, bucketPermissions[a.Action]))
}

// AllowsObject decides about an action on an existing version. The policy of a
// bucket allows what it allows on the objects of its owner; on those of others,
// their owner and their ACL do. What it denies is denied on all. Where the bucket's
// owner is enforced, all objects are its own.
func (z *Authorizer) AllowsObject(a *Access, v *metapb.Version) bool {
	if a.Identity != nil && a.Identity.Admin {
		return true
	}
	e, owner := z.effects(a, v), v.GetOwner()
	if a.Bucket.Enforced() {
		owner = a.Bucket.Owner
	}
	if owner != a.Bucket.Owner && e.resource != policy.Deny {
		e.resource = policy.None
	}
	return a.allowed(&e, owner, grants(a.Bucket.EffectiveACL(v.GetAcl()), a.Identity, objectPermissions[a.Action]))
}

// allowed is effects.allow, and notes what an ACL alone allows.
func (a *Access) allowed(e *effects, owner string, granted bool) bool {
	ok := e.allow(a.Identity, owner, granted)
	if ok && granted && a.ByACL != nil && !e.allow(a.Identity, owner, false) {
		a.ByACL.Store(true)
	}
	return ok
}

// effects are what policies say of one access.
type effects struct {
	identity policy.Effect // Of the user, its groups, or the role; an account's root is allowed everything.
	session  policy.Effect // What a session was scoped down to; one that was not is allowed everything.
	resource policy.Effect // Of the bucket.
}

// allow is the decision: id (nil: anonymous) asks for something that owner owns;
// granted says that an ACL gives it to id.
func (e *effects) allow(id *Identity, owner string, granted bool) bool {
	switch {
	case e.identity == policy.Deny || e.resource == policy.Deny:
		return false
	case id == nil:
		return e.resource == policy.Allow || granted
	case e.session != policy.Allow:
		return false
	case id.Account == owner:
		return e.identity == policy.Allow || e.resource == policy.Allow
	}
	return e.identity == policy.Allow && (e.resource == policy.Allow || e.resource == policy.Delegate || granted)
}

// effects evaluates all policies that concern an access, to a version if there is
// one.
func (z *Authorizer) effects(a *Access, v *metapb.Version) (e effects) {
	r := &policy.Request{Action: a.Action, Resource: a.resource(), Principal: policy.Principal{Anonymous: true}, Conditions: a.facts(v), Memo: a.Memo}
	if a.Identity != nil {
		r.Principal = a.Identity.Principal()
		e.identity, e.session = z.ownEffect(a.Identity, r), sessionEffect(a.Identity, r)
	}
	b := a.Bucket
	if b == nil {
		return e
	}
	ownRoot := a.Identity != nil && a.Identity.Root && a.Identity.Account == b.Owner
	switch {
	case b.Broken() && !ownRoot:
		e.resource = policy.Deny
	case b.Policy != nil:
		e.resource = policy.Evaluate(b.Policy, r)
	}
	// A public policy of a restricted bucket opens it to nobody of other accounts.
	own := a.Identity != nil && a.Identity.Account == b.Owner
	if b.PolicyIsPublic() && b.Block.RestrictPublicBuckets && !own && e.resource != policy.Deny {
		e.resource = policy.None
	}
	// An account that locked itself out of its own bucket can mend it.
	if e.resource == policy.Deny && ownRoot && mendsPolicy[a.Action] {
		e.resource = policy.None
	}
	return e
}

// identityEffect is what an identity's own policies say, within its session's.
func (z *Authorizer) identityEffect(id *Identity, r *policy.Request) policy.Effect {
	own, session := z.ownEffect(id, r), sessionEffect(id, r)
	if own == policy.Deny || session == policy.Deny {
		return policy.Deny
	}
	return min(own, session)
}

// sessionEffect is what a session was scoped down to.
func sessionEffect(id *Identity, r *policy.Request) policy.Effect {
	if id.SessionPolicy == nil {
		return policy.Allow
	}
	return policy.Evaluate(id.SessionPolicy, r)
}

// ownEffect is what the policies say that are attached to an identity. An account's
// root needs none.
func (z *Authorizer) ownEffect(id *Identity, r *policy.Request) policy.Effect {
	if id.Root {
		return policy.Allow
	}
	s := z.directory.current.Load()
	effect := policy.None
	apply := func(names []string) {
		for _, name := range names {
			effect = max(effect, s.policyEffect(id.Account, name, r))
		}
	}
	if id.Role != "" {
		if role := s.roles.get(path(id.Account, id.Role)); role != nil {
			apply(role.Policies)
		}
		return effect
	}
	u := s.users.get(path(id.Account, id.User))
	if u == nil || u.Id != id.UserID {
		return policy.None
	}
	apply(u.Policies)
	for _, name := range u.Groups {
		at := path(id.Account, name)
		switch g := s.groups.get(at); {
		case g != nil:
			apply(g.Policies)
		case s.entry(metapb.EntryKind_ENTRY_GROUP, at) != nil:
			return policy.Deny // It cannot be read, nor what it forbids.
		}
	}
	return effect
}

// policyEffect evaluates a policy by its name. One that is there but cannot be read
// denies: what it forbids is not known.
func (s *snapshot) policyEffect(account, name string, r *policy.Request) policy.Effect {
	at := path(account, name)
	if s.entry(metapb.EntryKind_ENTRY_POLICY, at) != nil {
		if p := s.policies.get(at); p != nil && p.compiled != nil {
			return policy.Evaluate(p.compiled, r)
		}
		return policy.Deny
	}
	if p := builtinPolicies[name]; p != nil {
		return policy.Evaluate(p, r)
	}
	return policy.None
}

// facts adds to the facts of a request those that follow from what it is about: the
// bucket, and a version if there is one.
func (a *Access) facts(v *metapb.Version) func(string) ([]string, bool) {
	return func(key string) ([]string, bool) {
		if name, ok := strings.CutPrefix(key, policy.ExistingTagPrefix); ok {
			for _, t := range v.GetTags() {
				if t.Name == name {
					return []string{t.Value}, true
				}
			}
			return nil, false
		}
		switch {
		case key == policy.KeyResourceAccount && a.Bucket != nil:
			return []string{a.Bucket.Owner}, true
		case a.Conditions == nil:
			return nil, false
		}
		return a.Conditions(key)
	}
}

// bucketPermissions are the permissions of a bucket's ACL that allow an action.
var bucketPermissions = map[string]metapb.Permission{
	"s3:ListBucket":                 metapb.Permission_PERMISSION_READ,
	"s3:ListBucketVersions":         metapb.Permission_PERMISSION_READ,
	"s3:ListBucketMultipartUploads": metapb.Permission_PERMISSION_READ,
	"s3:ListMultipartUploadParts":   metapb.Permission_PERMISSION_READ,
	"s3:GetBucketLocation":          metapb.Permission_PERMISSION_READ,
	"s3:PutObject":                  metapb.Permission_PERMISSION_WRITE,
	"s3:DeleteObject":               metapb.Permission_PERMISSION_WRITE,
	"s3:AbortMultipartUpload":       metapb.Permission_PERMISSION_WRITE,
	"s3:GetBucketAcl":               metapb.Permission_PERMISSION_READ_ACP,
	"s3:PutBucketAcl":               metapb.Permission_PERMISSION_WRITE_ACP,
}

// objectPermissions are the permissions of an object's ACL that allow an action.
var objectPermissions = map[string]metapb.Permission{
	"s3:GetObject":                  metapb.Permission_PERMISSION_READ,
	"s3:GetObjectVersion":           metapb.Permission_PERMISSION_READ,
	"s3:GetObjectAttributes":        metapb.Permission_PERMISSION_READ,
	"s3:GetObjectVersionAttributes": metapb.Permission_PERMISSION_READ,
	"s3:GetObjectAcl":               metapb.Permission_PERMISSION_READ_ACP,
	"s3:GetObjectVersionAcl":        metapb.Permission_PERMISSION_READ_ACP,
	"s3:PutObjectAcl":               metapb.Permission_PERMISSION_WRITE_ACP,
	"s3:PutObjectVersionAcl":        metapb.Permission_PERMISSION_WRITE_ACP,
}

// mendsPolicy are the actions by which a bucket's policy is seen and replaced.
var mendsPolicy = map[string]bool{"s3:GetBucketPolicy": true, "s3:PutBucketPolicy": true, "s3:DeleteBucketPolicy": true}
