package iam

import (
	"maps"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/policy"
)

// snapshot is the directory as of one revision. Nothing in it changes: a later snapshot is made
// from it with what has changed.
type snapshot struct {
	revision uint64 // Config revision that it was read at or after.
	entries  map[metapb.EntryKind]table[*metapb.Entry]

	accounts table[*metapb.Account] // By id.
	named    table[string]          // Ids of accounts, by name and id joined.
	users    table[*metapb.User]    // By path: account/name.
	groups   table[*metapb.UserGroup]
	roles    table[*role]
	policies table[*storedPolicy]
	keys     table[*metapb.AccessKey]
	held     table[string] // Ids of access keys, by account, user and id joined.
	settings table[string]

	providers table[*provider] // By name.
}

type role struct {
	*metapb.Role
	trust *policy.Policy // Nil if it cannot be read: nobody may assume the role then.
}

type storedPolicy struct {
	*metapb.Policy
	compiled *policy.Policy // Nil if it cannot be read: the policy denies everything then (see policyEffect).
}

// path is the name of an entry that lies in an account.
func path(account, name string) string { return account + "/" + name }

// joined makes one name of several. None of them may hold a zero byte.
func joined(names ...string) string { return strings.Join(names, "\x00") }

// newSnapshot returns the snapshot that has these entries and no others.
func newSnapshot(revision uint64, entries []*metapb.Entry) *snapshot {
	empty := &snapshot{
		accounts: newTable[*metapb.Account](), named: newTable[string](), users: newTable[*metapb.User](),
		groups: newTable[*metapb.UserGroup](), roles: newTable[*role](), policies: newTable[*storedPolicy](),
		keys: newTable[*metapb.AccessKey](), held: newTable[string](), settings: newTable[string](),
		providers: newTable[*provider](),
	}
	return empty.changed(revision, entries, nil)
}

// changed returns a snapshot in which entries are put and removed. An entry that cannot be read,
// perhaps because a later version wrote it, has no record, as if it did not exist. But a policy or
// group that cannot be read denies everything to those who have it (see Authorizer). There must be
// no other call at the same time.
func (s *snapshot) changed(revision uint64, put []*metapb.Entry, removed []*metapb.EntryName) *snapshot {
	next := &snapshot{
		revision: revision, entries: maps.Clone(s.entries),
		accounts: s.accounts.copied(), named: s.named.copied(), users: s.users.copied(), groups: s.groups.copied(),
		roles: s.roles.copied(), policies: s.policies.copied(), keys: s.keys.copied(), held: s.held.copied(), settings: s.settings.copied(),
		providers: s.providers.copied(),
	}
	if next.entries == nil {
		next.entries = map[metapb.EntryKind]table[*metapb.Entry]{}
	}
	copied := map[metapb.EntryKind]bool{}
	of := func(kind metapb.EntryKind) table[*metapb.Entry] {
		switch t, ok := next.entries[kind]; {
		case !ok:
			next.entries[kind] = newTable[*metapb.Entry]()
		case !copied[kind]:
			next.entries[kind] = t.copied()
		}
		copied[kind] = true
		return next.entries[kind]
	}
	for _, n := range removed {
		next.drop(n.Kind, n.Name)
		of(n.Kind).delete(n.Name)
	}
	for _, e := range put {
		next.drop(e.Kind, e.Name)
		of(e.Kind).set(e.Name, e)
		next.add(e)
	}
	return next
}

// entry returns an entry; nil if there is none.
func (s *snapshot) entry(kind metapb.EntryKind, name string) *metapb.Entry {
	return s.entries[kind].get(name)
}

