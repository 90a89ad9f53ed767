package iam

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/policy"
)

// allowing is a policy of one statement.
func allowing(effect, action, resource string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":%q,"Action":%q,"Resource":%q}]}`, effect, action, resource)
}

// delegation is an account with a user whose policies allow only actions of the admin API.
type delegation struct {
	*world
	clerk *Identity
	as    *Admin
}

func newDelegation(t *testing.T, documents ...string) *delegation {
	w := newWorld(t)
	w.account("acme")
	w.policy("acme", "clerks", allowing("Allow", "admin:*", "*"))
	names := []string{"clerks"}
	for i, d := range documents {
		names = append(names, fmt.Sprintf("p%d", i))
		w.policy("acme", names[i+1], d)
	}
	_, k := w.user("acme", "clerk", names...)
	d := &delegation{world: w, clerk: w.identity(k.ID, "")}
	d.as = w.admin.For(d.clerk)
	return d
}

// refusedTo checks that a change is Denied.
func refusedTo(t *testing.T, err error, what string) {
	t.Helper()
	require.Error(t, err, what)
	requireKind(t, errs.Denied, err)
}

// Whoever had the action could once make, disable and remove the keys of an account's root.
func TestRootIsReachedByRootAlone(t *testing.T) {
	d, ctx := newDelegation(t, allowing("Allow", "*", "*")), t.Context()
	_, err := d.as.AddKey(ctx, KeySpec{Account: "acme"})
	refusedTo(t, err, "a key of the root")
	keys, err := d.admin.Keys(ctx, "acme", "")
	require.NoError(t, err)
	require.Len(t, keys, 1)
	refusedTo(t, d.as.SetKeyDisabled(ctx, keys[0].ID, true), "disabled")
	refusedTo(t, d.as.RemoveKey(ctx, keys[0].ID), "removed")
	refusedTo(t, d.as.SetAccountDisabled(ctx, "acme", true), "the account disabled")
	_, err = d.admin.For(&Identity{Account: d.clerk.Account, Root: true}).AddKey(ctx, KeySpec{Account: "acme"})
	require.NoError(t, err, "by the root itself")
}

// A user who may change accounts may not change those that administer the cluster.
func TestAccountsThatAdminister(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	_, _, err := w.admin.AddAccount(ctx, AccountSpec{Name: "ops", Admin: true})
	require.NoError(t, err)
	w.account("acme")
	_, k := w.user("ops", "keeper", "admin")
	keeper := w.admin.For(w.identity(k.ID, ""))
	_, _, err = keeper.AddAccount(ctx, AccountSpec{Name: "more", Admin: true})
	refusedTo(t, err, "made")
	refusedTo(t, keeper.SetAccountDisabled(ctx, "ops", true), "disabled")
	require.Error(t, keeper.SetAccountDisabled(ctx, RootAccountName, true), "the cluster's own")
	refusedTo(t, keeper.RemoveAccount(ctx, "ops", true), "removed")
	_, _, err = keeper.AddAccount(ctx, AccountSpec{Name: "tenant"})
	require.NoError(t, err)
	require.NoError(t, keeper.SetAccountDisabled(ctx, "acme", true))
	require.NoError(t, keeper.RemoveAccount(ctx, "acme", true))
}

