package iam

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/policy"
)

// For returns an Admin that makes changes for an identity, which must not be nil. An account's
// root, and whoever administers the cluster, is not limited: the admin API decides what they may
// call. All others are limited: they may change only somebody who may do no more than they
// themselves, before the change and after it (see hold).
func (a *Admin) For(by *Identity) *Admin {
	out := *a
	out.by = by
	return &out
}

// limited reports whether a change is refused if it gives or takes what its maker does not have.
func (a *Admin) limited() bool { return a.by != nil && !a.by.Root && !a.by.Admin }

// CheckChosen returns an error if an identity may not choose this id for an access key of an
// account. All accounts share one space of ids, so a refusal because an id is taken tells that
// another account has it. Only who administers the cluster, and sees all ids anyway, may choose
// any; all others choose among those that begin with the account's id. Errors: Invalid.
func CheckChosen(by *Identity, account, id string) error {
	if by.Admin || strings.HasPrefix(id, account+"-") {
		return nil
	}
	return errs.Newf("iam.CheckChosen", errs.Invalid,
		"%q cannot be chosen as the id of a key: begin it with %s- (the account's id), or leave it out for a generated one", id, account)
}

// denied is the refusal of a change by a caller who is limited.
func denied(format string, args ...any) error {
	return errs.Newf("iam.delegate", errs.Denied, format, args...)
}

// wholeAccount says that a change makes, changes or removes an account itself. A caller who is
// limited may do that if its own account administers the cluster, but never to an account that
// does. Errors: Denied.
func (c *change) wholeAccount(a *Admin, account *metapb.Account) error {
	switch {
	case !a.limited():
	case account.Admin:
		return denied("account %s administers the cluster: only who does so itself may make, change or remove such an account", account.Name)
	case !c.snapshot.account(a.by.Account).GetAdmin():
		return denied("account %s can manage what is in it alone", a.by.AccountName)
	case c.entry(metapb.EntryKind_ENTRY_ACCOUNT, account.Id) != nil && c.accounts.get(account.Id) == nil:
		return denied("the record of account %s cannot be read, so it may administer the cluster: "+
			"only who does so itself may replace it", account.Id)
	}
	c.whole = account.Id
	return nil
}

// view is the directory as it was before a change, or as it will be after it.
type view struct {
	*change
	after bool
}

// entry returns an entry, and makes the change depend on it. So if two changes at the same time are
// harmless alone but not together, one of them fails its check and looks again.
func (v view) entry(kind metapb.EntryKind, name string) *metapb.Entry {
	at := entryID{kind, name}
	if v.checks[at] == nil {
		v.check(kind, name)
	}
	if v.after {
		if e := v.put[at]; e != nil {
			return e
		}
		if v.remove[at] != nil {
			return nil
		}
	}
	return v.snapshot.entry(kind, name)
}

// policyOf adds what a policy says to r. A policy that cannot be read denies everything.
func (v view) policyOf(r *policy.Rights, account, name string) {
	at := path(account, name)
	e := v.entry(metapb.EntryKind_ENTRY_POLICY, at)
	switch {
	case e == nil && builtinPolicies[name] != nil:
		r.Add(builtinPolicies[name])
	case e == nil:
	case e == v.snapshot.entry(metapb.EntryKind_ENTRY_POLICY, at):
		if p := v.policies.get(at); p != nil && p.compiled != nil {
			r.Add(p.compiled)
		} else {
			r.DenyAll()
		}
	default:
		p, err := policy.Parse([]byte(decode[metapb.Policy](e).GetDocument()), policy.Identity)
		if err != nil {
			r.DenyAll()
			return
		}
		r.Add(p)
	}
}

// subject is somebody who has rights: a user, a role, or a group. A group stands for whoever may
// become its member.
type subject struct {
	account string
	Holder
}

// principal returns the subject as policies see it; nil for a group.
func (v view) principal(s subject) *policy.Principal {
	switch s.Kind {
	case HolderUser:
		u := decode[metapb.User](v.entry(metapb.EntryKind_ENTRY_USER, path(s.account, s.Name)))
		return &policy.Principal{Account: s.account, User: s.Name, UserID: u.GetId()}
	case HolderRole:
		return &policy.Principal{Account: s.account, Role: s.Name, SessionName: policy.AnySession}
	}
	return nil
}

// there reports whether the user or role exists.
func (v view) there(s subject) bool {
	kind := metapb.EntryKind_ENTRY_USER
	if s.Kind == HolderRole {
		kind = metapb.EntryKind_ENTRY_ROLE
	}
	return v.entry(kind, path(s.account, s.Name)) != nil
}

