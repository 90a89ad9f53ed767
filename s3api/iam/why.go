package iam

import (
	"fmt"
	"strings"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/policy"
)

// SourceKind says where something stands that allows or denies.
type SourceKind string

// The kinds of sources.
const (
	IdentityPolicy  SourceKind = "identity" // A policy of the user itself.
	GroupPolicy     SourceKind = "group"    // A policy of a group of the user.
	RolePolicy      SourceKind = "role"     // A policy of the role.
	SessionPolicy   SourceKind = "session"  // The policy that a session was scoped down to.
	FederatedPolicy SourceKind = "provider" // A policy that an identity provider names.
	BucketPolicy    SourceKind = "bucket policy"
	BucketACL       SourceKind = "ACL"
	AccountRoot     SourceKind = "root" // It is an account's root, which needs no policy in its account.
	PublicBlock     SourceKind = "block public access"
	MasterKey       SourceKind = "master key"     // The key that an object is encrypted under.
	RequesterPays   SourceKind = "requester pays" // The bucket lets in nobody who cannot pay.
)

// Source is one thing that speaks for or against an access.
type Source struct {
	Kind   SourceKind
	Policy string // Name of the policy, if policies of this kind have names.
	Holder string // Whom the policy is attached to: the name of a user, group, role, session or bucket.
	Number int    // Of the statement, from 1; 0 if it is no statement.
	Sid    string // Of the statement; empty: it has none.
	Effect policy.Effect
	// Overruled says why it does not count; empty: it does. By is what overrules it, if that is a
	// setting of the bucket.
	Overruled string
	By        SourceKind
	// Note says what it is if it is no statement of a policy.
	Note string
}

// Why tells how a decision came about. A decision fills it in when it is asked to (Access.Why), so
// that it cannot tell anything but what was decided. A nil Why is told and keeps nothing.
type Why struct {
	Said    []Source // Everything that spoke for or against the access, in the order in which it was asked.
	outcome verdict
}

// verdict is how policies, sessions and ACLs decide together.
type verdict uint8

const (
	nothingAllows      verdict = iota // Inside the account, or to callers whom nobody knows.
	forbidden                         // A statement denies it.
	outsideSession                    // The policy of the session does not allow it.
	ownAccountSilent                  // It belongs to another account, and the caller's own does not allow it.
	otherAccountSilent                // It belongs to another account, which does not allow it.
	allowedInside                     // By a policy of the caller or of the bucket.
	allowedByOthers                   // To a caller whom nobody knows, by the bucket's policy or an ACL.
	allowedAcross                     // By both accounts.
)

func (v verdict) allows() bool { return v >= allowedInside }

// verdict remembers a decision and reports whether it allows.
func (w *Why) verdict(v verdict) bool {
	if w != nil {
		w.outcome = v
	}
	return v.allows()
}

// admin is the decision about the root of an account that administers the cluster.
func (w *Why) admin(id *Identity) bool {
	w.root(id)
	return w.verdict(allowedInside)
}

// Root is the decision about an account's root that may do something because it is one.
func (w *Why) Root(id *Identity) { w.admin(id) }

// root is what the policies of an account's root say: it needs none.
func (w *Why) root(id *Identity) policy.Effect {
	if w != nil {
		note := "the root of account " + id.AccountName + " needs no policy for what is in the account"
		if id.Admin {
			note = "the root of account " + id.AccountName + " administers the cluster and may do everything"
		}
		w.Said = append(w.Said, Source{Kind: AccountRoot, Holder: id.AccountName, Effect: policy.Allow, Note: note})
	}
	return policy.Allow
}

// evaluate is policy.Evaluate.
func (w *Why) evaluate(p *policy.Policy, r *policy.Request, kind SourceKind, name, holder string) policy.Effect {
	effect, number := policy.Decide(p, r)
	if w != nil && effect != policy.None {
		w.Said = append(w.Said, Source{Kind: kind, Policy: name, Holder: holder, Number: number, Sid: p.Sid(number),
			Effect: effect})
	}
	return effect
}

// unreadable is what something says that cannot be read: it denies.
func (w *Why) unreadable(kind SourceKind, name, holder string) policy.Effect {
	if w != nil {
		w.Said = append(w.Said, Source{Kind: kind, Policy: name, Holder: holder, Effect: policy.Deny,
			Note: "it cannot be read, so nobody knows what it forbids"})
	}
	return policy.Deny
}

// overrule says that the bucket's policy does not count, because of something or somebody (by).
func (w *Why) overrule(by SourceKind, because string) {
	if w == nil {
		return
	}
	for i := range w.Said {
		if s := &w.Said[i]; s.Kind == BucketPolicy && s.Overruled == "" {
			s.Overruled, s.By = because, by
		}
	}
}