// This tries every way by which rights move, as a user who may call every method and may do little
// else.
func TestNobodyGainsByAdministering(t *testing.T) {
	d, ctx := newDelegation(t, builtinDocuments["readonly"]), t.Context()
	w := d.world
	w.policy("acme", "deny", denyAll)
	w.user("acme", "boss", "admin")
	w.user("acme", "reader", "readonly")
	w.user("acme", "blocked", "readwrite", "deny")
	w.policy("acme", "mine", allowing("Allow", "s3:Get*", "*"))
	w.role("acme", "power", trustOf(d.clerk.Account), 0, "admin")
	w.role("acme", "lookout", trustOf(d.clerk.Account), 0, "readonly")
	for _, g := range []string{"bosses", "readers", "empty"} {
		_, err := w.admin.AddGroup(ctx, "acme", g)
		require.NoError(t, err)
	}
	require.NoError(t, w.admin.AttachPolicy(ctx, "acme", Holder{HolderGroup, "bosses"}, "admin"))
	require.NoError(t, w.admin.AddToGroup(ctx, "acme", "boss", "readers"))
	keys, err := w.admin.Keys(ctx, "acme", "boss")
	require.NoError(t, err)
	bossKey := keys[0].ID
	_, err = w.admin.AddUser(ctx, "acme", "fresh")
	require.NoError(t, err)

	trust := trustOf(d.clerk.Account)
	for what, change := range map[string]func() error{
		"a key of the boss":             func() error { _, err := d.as.AddKey(ctx, KeySpec{Account: "acme", User: "boss"}); return err },
		"the boss's key disabled":       func() error { return d.as.SetKeyDisabled(ctx, bossKey, true) },
		"the boss's key removed":        func() error { return d.as.RemoveKey(ctx, bossKey) },
		"the boss disabled":             func() error { return d.as.SetUserDisabled(ctx, "acme", "boss", true) },
		"the boss removed":              func() error { return d.as.RemoveUser(ctx, "acme", "boss", true) },
		"the boss detached":             func() error { return d.as.DetachPolicy(ctx, "acme", Holder{HolderUser, "boss"}, "admin") },
		"the boss denied":               func() error { return d.as.AttachPolicy(ctx, "acme", Holder{HolderUser, "boss"}, "deny") },
		"the boss out of a group":       func() error { return d.as.RemoveFromGroup(ctx, "acme", "boss", "readers") },
		"a group of the boss removed":   func() error { return d.as.RemoveGroup(ctx, "acme", "readers", true) },
		"a group of the boss changed":   func() error { return d.as.AttachPolicy(ctx, "acme", Holder{HolderGroup, "readers"}, "deny") },
		"more for itself":               func() error { return d.as.AttachPolicy(ctx, "acme", Holder{HolderUser, "clerk"}, "admin") },
		"more for another":              func() error { return d.as.AttachPolicy(ctx, "acme", Holder{HolderUser, "fresh"}, "readwrite") },
		"more for a group":              func() error { return d.as.AttachPolicy(ctx, "acme", Holder{HolderGroup, "empty"}, "readwrite") },
		"more for a role":               func() error { return d.as.AttachPolicy(ctx, "acme", Holder{HolderRole, "lookout"}, "readwrite") },
		"into a group with more":        func() error { return d.as.AddToGroup(ctx, "acme", "clerk", "bosses") },
		"its own policy made wider":     func() error { return d.as.SetPolicy(ctx, "acme", "p0", allowing("Allow", "*", "*")) },
		"what keeps somebody in bounds": func() error { return d.as.DetachPolicy(ctx, "acme", Holder{HolderUser, "blocked"}, "deny") },
		"that policy removed":           func() error { return d.as.RemovePolicy(ctx, "acme", "deny", true) },
		"that policy replaced":          func() error { return d.as.SetPolicy(ctx, "acme", "deny", allowing("Deny", "s3:PutObject", "*")) },
		"a role with more taken over":   func() error { return d.as.SetRole(ctx, RoleSpec{Account: "acme", Name: "power", Trust: trustOf("*")}) },
		"that role removed":             func() error { return d.as.RemoveRole(ctx, "acme", "power") },
		"another account": func() error {
			w.account("other")
			_, err := d.as.AddUser(ctx, "other", "u")
			return err
		},
	} {
		refusedTo(t, change(), what)
	}
	// It may give and take what it may do itself.
	for what, change := range map[string]func() error{
		"a key of a reader": func() error { _, err := d.as.AddKey(ctx, KeySpec{Account: "acme", User: "reader"}); return err },
		"a key of its own":  func() error { _, err := d.as.AddKey(ctx, KeySpec{Account: "acme", User: "clerk"}); return err },
		"reading":           func() error { return d.as.AttachPolicy(ctx, "acme", Holder{HolderUser, "fresh"}, "mine") },
		"a reader disabled": func() error { return d.as.SetUserDisabled(ctx, "acme", "reader", true) },
		"a user":            func() error { _, err := d.as.AddUser(ctx, "acme", "new"); return err },
		"a policy":          func() error { return d.as.AddPolicy(ctx, "acme", "wide", allowing("Allow", "*", "*")) },
		"a role": func() error {
			_, err := d.as.AddRole(ctx, RoleSpec{Account: "acme", Name: "r", Trust: trust})
			return err
		},
		"a role that may read":  func() error { return d.as.SetRole(ctx, RoleSpec{Account: "acme", Name: "lookout", Trust: trust}) },
		"a group that may read": func() error { return d.as.AttachPolicy(ctx, "acme", Holder{HolderGroup, "empty"}, "readonly") },
	} {
		require.NoError(t, change(), what)
	}
}