// rights returns what the policies of a subject say. Somebody who does not exist has no rights.
func (v view) rights(s subject) *policy.Rights {
	r := policy.NewRights(v.principal(s))
	v.addRights(r, s)
	return r
}

// addRights adds to r what the policies of a subject and, for a user, of its groups say. A record
// that is there and cannot be read denies everything: nobody can act as such a user or role, and
// whoever is in such a group may do nothing (see Authorizer).
func (v view) addRights(r *policy.Rights, s subject) {
	at := path(s.account, s.Name)
	var policies, groups []string
	readable := true
	switch s.Kind {
	case HolderUser:
		u, ok := readableEntry[metapb.User](v.entry(metapb.EntryKind_ENTRY_USER, at))
		policies, groups, readable = u.GetPolicies(), u.GetGroups(), ok
	case HolderGroup:
		g, ok := readableEntry[metapb.UserGroup](v.entry(metapb.EntryKind_ENTRY_GROUP, at))
		policies, readable = g.GetPolicies(), ok
	case holderNamed:
		policies = []string{s.Name}
	case HolderRole:
		role, ok := readableEntry[metapb.Role](v.entry(metapb.EntryKind_ENTRY_ROLE, at))
		policies, readable = role.GetPolicies(), ok
	}
	if !readable {
		r.DenyAll()
	}
	for _, name := range policies {
		v.policyOf(r, s.account, name)
	}
	for _, group := range groups {
		v.addRights(r, subject{s.account, Holder{HolderGroup, group}})
	}
}

// readableEntry returns the record of an entry, and false if there is one that cannot be read.
func readableEntry[T any, P message[T]](e *metapb.Entry) (P, bool) {
	v := decode[T, P](e)
	return v, e == nil || v != nil
}

// caller returns the caller as a subject, and its rights. It has none if it no longer exists.
func (v view) caller(by *Identity) (subject, *policy.Rights) {
	s, who := subject{by.Account, Holder{HolderUser, by.User}}, by.Principal()
	if by.Role != "" {
		s.Holder = Holder{HolderRole, by.Role}
	}
	r := policy.NewRights(&who)
	if by.isFederated() {
		for _, name := range by.granted {
			v.policyOf(r, by.Account, name)
		}
		return subject{account: by.Account}, r
	}
	if by.Role == "" && decode[metapb.User](v.entry(metapb.EntryKind_ENTRY_USER, path(by.Account, by.User))).GetId() != by.UserID {
		return s, r // The caller was removed; this is another user of its name.
	}
	v.addRights(r, s)
	return s, r
}

// touched is somebody whom a change concerns.
type touched struct {
	subject
	// taken says that others can act as this subject afterwards: its keys change, or whom the role
	// trusts, or the user is no longer disabled.
	taken bool
}

// hold refuses a change by which a caller who is limited would give somebody more than it has
// itself, or would change somebody who has more. So nobody whom the change concerns may be able,
// before it or after it, to do what the caller may not do. If the caller, a user, changes itself,
// only its rights after the change count. What somebody may do are the rights that its attached
// policies give.
//
// There are two cases in which that is not enough, because buckets of the account and roles give
// rights by name too. The first is a change that lets somebody act as the subject: it hands over
// what is given to the subject's name. The second is a change that lifts a denial from a subject:
// the caller may have its keys from before, and buckets may now allow it what the denial forbade.
// In both cases hold asks holdTaken. Errors: Denied, and those of reading the buckets' policies.
func (a *Admin) hold(ctx context.Context, c *change) error {
	if !a.limited() {
		return nil
	}
	list, err := c.touches(a.by)
	if err != nil {
		return err
	}
	before, after := view{c, false}, view{c, true}
	caller, mine := before.caller(a.by)
	for _, t := range list {
		// A role is never the caller itself: others can assume it too, and under other session
		// names.
		self := t.subject == caller && caller.Kind == HolderUser
		if !self && !mine.Covers(before.rights(t.subject)) {
			return denied("%v may do what you may not: only who may do as much may change that", t)
		}
		if !mine.Covers(after.rights(t.subject)) {
			return denied("%v would be able to do what you may not do yourself", t)
		}
		if t.taken && !self || lifts(before, after, t.subject) {
			if err := a.holdTaken(ctx, after, t.subject, mine); err != nil {
				return err
			}
		}
	}
	return nil
}

