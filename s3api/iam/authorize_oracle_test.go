package iam

import (
	"slices"
	"strings"

	"github.com/cairnstore/cairn/meta/metapb"
)

// The rules of decision once more, the slow way: every statement that concerns the access is looked
// for anew, and each rule is a sentence of its own. The oracle shares nothing with the code under
// test: no policy documents, no snapshot, no tables.

// rule is one statement.
type rule struct {
	Deny       bool
	Principals []string // In bucket policies: "*", "ACCOUNT", "ACCOUNT:user/NAME", "ACCOUNT:role/NAME".
	Actions    []string // A whole action, or "s3:*".
	Keys       []string // "" is the bucket, "*" every key in it; otherwise a prefix and "*".
	Tag        string   // If set, the rule holds only for versions whose tag t has this value.
	NotTag     string   // If set, the rule holds only for versions whose tag t has another value or is missing.
}

// actor is somebody who asks.
type actor struct {
	Account string // Empty: anonymous.
	User    string
	Role    string
	Admin   bool
	Own     [][]rule // Policies of the user, its groups, or the role.
	Scope   *[]rule  // Of the session.
}

func (w *actor) root() bool { return w.Account != "" && w.User == "" && w.Role == "" }

// deed is what somebody asks to do.
type deed struct {
	Action string
	Key    string // Empty: the bucket.
	// Version is what exists; nil: the deed is about no version.
	Version *thing
}

// thing is a bucket or a version.
type thing struct {
	Owner  string
	Grants []given
	Tag    string // Value of the tag t; empty: none.
}

type given struct {
	To         string // An account; "all", "known" or "logs".
	Permission string // As in an ACL.
}

// oracle is a bucket that somebody asks something of.
type oracle struct {
	bucket thing
	policy []rule
	who    *actor
	deed   deed
}

func (o *oracle) may() bool {
	w := o.who
	if w.Admin && w.root() {
		return true
	}
	if o.denied() {
		return false
	}
	if w.Scope != nil && !o.some(*w.Scope, false, o.anybody) {
		return false
	}
	mine := w.root() || o.ownAllows()
	byName := o.policyCounts() && o.some(o.policy, false, o.inPerson)
	byAccount := o.policyCounts() && o.some(o.policy, false, o.asOneOfAccount)
	owner := o.bucket.Owner
	if o.deed.Version != nil {
		owner = o.deed.Version.Owner
	}
	switch {
	case w.Account == "":
		return byName || o.granted()
	case w.Account == owner:
		return mine || byName
	}
	return mine && (byName || byAccount || o.granted())
}

// denied: one denial anywhere is enough, but an owner can always mend a bucket's policy.
func (o *oracle) denied() bool {
	for _, p := range o.who.Own {
		if o.some(p, true, o.anybody) {
			return true
		}
	}
	if o.who.Scope != nil && o.some(*o.who.Scope, true, o.anybody) {
		return true
	}
	if o.who.root() && o.who.Account == o.bucket.Owner && strings.HasSuffix(o.deed.Action, "BucketPolicy") {
		return false
	}
	concerned := func(p string) bool { return o.inPerson(p) || o.asOneOfAccount(p) }
	return o.some(o.policy, true, concerned)
}

func (o *oracle) ownAllows() bool {
	return slices.ContainsFunc(o.who.Own, func(p []rule) bool { return o.some(p, false, o.anybody) })
}

// policyCounts: a bucket's policy allows nothing on versions of other accounts.
func (o *oracle) policyCounts() bool {
	return o.deed.Version == nil || o.deed.Version.Owner == o.bucket.Owner
}

// some reports whether there is a rule that applies and names whoever asks.
func (o *oracle) some(rules []rule, deny bool, concerns func(string) bool) bool {
	for _, r := range rules {
		if r.Deny != deny || !slices.Contains(r.Actions, o.deed.Action) && !slices.Contains(r.Actions, "s3:*") {
			continue
		}
		tag := ""
		if o.deed.Version != nil {
			tag = o.deed.Version.Tag
		}
		if !slices.ContainsFunc(r.Keys, o.names) || r.Tag != "" && tag != r.Tag || r.NotTag != "" && tag == r.NotTag {
			continue
		}
		if r.Principals == nil || slices.ContainsFunc(r.Principals, concerns) {
			return true
		}
	}
	return false
}

func (o *oracle) names(pattern string) bool {
	if pattern == "" || o.deed.Key == "" {
		return pattern == o.deed.Key
	}
	return strings.HasPrefix(o.deed.Key, strings.TrimSuffix(pattern, "*"))
}

func (o *oracle) anybody(string) bool { return true }

func (o *oracle) inPerson(p string) bool {
	w := o.who
	switch {
	case p == "*":
		return true
	case w.Account == "":
		return false
	case w.User != "":
		return p == w.Account+":user/"+w.User
	case w.Role != "":
		return p == w.Account+":role/"+w.Role
	}
	return p == w.Account
}

func (o *oracle) asOneOfAccount(p string) bool { return o.who.Account != "" && p == o.who.Account }

// granted: what the ACL of the bucket or version gives.
func (o *oracle) granted() bool {
	of, words := o.bucket, map[string]string{
		"ListBucket": "READ", "PutObject": "WRITE", "DeleteObject": "WRITE", "GetBucketAcl": "READ_ACP", "PutBucketAcl": "WRITE_ACP"}
	if o.deed.Version != nil {
		of, words = *o.deed.Version, map[string]string{
			"GetObject": "READ", "GetObjectVersion": "READ", "GetObjectAcl": "READ_ACP", "PutObjectAcl": "WRITE_ACP"}
	}
	need, ok := words[strings.TrimPrefix(o.deed.Action, "s3:")]
	for _, g := range of.Grants {
		if !ok || g.Permission != need && g.Permission != "FULL_CONTROL" {
			continue
		}
		if g.To == "all" || o.who.Account != "" && (g.To == "known" || g.To == o.who.Account) {
			return true
		}
	}
	return false
}

// acl returns grants as the metadata has them.
func acl(grants []given) *metapb.Acl {
	out := &metapb.Acl{}
	for _, g := range grants {
		grant := &metapb.Grant{Permission: metapb.Permission(metapb.Permission_value["PERMISSION_"+g.Permission])}
		switch g.To {
		case "all":
			grant.Group = metapb.GranteeGroup_GRANTEE_ALL_USERS
		case "known":
			grant.Group = metapb.GranteeGroup_GRANTEE_AUTHENTICATED
		case "logs":
			grant.Group = metapb.GranteeGroup_GRANTEE_LOG_DELIVERY
		default:
			grant.Account = g.To
		}
		out.Grants = append(out.Grants, grant)
	}
	return out
}