// Whoever acts under a name has what buckets and roles give to that name.
func TestNamesThatOthersTrust(t *testing.T) {
	d, ctx := newDelegation(t, builtinDocuments["readonly"]), t.Context()
	w, acme := d.world, d.clerk.Account
	for _, name := range []string{"plain", "named", "trusted", "excepted"} {
		w.user("acme", name, "readonly")
	}
	user := func(name string) string { return "arn:aws:iam::" + acme + ":user/" + name }
	add := func(name string) error {
		_, err := d.as.AddKey(ctx, KeySpec{Account: "acme", User: name})
		return err
	}
	w.policies = []*policy.Policy{mustParse(t, strings.NewReplacer("NAMED", user("named"), "EXCEPTED", user("excepted")).Replace(
		`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/inbox/*"},
		{"Effect":"Allow","Principal":{"AWS":"NAMED"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"},
		{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/secret/*",
		"Condition":{"StringNotEquals":{"aws:PrincipalArn":"EXCEPTED"}}}]}`))}
	w.role("acme", "writers", trustOf(user("trusted")), 0, "readwrite")
	w.role("acme", "readers", trustOf(user("plain")), 0, "readonly")
	require.NoError(t, add("plain"), "what everybody may, and a role that may no more")
	refusedTo(t, add("named"), "named by a bucket")
	refusedTo(t, add("excepted"), "excepted by a bucket")
	refusedTo(t, add("trusted"), "trusted by a role with more")
	// One role leads to the next.
	w.role("acme", "middle", trustOf(user("plain")), 0)
	w.role("acme", "far", trustOf("arn:aws:iam::"+acme+":role/middle"), 0, "readwrite")
	refusedTo(t, add("plain"), "a role that another role trusts")
	require.NoError(t, w.admin.RemoveRole(ctx, "acme", "far"))
	require.NoError(t, add("plain"))
	w.account("other")
	w.role("other", "guest", trustOf(user("plain")), 0)
	refusedTo(t, add("plain"), "a role of another account")
	// A bucket gives something to a role that does not exist yet.
	w.policies = []*policy.Policy{mustParse(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::`+
		acme+`:role/gone"},"Action":"s3:*","Resource":"arn:aws:s3:::b/*"}]}`)}
	_, err := d.as.AddRole(ctx, RoleSpec{Account: "acme", Name: "gone", Trust: trustOf(acme)})
	refusedTo(t, err, "a role that was removed, and buckets still name")
}

// Here only a denial keeps a user, whose key the clerk may have, from what a bucket gives to
// everybody but the clerk, or to the clerk itself.
func TestLiftedDenials(t *testing.T) {
	d, ctx := newDelegation(t, allowing("Deny", "s3:PutObject", "*")), t.Context()
	w := d.world
	w.policy("acme", "quiet", allowing("Deny", "s3:*", "*"))
	for group, member := range map[string]string{"direct": "", "some": "held", "own": "clerk"} {
		_, err := w.admin.AddGroup(ctx, "acme", group)
		require.NoError(t, err)
		require.NoError(t, w.admin.AttachPolicy(ctx, "acme", Holder{HolderGroup, group}, "quiet"))
		if member == "held" {
			w.user("acme", member)
		}
		if member != "" {
			require.NoError(t, w.admin.AddToGroup(ctx, "acme", member, group))
		}
	}
	w.user("acme", "attached", "quiet")
	changes := map[string]func() error{
		"taken out of the group": func() error { return d.as.RemoveFromGroup(ctx, "acme", "held", "some") },
		"the group is removed":   func() error { return d.as.RemoveGroup(ctx, "acme", "some", true) },
		"the group loses the policy": func() error {
			return d.as.DetachPolicy(ctx, "acme", Holder{HolderGroup, "some"}, "quiet")
		},
		"a user loses the policy": func() error {
			return d.as.DetachPolicy(ctx, "acme", Holder{HolderUser, "attached"}, "quiet")
		},
		"the policy is removed": func() error { return d.as.RemovePolicy(ctx, "acme", "quiet", true) },
		"the policy denies less": func() error {
			return d.as.SetPolicy(ctx, "acme", "quiet", allowing("Deny", "s3:Get*", "*"))
		},
		"the clerk leaves its own group": func() error { return d.as.RemoveFromGroup(ctx, "acme", "clerk", "own") },
	}
	w.policies = []*policy.Policy{mustParse(t, document(sentence("Allow", `"*"`, "s3:*"),
		sentence("Allow", byAWS("arn:aws:iam::"+d.clerk.Account+":user/clerk"), "s3:GetObject")))}
	for what, change := range changes {
		refusedTo(t, change(), what)
	}
	require.NoError(t, d.as.RemoveGroup(ctx, "acme", "direct", true), "nobody is in it")
	_, k := w.user("acme", "keyless", "quiet")
	require.NoError(t, w.admin.RemoveKey(ctx, k.ID))
	require.NoError(t, d.as.RemoveUser(ctx, "acme", "keyless", true), "nobody can act as it any more")
	w.policies = nil
	require.NoError(t, changes["taken out of the group"](), "nothing is given by any bucket")
}

// spoil has a record of an account hold what no version can read.
func (w *world) spoil(kind metapb.EntryKind, account, name string) {
	w.t.Helper()
	w.spoilEntry(kind, path(w.dir.current.Load().findAccount(account).Id, name))
}

func (w *world) spoilEntry(kind metapb.EntryKind, at string) {
	w.t.Helper()
	e := &metapb.Entry{Kind: kind, Name: at, Value: []byte("\xff")}
	require.NoError(w.t, w.dir.Write(w.t.Context(), nil, []*metapb.Entry{e}, nil))
}

// TestLiftedDenialsOfUnreadableRecords has a record that cannot be read, or a user that is disabled,
// keep somebody whose key the clerk may have from what a bucket gives to all but the clerk. Whoever
// takes that away lifts a denial of everything.
func TestLiftedDenialsOfUnreadableRecords(t *testing.T) {
	d, ctx := newDelegation(t, allowing("Deny", "s3:PutObject", "*")), t.Context()
	w := d.world
	for group, member := range map[string]string{"some": "held", "own": "clerk", "empty": ""} {
		_, err := w.admin.AddGroup(ctx, "acme", group)
		require.NoError(t, err)
		if member == "held" {
			w.user("acme", member)
		}
		if member != "" {
			require.NoError(t, w.admin.AddToGroup(ctx, "acme", member, group))
		}
	}
	w.policy("acme", "quiet", allowing("Deny", "s3:*", "*"))
	w.user("acme", "attached", "quiet")
	w.user("acme", "lost")
	_, err := w.admin.AddUser(ctx, "acme", "disabled")
	require.NoError(t, err)
	require.NoError(t, w.admin.SetUserDisabled(ctx, "acme", "disabled", true))
	w.role("acme", "away", trustOf("*"), 0)
	w.spoil(metapb.EntryKind_ENTRY_GROUP, "acme", "some")
	w.spoil(metapb.EntryKind_ENTRY_GROUP, "acme", "empty")
	w.spoil(metapb.EntryKind_ENTRY_POLICY, "acme", "quiet")
	w.spoil(metapb.EntryKind_ENTRY_USER, "acme", "lost")
	w.spoil(metapb.EntryKind_ENTRY_ROLE, "acme", "away")
	attached, less := Holder{HolderUser, "attached"}, allowing("Deny", "s3:Get*", "*")
	changes := map[string]func() error{
		"taken out of the group":       func() error { return d.as.RemoveFromGroup(ctx, "acme", "held", "some") },
		"the group is made anew":       func() error { _, err := d.as.AddGroup(ctx, "acme", "some"); return err },
		"a user loses the policy":      func() error { return d.as.DetachPolicy(ctx, "acme", attached, "quiet") },
		"the policy is made anew":      func() error { return d.as.AddPolicy(ctx, "acme", "quiet", less) },
		"the user is made anew":        func() error { _, err := d.as.AddUser(ctx, "acme", "lost"); return err },
		"the disabled user is enabled": func() error { return d.as.SetUserDisabled(ctx, "acme", "disabled", false) },
		"the role is made anew": func() error {
			_, err := d.as.AddRole(ctx, RoleSpec{Account: "acme", Name: "away", Trust: trustOf("*")})
			return err
		},
	}
	w.policies = []*policy.Policy{mustParse(t, document(sentence("Allow", `"*"`, "s3:*")))}
	for what, change := range changes {
		refusedTo(t, change(), what)
	}
	_, err = d.as.AddGroup(ctx, "acme", "empty")
	require.NoError(t, err, "nobody is in it")
	w.policies = nil
	for what, change := range changes {
		require.NoError(t, change(), "%s, where no bucket gives anything", what)
	}
}

// A clerk who is in a group that cannot be read may do nothing, so it gives nothing either.
func TestUnreadableGroupOfTheCaller(t *testing.T) {
	d, ctx := newDelegation(t, allowing("Allow", "s3:*", "*")), t.Context()
	_, err := d.admin.AddGroup(ctx, "acme", "own")
	require.NoError(t, err)
	require.NoError(t, d.admin.AddToGroup(ctx, "acme", "clerk", "own"))
	d.user("acme", "plain")
	give := func() error { return d.as.AttachPolicy(ctx, "acme", Holder{HolderUser, "plain"}, "p0") }
	d.spoil(metapb.EntryKind_ENTRY_GROUP, "acme", "own")
	refusedTo(t, give(), "given")
	refusedTo(t, d.as.RemoveFromGroup(ctx, "acme", "clerk", "own"), "the clerk leaves the group")
	require.NoError(t, d.admin.RemoveFromGroup(ctx, "acme", "clerk", "own"))
	require.NoError(t, give())
}

// The id of an account whose record cannot be read is still taken: the account may administer the
// cluster, and its users and buckets would be the new one's.
func TestUnreadableAccountIsNotReplaced(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	_, _, err := w.admin.AddAccount(ctx, AccountSpec{Name: "ops", Admin: true})
	require.NoError(t, err)
	acme, _ := w.account("acme")
	_, k := w.user("ops", "keeper", "admin")
	w.spoilEntry(metapb.EntryKind_ENTRY_ACCOUNT, acme.Id)
	_, _, err = w.admin.For(w.identity(k.ID, "")).AddAccount(ctx, AccountSpec{Name: "other", ID: acme.Id})
	refusedTo(t, err, "made in its place")
	_, _, err = w.admin.AddAccount(ctx, AccountSpec{Name: "other", ID: acme.Id})
	require.NoError(t, err, "by the cluster's root")
}

func mustParse(t testing.TB, document string) *policy.Policy {
	p, err := policy.Parse([]byte(document), policy.Resource)
	require.NoError(t, err)
	return p
}

// TestDelegateProperty has a clerk, whose policies are drawn, make random changes of a random
// account. Afterwards nobody whom the clerk controls may do what it could not do before, and nobody
// who could do more than the clerk has lost anything.
func TestDelegateProperty(t *testing.T) {
	changed := 0
	rapid.Check(t, func(rt *rapid.T) {
		p := newPlay(t, rt)
		before, attached := p.allowed(p.clerk), p.attached(p.clerk)
		others := map[string][]string{}
		for _, u := range p.users {
			others[u] = p.allowedUser(u)
		}
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			name, change := p.step()
			switch err := change(); errs.KindOf(err) {
			case errs.Internal, errs.Unavailable, errs.Corrupt, errs.Unknown:
				if err != nil {
					rt.Fatalf("%s: %v", name, err)
				}
				changed++
				for who := range maps.Clone(p.controlled) {
					p.control(who)
				}
				p.history = append(p.history, name)
			}
			for who := range p.controlled {
				for _, what := range p.allowed(who) {
					if !slices.Contains(before, what) {
						rt.Fatalf("after %v, %v may %s", p.history, who, what)
					}
				}
			}
			for u, had := range others {
				if !more(had, attached) {
					continue
				}
				if now := p.allowedUser(u); !slices.Equal(now, had) {
					rt.Fatalf("after %v, %s may %v and could %v", p.history, u, now, had)
				}
			}
		}
	})
	require.Positive(t, changed, "nothing was changed")
}

// more reports whether a has what b has not.
func more(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(b, s) })
}

// play is one run of TestDelegateProperty.
type play struct {
	*world
	rt         *rapid.T
	z          *Authorizer
	clerk      *Identity
	as         *Admin
	users      []string
	controlled map[*Identity]bool // The clerk, and everybody whose keys or sessions it has.
	history    []string
}

var playDocuments = []string{
	allowing("Allow", "s3:*", "*"),
	allowing("Allow", "s3:Get*", "arn:aws:s3:::b/*"),
	allowing("Allow", "s3:GetObject", "arn:aws:s3:::b/${aws:username}/*"),
	allowing("Allow", "admin:*", "*"),
	allowing("Allow", "sts:AssumeRole", "*"),
	allowing("Deny", "s3:GetObject", "arn:aws:s3:::b/s*"),
	allowing("Deny", "s3:*", "*"),
	`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":"admin:*","Resource":"*"}]}`,
	`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"*","Condition":{"StringEquals":{"aws:username":["u0","clerk"]}}}]}`,
	`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:PutObject","Resource":"*","Condition":{"StringNotEquals":{"aws:username":"u1"}}}]}`,
}

func newPlay(t *testing.T, rt *rapid.T) *play {
	w := newWorld(t)
	w.account("acme")
	p := &play{world: w, rt: rt, z: NewAuthorizer(w.dir), users: []string{"u0", "u1", "u2"}, controlled: map[*Identity]bool{}}
	ctx := context.Background()
	for i, d := range playDocuments {
		w.policy("acme", fmt.Sprintf("p%d", i), d)
	}
	for _, g := range []string{"g0", "g1"} {
		_, err := w.admin.AddGroup(ctx, "acme", g)
		require.NoError(t, err)
		p.attach(Holder{HolderGroup, g}, 1)
	}
	for _, u := range append([]string{"clerk"}, p.users...) {
		_, k := w.user("acme", u)
		p.attach(Holder{HolderUser, u}, 3)
		if g := rapid.SampledFrom([]string{"", "", "g0", "g1"}).Draw(rt, "group"); g != "" {
			require.NoError(t, w.admin.AddToGroup(ctx, "acme", u, g))
		}
		if u == "clerk" {
			p.clerk = w.identity(k.ID, "")
		}
	}
	for _, r := range []string{"r0", "r1"} {
		w.role("acme", r, p.trust(), 0)
		p.attach(Holder{HolderRole, r}, 2)
	}
	var sentences []string
	for range rapid.IntRange(0, 2).Draw(rt, "sentences") {
		sentences = append(sentences, sentence(rapid.SampledFrom([]string{"Allow", "Deny"}).Draw(rt, "effect"), byAWS(p.arn()),
			rapid.SampledFrom([]string{"s3:GetObject", "s3:*"}).Draw(rt, "action")))
	}
	if len(sentences) > 0 {
		w.policies = []*policy.Policy{mustParse(t, document(sentences...))}
	}
	p.as = w.admin.For(p.clerk)
	p.control(p.clerk)
	return p
}

func (p *play) policyName() string {
	return fmt.Sprintf("p%d", rapid.IntRange(0, len(playDocuments)-1).Draw(p.rt, "policy"))
}

func (p *play) attach(h Holder, most int) {
	for range rapid.IntRange(0, most).Draw(p.rt, "attached") {
		require.NoError(p.t, p.admin.AttachPolicy(context.Background(), "acme", h, p.policyName()))
	}
}

// arn draws somebody for a bucket or a role to name.
func (p *play) arn() string {
	account := p.dir.current.Load().findAccount("acme").Id
	return rapid.SampledFrom([]string{"*", account, "arn:aws:iam::" + account + ":user/u0", "arn:aws:iam::" + account + ":user/u1",
		"arn:aws:iam::" + account + ":user/clerk", "arn:aws:iam::" + account + ":role/r0"}).Draw(p.rt, "arn")
}

func (p *play) trust() string { return trustOf(p.arn()) }

// control adds everybody whom the clerk controls, and the roles that it can assume through them.
func (p *play) control(who *Identity) {
	p.controlled[who] = true
	for _, r := range []string{"r0", "r1"} {
		if who.Role == r {
			continue
		}
		if _, err := p.sts.AssumeRole(context.Background(), who, AssumeRole{Role: r, SessionName: "play"}); err == nil {
			id := &Identity{Account: who.Account, AccountName: who.AccountName, Role: r, SessionName: "play", AccessKey: p.clerk.AccessKey}
			known := false
			for have := range p.controlled {
				known = known || have.Role == r
			}
			if !known {
				p.control(id)
			}
		}
	}
}

// step draws one change by the clerk.
func (p *play) step() (string, func() error) {
	ctx, rt := context.Background(), p.rt
	pick := func(what string, from ...string) string { return rapid.SampledFrom(from).Draw(rt, what) }
	user, group, role, name := pick("user", "clerk", "u0", "u1", "u2"), pick("group", "g0", "g1"), pick("role", "r0", "r1"), p.policyName()
	holder := map[string]Holder{"user": {HolderUser, user}, "group": {HolderGroup, group}, "role": {HolderRole, role}}[pick("kind", "user", "group", "role")]
	document := rapid.SampledFrom(playDocuments).Draw(rt, "document")
	trust := p.trust()
	act := pick("act", "key", "key", "key", "attach", "attach", "detach", "detach", "join", "leave", "set", "role", "forget", "disband", "disable", "enable",
		"drop", "unrole")
	return fmt.Sprintf("%s %s %s %v %s %s %s", act, user, group, holder, name, document, trust), func() (err error) {
		switch act {
		case "key":
			var k *NewKey
			if k, err = p.as.AddKey(ctx, KeySpec{Account: "acme", User: user}); err == nil && user != "clerk" {
				if id, lookup := p.lookup(k.ID, ""); lookup == nil {
					p.control(id)
				}
			}
		case "attach":
			err = p.as.AttachPolicy(ctx, "acme", holder, name)
		case "detach":
			err = p.as.DetachPolicy(ctx, "acme", holder, name)
		case "join":
			err = p.as.AddToGroup(ctx, "acme", user, group)
		case "leave":
			err = p.as.RemoveFromGroup(ctx, "acme", user, group)
		case "set":
			err = p.as.SetPolicy(ctx, "acme", name, document)
		case "role":
			err = p.as.SetRole(ctx, RoleSpec{Account: "acme", Name: role, Trust: trust})
		case "forget":
			err = p.as.RemovePolicy(ctx, "acme", name, true)
		case "disband":
			err = p.as.RemoveGroup(ctx, "acme", group, true)
		case "disable", "enable":
			err = p.as.SetUserDisabled(ctx, "acme", user, act == "disable")
		case "drop":
			err = p.as.RemoveUser(ctx, "acme", user, true)
		case "unrole":
			err = p.as.RemoveRole(ctx, "acme", role)
		}
		return err
	}
}

// allowed returns which of some dozens of things an identity may do, by its policies and by those
// of the account's bucket, and which the roles may do that it can assume.
func (p *play) allowed(id *Identity) []string {
	out := p.samples(id, true)
	if id != p.clerk {
		return out
	}
	for who := range p.controlled {
		if who.Role == "" {
			continue
		}
		for _, what := range p.allowed(who) {
			if !slices.Contains(out, what) {
				out = append(out, what)
			}
		}
	}
	return out
}

// attached returns which of these things the policies of an identity alone allow.
func (p *play) attached(id *Identity) []string { return p.samples(id, false) }

func (p *play) samples(id *Identity, buckets bool) (out []string) {
	s := p.dir.current.Load()
	if u := s.users.get(path(id.Account, id.User)); s.roles.get(path(id.Account, id.Role)) == nil && (u == nil || u.Id != id.UserID) {
		return nil // It is gone.
	}
	for _, what := range []string{"s3:GetObject b/x", "s3:GetObject b/s1", "s3:GetObject b/u0/k", "s3:GetObject b/u1/k", "s3:GetObject b/clerk/k",
		"s3:PutObject b/x", "s3:PutObject c/x", "s3:GetObject c/x", "s3:GetObjectAcl b/x", "kms:Decrypt b/x", "admin:AddUser b/x"} {
		action, at, _ := strings.Cut(what, " ")
		name, key, _ := strings.Cut(at, "/")
		r := &policy.Request{Action: action, Resource: policy.ObjectARN(name, key), Principal: id.Principal()}
		e := effects{identity: p.z.ownEffect(id, r, nil), session: policy.Allow}
		if buckets && name == "b" && strings.HasPrefix(action, "s3:") {
			for _, doc := range p.policies {
				e.resource = max(e.resource, policy.Evaluate(doc, r))
			}
		}
		if e.allow(id, id.Account, false) {
			out = append(out, what)
		}
	}
	return out
}

// allowedUser is attached for a user. It returns nothing for one that is disabled or gone.
func (p *play) allowedUser(name string) []string {
	s := p.dir.current.Load()
	u := s.users.get(path(s.findAccount("acme").Id, name))
	if u == nil || u.Disabled {
		return nil
	}
	return p.attached(&Identity{Account: u.Account, User: u.Name, UserID: u.Id})
}