// lifts reports whether a change takes a denial from a subject. It is false for a group, because
// the members that lose the denial are asked for themselves. It is false for a user or role that
// the change removes, because nobody can act as one.
func lifts(before, after view, s subject) bool {
	if s.Kind == HolderGroup || s.Kind != holderNamed && !after.there(s) {
		return false
	}
	was, is := before.rights(s).Denials(), after.rights(s).Denials()
	was.AllowAll()
	is.AllowAll()
	return !was.Covers(is)
}

// touches returns everybody whom a change concerns. Errors: Denied, if the change is of a kind or
// an account that a caller who is limited never changes.
func (c *change) touches(by *Identity) ([]touched, error) {
	found := map[subject]bool{}
	note := func(s subject, taken bool) { found[s] = found[s] || taken }
	changed := make(map[entryID]bool, len(c.put)+len(c.remove))
	for at, e := range c.put {
		if old := c.entry(at.kind, at.name); old == nil || !bytes.Equal(old.Value, e.Value) {
			changed[at] = true // Entries that stay the same were only held.
		}
	}
	for at := range c.remove {
		changed[at] = true
	}
	for at := range changed {
		account, name, _ := cutPath(at.name)
		switch at.kind {
		case metapb.EntryKind_ENTRY_SETTING, metapb.EntryKind_ENTRY_EVENT_TARGET, metapb.EntryKind_ENTRY_LIMIT:
			continue // They belong to the cluster: the admin API decides who may change them.
		case metapb.EntryKind_ENTRY_ACCOUNT:
			if at.name != c.whole {
				return nil, denied("only who administers the cluster changes accounts")
			}
			continue
		case metapb.EntryKind_ENTRY_IDENTITY_PROVIDER:
			return nil, denied("an identity provider vouches for whomever it likes: only who administers the " +
				"cluster as the root of an account adds, changes and removes one")
		case metapb.EntryKind_ENTRY_ACCOUNT_NAME:
			if c.whole == "" {
				return nil, denied("only who administers the cluster names accounts")
			}
			continue
		case metapb.EntryKind_ENTRY_ACCESS_KEY:
			k := c.keyAt(at)
			account, name = k.GetAccount(), k.GetUser()
		}
		switch {
		case account != "" && account == c.whole:
			continue // It is made or removed with its account.
		case account != by.Account:
			return nil, denied("account %s can manage itself alone", by.AccountName)
		}
		switch at.kind {
		case metapb.EntryKind_ENTRY_ACCESS_KEY:
			if name == "" {
				return nil, denied("the keys of an account itself are its root's to make, change and remove")
			}
			note(subject{account, Holder{HolderUser, name}}, true)
		case metapb.EntryKind_ENTRY_USER:
			note(subject{account, Holder{HolderUser, name}}, c.enables(at))
		case metapb.EntryKind_ENTRY_ROLE:
			note(subject{account, Holder{HolderRole, name}}, c.trustsOthers(at))
		case metapb.EntryKind_ENTRY_GROUP:
			c.noteGroup(account, name, note)
		case metapb.EntryKind_ENTRY_POLICY:
			c.notePolicy(account, name, note)
		default:
			return nil, denied("only the root of an account changes its %v", at.kind)
		}
	}
	out := make([]touched, 0, len(found))
	for s, taken := range found {
		out = append(out, touched{s, taken})
	}
	return out, nil
}

// keyAt returns the access key that a change writes or removes.
func (c *change) keyAt(at entryID) *metapb.AccessKey {
	if e := c.put[at]; e != nil {
		return decode[metapb.AccessKey](e)
	}
	return c.keys.get(at.name)
}

// enables reports whether a change enables a user that is disabled, whose keys are good then.
func (c *change) enables(at entryID) bool {
	e := c.put[at]
	return e != nil && c.users.get(at.name).GetDisabled() && !decode[metapb.User](e).GetDisabled()
}

// trustsOthers reports whether a change makes a role, or changes whom it trusts.
func (c *change) trustsOthers(at entryID) bool {
	e := c.put[at]
	return e != nil && (c.roles.get(at.name) == nil || decode[metapb.Role](e).GetTrust() != c.roles.get(at.name).Trust)
}

// noteGroup notes a group, and whoever is its member before or after a change.
func (c *change) noteGroup(account, name string, note func(subject, bool)) {
	note(subject{account, Holder{HolderGroup, name}}, false)
	for _, u := range c.usersEither(account) {
		if slices.Contains(u.Groups, name) {
			note(subject{account, Holder{HolderUser, u.Name}}, false)
		}
	}
}