// grant says what an ACL gives. granted is the decision about the part of it that counts.
func (w *Why) grant(a *Access, acl *metapb.Acl, want metapb.Permission, granted bool) {
	if w == nil || !granted && !grants(acl, a.Identity, want) {
		return
	}
	s := Source{Kind: BucketACL, Holder: a.Bucket.Name, Effect: policy.Allow, Note: "a grant of " +
		strings.TrimPrefix(want.String(), "PERMISSION_") + " or FULL_CONTROL"}
	switch {
	case granted:
	case a.Bucket.Enforced():
		s.Overruled = "the bucket's owner owns everything in it (BucketOwnerEnforced), so no ACL counts"
	default:
		s.Overruled, s.By = "IgnorePublicAcls ignores grants to everybody", PublicBlock
	}
	w.Said = append(w.Said, s)
}

// Refuse remembers that something other than policies and ACLs refuses the access.
func (w *Why) Refuse(kind SourceKind, note string) {
	if w != nil {
		w.outcome = forbidden
		w.Said = append(w.Said, Source{Kind: kind, Effect: policy.Deny, Note: note})
	}
}

// Spoke reports whether anything spoke for or against the access.
func (w *Why) Spoke() bool { return len(w.Said) > 0 }

// Conceal takes out which statements sources of a kind are, before somebody reads it who may not
// read the policy.
func (w *Why) Conceal(kind SourceKind) {
	for i := range w.Said {
		if s := &w.Said[i]; s.Kind == kind {
			s.Number, s.Sid = 0, ""
		}
	}
}

// Allowed reports what was decided.
func (w *Why) Allowed() bool { return w.outcome.allows() }

// ofCaller reports whether a source is on the side of the caller's account.
func (s *Source) ofCaller() bool {
	switch s.Kind {
	case IdentityPolicy, GroupPolicy, RolePolicy, AccountRoot:
		return true
	}
	return false
}

// Deciding returns what decided. If the access is denied, that is what denies it. If it is allowed,
// it is the first source that allows it on each side that has to, and the policy of the session. If
// nothing allows it, it is what would and does not count; often that is nothing.
func (w *Why) Deciding() []Source {
	var out []Source
	own, other := false, false
	for _, s := range w.Said {
		takes := false
		switch counts := s.Overruled == ""; w.outcome {
		case forbidden:
			takes = counts && s.Effect == policy.Deny
		case allowedInside:
			if s.Kind == SessionPolicy {
				takes = counts
			} else if takes = counts && s.Effect == policy.Allow && s.Kind != BucketACL && !own; takes {
				own = true
			}
		case allowedByOthers, allowedAcross:
			switch {
			case !counts || s.Effect == policy.Deny:
			case s.Kind == SessionPolicy:
				takes = true
			case s.ofCaller():
				takes, own = s.Effect == policy.Allow && !own, own || s.Effect == policy.Allow
			default:
				takes, other = !other, true
			}
		case outsideSession:
			takes = s.Kind == SessionPolicy
		default:
			takes = !counts
		}
		if takes && s.By == PublicBlock {
			s = Source{Kind: PublicBlock, Holder: s.Holder, Effect: policy.Deny, Note: s.Overruled}
		}
		if takes {
			out = append(out, s)
		}
	}
	return out
}

// String returns the decision as a sentence.
func (w *Why) String() string {
	var by []string
	for _, s := range w.Deciding() {
		by = append(by, s.String())
	}
	list := strings.Join(by, ", and ")
	switch w.outcome {
	case forbidden:
		return "denied by " + list
	case outsideSession:
		return "not allowed: the policy that the session was scoped down to does not allow it" + overruled(list)
	case ownAccountSilent:
		return "not allowed: the bucket or object belongs to another account, " +
			"and nothing in the caller's own account allows it"
	case otherAccountSilent:
		return "not allowed: the bucket or object belongs to another account, " +
			"whose bucket policy and ACL do not allow it" +
			overruled(list)
	case nothingAllows:
		return "not allowed: nothing allows it" + overruled(list)
	}
	return "allowed by " + list
}

// overruled completes a sentence about what nothing allows.
func overruled(list string) string {
	if list == "" {
		return ""
	}
	return "; " + list
}

// String returns the source in words.
func (s *Source) String() string {
	var b strings.Builder
	switch s.Kind {
	case IdentityPolicy:
		fmt.Fprintf(&b, "policy %s of user %s", s.Policy, s.Holder)
	case GroupPolicy:
		if s.Policy == "" {
			fmt.Fprintf(&b, "group %s", s.Holder)
			break
		}
		fmt.Fprintf(&b, "policy %s of group %s", s.Policy, s.Holder)
	case RolePolicy:
		fmt.Fprintf(&b, "policy %s of role %s", s.Policy, s.Holder)
	case SessionPolicy:
		b.WriteString("the policy of the session")
	case BucketPolicy:
		fmt.Fprintf(&b, "the policy of bucket %s", s.Holder)
	case BucketACL:
		b.WriteString("the ACL")
	default:
		b.WriteString(string(s.Kind))
	}
	switch {
	case s.Number > 0 && s.Sid != "":
		fmt.Fprintf(&b, ", statement %d (%s)", s.Number, s.Sid)
	case s.Number > 0:
		fmt.Fprintf(&b, ", statement %d", s.Number)
	}
	if s.Note != "" {
		b.WriteString(" (" + s.Note + ")")
	}
	if s.Overruled != "" {
		b.WriteString(" does not count: " + s.Overruled)
	}
	return b.String()
}