// drop removes the record of an entry.
func (s *snapshot) drop(kind metapb.EntryKind, name string) {
	switch kind {
	case metapb.EntryKind_ENTRY_SETTING:
		s.settings.delete(name)
	case metapb.EntryKind_ENTRY_ACCOUNT:
		if old := s.accounts.get(name); old != nil {
			s.named.delete(joined(old.Name, name))
		}
		s.accounts.delete(name)
	case metapb.EntryKind_ENTRY_USER:
		s.users.delete(name)
	case metapb.EntryKind_ENTRY_GROUP:
		s.groups.delete(name)
	case metapb.EntryKind_ENTRY_ROLE:
		s.roles.delete(name)
	case metapb.EntryKind_ENTRY_POLICY:
		s.policies.delete(name)
	case metapb.EntryKind_ENTRY_ACCESS_KEY:
		if old := s.keys.get(name); old != nil {
			s.held.delete(joined(old.Account, old.User, name))
		}
		s.keys.delete(name)
	case metapb.EntryKind_ENTRY_IDENTITY_PROVIDER:
		s.providers.delete(name)
	}
}

// add adds the record of an entry. There must be no earlier one.
func (s *snapshot) add(e *metapb.Entry) {
	switch e.Kind {
	case metapb.EntryKind_ENTRY_SETTING:
		if v := decode[metapb.Setting](e); v != nil {
			s.settings.set(e.Name, v.Value)
		}
	case metapb.EntryKind_ENTRY_ACCOUNT:
		if v := decode[metapb.Account](e); v != nil {
			s.accounts.set(e.Name, v)
			s.named.set(joined(v.Name, e.Name), e.Name)
		}
	case metapb.EntryKind_ENTRY_USER:
		if v := decode[metapb.User](e); v != nil {
			s.users.set(e.Name, v)
		}
	case metapb.EntryKind_ENTRY_GROUP:
		if v := decode[metapb.UserGroup](e); v != nil {
			s.groups.set(e.Name, v)
		}
	case metapb.EntryKind_ENTRY_ROLE:
		if v := decode[metapb.Role](e); v != nil {
			trust, _ := policy.Parse([]byte(v.Trust), policy.Trust)
			s.roles.set(e.Name, &role{v, trust})
		}
	case metapb.EntryKind_ENTRY_POLICY:
		if v := decode[metapb.Policy](e); v != nil {
			compiled, _ := policy.Parse([]byte(v.Document), policy.Identity)
			s.policies.set(e.Name, &storedPolicy{v, compiled})
		}
	case metapb.EntryKind_ENTRY_ACCESS_KEY:
		if v := decode[metapb.AccessKey](e); v != nil {
			s.keys.set(e.Name, v)
			s.held.set(joined(v.Account, v.User, e.Name), e.Name)
		}
	case metapb.EntryKind_ENTRY_IDENTITY_PROVIDER:
		if v := decode[metapb.IdentityProvider](e); v != nil {
			s.providers.set(e.Name, &provider{v, e.Revision})
		}
	}
}

// message is a record whose pointer is a protobuf message.
type message[T any] interface {
	*T
	proto.Message
}

// decode returns the record of an entry; nil if there is no entry or it cannot be read.
func decode[T any, P message[T]](e *metapb.Entry) P {
	v := P(new(T))
	if e == nil || proto.Unmarshal(e.Value, v) != nil {
		return nil
	}
	return v
}

// under returns the entries of a kind that lie in an account, in the order of their names. If
// account is empty, it returns all entries of the kind.
func (s *snapshot) under(kind metapb.EntryKind, account string) []*metapb.Entry {
	prefix := ""
	if account != "" {
		prefix = path(account, "")
	}
	var out []*metapb.Entry
	for _, e := range s.entries[kind].under(prefix) {
		out = append(out, e)
	}
	return out
}

// accountNamed returns the account of a name; nil if there is none.
func (s *snapshot) accountNamed(name string) *metapb.Account {
	for _, id := range s.named.under(joined(name, "")) {
		return s.accounts.get(id)
	}
	return nil
}

// settingsByName returns the values of all settings of the cluster.
func (s *snapshot) settingsByName() map[string]string { return maps.Collect(s.settings.all()) }