// notePolicy notes everybody to whom a policy is attached before or after a change, and those for whom
// an identity provider may name it.
func (c *change) notePolicy(account, name string, note func(subject, bool)) {
	if c.namesPolicies(account) {
		note(subject{account, Holder{holderNamed, name}}, false)
	}
	for _, u := range c.usersEither(account) {
		if slices.Contains(u.Policies, name) {
			note(subject{account, Holder{HolderUser, u.Name}}, false)
		}
	}
	for _, h := range c.holders(account, name) {
		if h.Kind == HolderGroup {
			c.noteGroup(account, h.Name, note)
		} else {
			note(subject{account, h}, false)
		}
	}
}

// namesPolicies reports whether an identity provider may name policies of an account. One whose record
// cannot be read may.
func (c *change) namesPolicies(account string) bool {
	for _, e := range c.under(metapb.EntryKind_ENTRY_IDENTITY_PROVIDER, "") {
		c.check(metapb.EntryKind_ENTRY_IDENTITY_PROVIDER, e.Name)
		p := c.providers.get(e.Name)
		if p == nil || p.Account == account && p.GetOidc().GetPolicyClaim() != "" {
			return true
		}
	}
	return false
}

// usersEither returns the users of an account as they are before a change, and also, as the change
// writes them, those that it writes. A user that is changed is there twice.
func (c *change) usersEither(account string) []*metapb.User {
	var out []*metapb.User
	for _, e := range c.under(metapb.EntryKind_ENTRY_USER, account) {
		if u := c.users.get(e.Name); u != nil {
			out = append(out, u)
		}
	}
	for at, e := range c.put {
		if at.kind != metapb.EntryKind_ENTRY_USER {
			continue
		}
		if u := decode[metapb.User](e); u.GetAccount() == account {
			out = append(out, u)
		}
	}
	return out
}

// holdTaken refuses to let somebody act as a subject if buckets of the account or roles let the
// subject, by its name, do what the caller may not do. It follows the roles that the subject can
// assume, and those that these can. Errors: Denied, and those of reading the buckets' policies.
func (a *Admin) holdTaken(ctx context.Context, v view, s subject, mine *policy.Rights) error {
	buckets, err := a.bucketPolicies(ctx, s.account)
	if err != nil {
		return err
	}
	if s.Kind == holderNamed {
		return denied("%v denies something to those for whom an identity provider names it, and what else they "+
			"have is not known", s)
	}
	seen, todo := map[subject]bool{s: true}, []subject{s}
	for len(todo) > 0 {
		s, todo = todo[0], todo[1:]
		own, theirs := mine.Clone(), v.rights(s)
		for _, p := range buckets {
			theirs.AddShared(p, own, false)
		}
		if !own.Covers(theirs) {
			return denied("whoever acts as %v may do what you may not: a bucket's policy or the trust of a role has it so", s)
		}
		for _, next := range v.becomes(s, mine) {
			if next.account != s.account {
				return denied("whoever acts as %v may assume the role %s of account %s, and you may not", s, next.Name, next.account)
			}
			if !seen[next] {
				seen[next] = true
				todo = append(todo, next)
			}
		}
	}
	return nil
}

// bucketPolicies returns the policies of an account's buckets.
func (a *Admin) bucketPolicies(ctx context.Context, account string) ([]*policy.Policy, error) {
	if a.c.BucketPolicies == nil {
		return nil, errs.Newf("iam.delegate", errs.Internal, "nobody tells the policies of buckets")
	}
	return a.c.BucketPolicies(ctx, account)
}

// becomes returns the roles that the subject can assume by their trust and the caller, whose rights
// are mine, cannot.
func (v view) becomes(s subject, mine *policy.Rights) []subject {
	var out []subject
	denials := v.rights(s).Denials()
	for name := range v.roles.all() {
		account, role, _ := cutPath(name)
		next := subject{account, Holder{HolderRole, role}}
		if next == s {
			continue
		}
		trust := v.roles.get(name).trust
		if trust == nil {
			continue
		}
		// Policies alone let nobody assume a role, so of them only denials count beside its trust.
		theirs, own := denials.Clone(), mine.Denials()
		theirs.AddShared(trust, own, true)
		if !own.Covers(theirs) {
			out = append(out, next)
		}
	}
	return out
}

// cutPath is the reverse of path.
func cutPath(at string) (account, name string, ok bool) { return strings.Cut(at, "/") }
