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

// Access is one use of one action by somebody.
type Access struct {
	Identity *Identity      // Nil: anonymous.
	Action   string         // "s3:GetObject".
	Bucket   *bucket.Bucket // Nil for actions on no bucket, or on one that does not exist.
	Name     string         // Of the bucket, if Bucket is nil; empty: the action is on no bucket.
	Key      string         // Empty: on the bucket.
	// Conditions returns the facts of the request, as in policy.Request. The tags of the object and
	// the bucket's owner are not asked of it: they are taken from the version and Bucket. Nil:
	// there are none.
	Conditions func(key string) ([]string, bool)
	// Memo remembers what conditions said, for other keys of the same request. Nil: nothing is
	// remembered.
	Memo *policy.Memo
	// ByACL is set if the action is allowed and would not be without an ACL. May be nil.
	ByACL *atomic.Bool
	// Why is told how the decision comes about. Nil: nobody asks.
	Why *Why
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

// BucketsMax returns how many buckets an account may have by a limit of its own; 0 if it has none.
func (z *Authorizer) BucketsMax(account string) uint32 {
	return z.directory.current.Load().account(account).GetBucketsMax()
}

// Allows decides about an action on the service, on a bucket, or on a key whose object does not
// matter for the decision, as with PutObject.
func (z *Authorizer) Allows(a *Access) bool {
	if a.Identity != nil && a.Identity.Admin {
		return a.Why.admin(a.Identity)
	}
	e := z.effects(a, nil)
	if a.Bucket == nil {
		// A bucket that does not exist is treated as if it were the caller's own.
		return a.Identity != nil && a.Why.verdict(e.decide(a.Identity, a.Identity.Account, false))
	}
	return a.allowed(&e, a.Bucket.Owner, a.Bucket.ACL, bucketPermissions[a.Action])
}

// AllowsObject decides about an action on an existing version. What the bucket's policy allows, it
// allows only on versions that belong to the bucket's owner; versions of other accounts are opened
// by their owner and their ACL. What the policy denies is denied on all versions. If the bucket
// enforces its owner, all versions count as the owner's.
func (z *Authorizer) AllowsObject(a *Access, v *metapb.Version) bool {
	if a.Identity != nil && a.Identity.Admin {
		return a.Why.admin(a.Identity)
	}
	e, owner := z.effects(a, v), v.GetOwner()
	if a.Bucket.Enforced() {
		owner = a.Bucket.Owner
	}
	if owner != a.Bucket.Owner && e.resource != policy.Deny {
		e.resource = policy.None
		a.Why.overrule(BucketPolicy, "it opens only objects of the bucket's owner, and this one belongs to another account")
	}
	return a.allowed(&e, owner, v.GetAcl(), objectPermissions[a.Action])
}

// allowed is effects.decide for something that has an ACL, which can give want. It sets ByACL if
// only the ACL allows the action.
func (a *Access) allowed(e *effects, owner string, acl *metapb.Acl, want metapb.Permission) bool {
	granted := grants(a.Bucket.EffectiveACL(acl), a.Identity, want)
	a.Why.grant(a, acl, want, granted)
	ok := a.Why.verdict(e.decide(a.Identity, owner, granted))
	if ok && granted && a.ByACL != nil && !e.allow(a.Identity, owner, false) {
		a.ByACL.Store(true)
	}
	return ok
}

// effects are what the policies say that concern one access.
type effects struct {
	identity policy.Effect // Of the policies of the user and its groups, or of the role; Allow for an account's root.
	session  policy.Effect // Of the policy that the session was scoped down to; Allow if there is none.
	resource policy.Effect // Of the bucket's policy.
}

// allow reports whether decide allows.
func (e *effects) allow(id *Identity, owner string, granted bool) bool {
	return e.decide(id, owner, granted).allows()
}

// decide is the decision about something that belongs to owner. id is who asks (nil: anonymous), and
// granted says that an ACL gives it to id.
func (e *effects) decide(id *Identity, owner string, granted bool) verdict {
	switch {
	case e.identity == policy.Deny || e.resource == policy.Deny:
		return forbidden
	case id == nil:
		return e.toStrangers(granted)
	case e.session != policy.Allow:
		return outsideSession
	case id.Account == owner:
		return e.inside()
	}
	return e.across(granted)
}

// toStrangers is the decision about callers whom nobody knows.
func (e *effects) toStrangers(granted bool) verdict {
	if e.resource == policy.Allow || granted {
		return allowedByOthers
	}
	return nothingAllows
}

// inside is the decision inside the account that something belongs to.
func (e *effects) inside() verdict {
	if e.identity == policy.Allow || e.resource == policy.Allow {
		return allowedInside
	}
	return nothingAllows
}

// across is the decision about what belongs to another account than the caller: both must agree.
func (e *effects) across(granted bool) verdict {
	switch {
	case e.identity != policy.Allow:
		return ownAccountSilent
	case e.resource == policy.Allow || e.resource == policy.Delegate || granted:
		return allowedAcross
	}
	return otherAccountSilent
}

// effects evaluates all policies that concern an access, and an access to v if v is not nil.
func (z *Authorizer) effects(a *Access, v *metapb.Version) (e effects) {
	r := &policy.Request{Action: a.Action, Resource: a.resource(), Principal: policy.Principal{Anonymous: true}, Conditions: a.facts(v), Memo: a.Memo}
	if a.Identity != nil {
		r.Principal = a.Identity.Principal()
		e.identity, e.session = z.ownEffect(a.Identity, r, a.Why), sessionEffect(a.Identity, r, a.Why)
	}
	b := a.Bucket
	if b == nil {
		return e
	}
	ownRoot := a.Identity != nil && a.Identity.Root && a.Identity.Account == b.Owner
	switch {
	case b.Broken() && !ownRoot:
		e.resource = a.Why.unreadable(BucketPolicy, "", b.Name)
	case b.Policy != nil:
		e.resource = a.Why.evaluate(b.Policy, r, BucketPolicy, "", b.Name)
	}
	// RestrictPublicBuckets: a policy that is public opens the bucket to nobody of another account.
	own := a.Identity != nil && a.Identity.Account == b.Owner
	if b.PolicyIsPublic() && b.Block.RestrictPublicBuckets && !own && e.resource != policy.Deny {
		e.resource = policy.None
		a.Why.overrule(PublicBlock, "RestrictPublicBuckets lets in nobody of another account by a policy that is public")
	}
	// The root of an account that has denied itself its own bucket can still replace the policy.
	if e.resource == policy.Deny && ownRoot && mendsPolicy[a.Action] {
		e.resource = policy.None
		a.Why.overrule(AccountRoot, "the owner's root can always mend the policy")
	}
	return e
}

// identityEffect is what an identity's own policies and its session's policy say together: only
// what both allow is allowed.
func (z *Authorizer) identityEffect(id *Identity, r *policy.Request, why *Why) policy.Effect {
	own, session := z.ownEffect(id, r, why), sessionEffect(id, r, why)
	if own == policy.Deny || session == policy.Deny {
		return policy.Deny
	}
	return min(own, session)
}

// sessionEffect is what the policy says that a session was scoped down to. Without one everything
// is allowed.
func sessionEffect(id *Identity, r *policy.Request, why *Why) policy.Effect {
	if id.SessionPolicy == nil {
		return policy.Allow
	}
	return why.evaluate(id.SessionPolicy, r, SessionPolicy, "", id.SessionName)
}

// ownEffect is what the policies say that are attached to an identity. An account's root is allowed
// everything without any.
func (z *Authorizer) ownEffect(id *Identity, r *policy.Request, why *Why) policy.Effect {
	if id.Root {
		return why.root(id)
	}
	s := z.directory.current.Load()
	effect := policy.None
	apply := func(names []string, kind SourceKind, holder string) {
		for _, name := range names {
			effect = max(effect, s.policyEffect(id.Account, name, r, why, kind, holder))
		}
	}
	if id.Role != "" {
		if role := s.roles.get(path(id.Account, id.Role)); role != nil {
			apply(role.Policies, RolePolicy, id.Role)
		}
		return effect
	}
	if id.Provider != "" {
		apply(id.granted, FederatedPolicy, id.Provider+"/"+id.Subject)
		return effect
	}
	u := s.users.get(path(id.Account, id.User))
	if u == nil || u.Id != id.UserID {
		return policy.None
	}
	apply(u.Policies, IdentityPolicy, u.Name)
	for _, name := range u.Groups {
		at := path(id.Account, name)
		switch g := s.groups.get(at); {
		case g != nil:
			apply(g.Policies, GroupPolicy, name)
		case s.entry(metapb.EntryKind_ENTRY_GROUP, at) != nil:
			return why.unreadable(GroupPolicy, "", name) // Nobody knows what the group forbids.
		}
	}
	return effect
}

// policyEffect evaluates the policy of this name. A policy that is stored but cannot be read denies
// everything, because nobody knows what it forbids.
func (s *snapshot) policyEffect(account, name string, r *policy.Request, why *Why, kind SourceKind,
	holder string) policy.Effect {
	at := path(account, name)
	if s.entry(metapb.EntryKind_ENTRY_POLICY, at) != nil {
		if p := s.policies.get(at); p != nil && p.compiled != nil {
			return why.evaluate(p.compiled, r, kind, name, holder)
		}
		return why.unreadable(kind, name, holder)
	}
	if p := builtinPolicies[name]; p != nil {
		return why.evaluate(p, r, kind, name, holder)
	}
	return policy.None
}

// facts returns the facts of the request and those that follow from what it is about: the owner of
// the bucket, and the tags of v if v is not nil.
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

// bucketPermissions are the actions that the ACL of a bucket can allow, each with the permission
// that it takes.
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

// objectPermissions are the actions that the ACL of an object can allow, each with the permission
// that it takes.
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

// mendsPolicy are the actions that read, replace and remove a bucket's policy.
var mendsPolicy = map[string]bool{"s3:GetBucketPolicy": true, "s3:PutBucketPolicy": true, "s3:DeleteBucketPolicy": true}
