package iam

import (
	"cmp"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/policy"
)

// snapshot is the directory as of one revision. Nothing in it changes.
type snapshot struct {
	revision uint64 // Config revision that it was read at or after.
	entries  map[metapb.EntryKind]map[string]*metapb.Entry
	sorted   map[metapb.EntryKind][]*metapb.Entry // By name.

	accounts map[string]*metapb.Account // By id.
	byName   map[string]*metapb.Account
	users    map[string]*metapb.User // By path: account/name.
	userIDs  map[string]*metapb.User // By id.
	groups   map[string]*metapb.UserGroup
	roles    map[string]*role
	policies map[string]*storedPolicy
	keys     map[string]*metapb.AccessKey
	settings map[string]string
}

type role struct {
	*metapb.Role
	trust *policy.Policy // Nil where it cannot be read: nobody may assume the role.
}

type storedPolicy struct {
	*metapb.Policy
	compiled *policy.Policy // Nil where it cannot be read: see brokenPolicy.
}

// path names an entry inside an account.
func path(account, name string) string { return account + "/" + name }

// newSnapshot builds the snapshot of all entries. An entry that cannot be read, as
// one of a later version may be, is as if it were not there; a policy that cannot
// be read denies everything to whom it is attached (see Authorizer).
func newSnapshot(revision uint64, entries []*metapb.Entry) *snapshot {
	s := &snapshot{
		revision: revision,
		entries:  map[metapb.EntryKind]map[string]*metapb.Entry{},
		sorted:   map[metapb.EntryKind][]*metapb.Entry{},
		accounts: map[string]*metapb.Account{}, byName: map[string]*metapb.Account{},
		users: map[string]*metapb.User{}, userIDs: map[string]*metapb.User{}, groups: map[string]*metapb.UserGroup{},
		roles: map[string]*role{}, policies: map[string]*storedPolicy{},
		keys: map[string]*metapb.AccessKey{}, settings: map[string]string{},
	}
	for _, e := range entries {
		of := s.entries[e.Kind]
		if of == nil {
			of = map[string]*metapb.Entry{}
			s.entries[e.Kind] = of
		}
		of[e.Name] = e
		s.sorted[e.Kind] = append(s.sorted[e.Kind], e)
		s.add(e)
	}
	for _, list := range s.sorted {
		slices.SortFunc(list, func(a, b *metapb.Entry) int { return cmp.Compare(a.Name, b.Name) })
	}
	return s
}

func (s *snapshot) add(e *metapb.Entry) {
	switch e.Kind {
	case metapb.EntryKind_ENTRY_SETTING:
		if v := decode[metapb.Setting](e); v != nil {
			s.settings[e.Name] = v.Value
		}
	case metapb.EntryKind_ENTRY_ACCOUNT:
		if v := decode[metapb.Account](e); v != nil {
			s.accounts[e.Name], s.byName[v.Name] = v, v
		}
	case metapb.EntryKind_ENTRY_USER:
		if v := decode[metapb.User](e); v != nil {
			s.users[e.Name], s.userIDs[v.Id] = v, v
		}
	case metapb.EntryKind_ENTRY_GROUP:
		if v := decode[metapb.UserGroup](e); v != nil {
			s.groups[e.Name] = v
		}
	case metapb.EntryKind_ENTRY_ROLE:
		if v := decode[metapb.Role](e); v != nil {
			trust, _ := policy.Parse([]byte(v.Trust), policy.Trust)
			s.roles[e.Name] = &role{v, trust}
		}
	case metapb.EntryKind_ENTRY_POLICY:
		if v := decode[metapb.Policy](e); v != nil {
			compiled, _ := policy.Parse([]byte(v.Document), policy.Identity)
			s.policies[e.Name] = &storedPolicy{v, compiled}
		}
	case metapb.EntryKind_ENTRY_ACCESS_KEY:
		if v := decode[metapb.AccessKey](e); v != nil {
			s.keys[e.Name] = v
		}
	}
}

// message is a record whose pointer is a protobuf message.
type message[T any] interface {
	*T
	proto.Message
}

// decode reads the value of an entry; nil if it cannot be.
func decode[T any, P message[T]](e *metapb.Entry) P {
	v := P(new(T))
	if e == nil || proto.Unmarshal(e.Value, v) != nil {
		return nil
	}
	return v
}

// under returns the entries of a kind that lie in an account, or all of them where
// it is empty.
func (s *snapshot) under(kind metapb.EntryKind, account string) []*metapb.Entry {
	all := s.sorted[kind]
	if account == "" {
		return all
	}
	prefix := account + "/"
	from, _ := slices.BinarySearchFunc(all, prefix, func(e *metapb.Entry, p string) int { return cmp.Compare(e.Name, p) })
	to := from
	for to < len(all) && strings.HasPrefix(all[to].Name, prefix) {
		to++
	}
	return all[from:to]
}
