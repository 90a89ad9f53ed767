package iam

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/limit"
)

// kindNames are the kinds of entries in words, in the singular and the plural.
var kindNames = map[metapb.EntryKind][2]string{
	metapb.EntryKind_ENTRY_USER:       {"user", "users"},
	metapb.EntryKind_ENTRY_GROUP:      {"group", "groups"},
	metapb.EntryKind_ENTRY_ROLE:       {"role", "roles"},
	metapb.EntryKind_ENTRY_POLICY:     {"policy", "policies"},
	metapb.EntryKind_ENTRY_ACCESS_KEY: {"access key", "access keys"},
}

// describe counts entries in words: "2 users, 1 access key".
func describe(entries []*metapb.Entry) string {
	counts := map[metapb.EntryKind]int{}
	var kinds []metapb.EntryKind
	for _, e := range entries {
		if counts[e.Kind]++; counts[e.Kind] == 1 {
			kinds = append(kinds, e.Kind)
		}
	}
	var words []string
	for _, kind := range kinds {
		name := kindNames[kind][0]
		if counts[kind] > 1 {
			name = kindNames[kind][1]
		}
		words = append(words, fmt.Sprintf("%d %s", counts[kind], name))
	}
	return strings.Join(words, ", ")
}

func noUser(account *metapb.Account, name string) error {
	return errs.Newf("iam.User", errs.NotFound, "account %s has no user %q", account.Name, name)
}

// mustUser returns a user and its account. Errors: NotFound.
func (s *snapshot) mustUser(account, name string) (*metapb.Account, *metapb.User, error) {
	found, err := s.mustAccount(account)
	if err != nil {
		return nil, nil, err
	}
	u := s.users.get(path(found.Id, name))
	if u == nil {
		return nil, nil, noUser(found, name)
	}
	return found, u, nil
}

// AddUser makes a user, who may do nothing until a policy is attached.
func (a *Admin) AddUser(ctx context.Context, account, name string) (*metapb.User, error) {
	if err := checkName("user", name, MaxNameBytes); err != nil {
		return nil, err
	}
	var added *metapb.User
	id := newID()
	err := a.update(ctx, func(c *change) error {
		found, err := c.mustAccount(account)
		if err != nil {
			return err
		}
		if c.users.get(path(found.Id, name)) != nil {
			return errs.Newf("iam.AddUser", errs.Exists, "account %s has a user %q already", found.Name, name)
		}
		added = &metapb.User{Account: found.Id, Name: name, Id: id, CreatedMs: c.now}
		c.hold(metapb.EntryKind_ENTRY_ACCOUNT, found.Id)
		c.set(metapb.EntryKind_ENTRY_USER, path(found.Id, name), added)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return added, nil
}

// Users returns the users of an account, or of all where it is empty, by name.
func (a *Admin) Users(ctx context.Context, account string) ([]*metapb.User, error) {
	return list(ctx, a, account, metapb.EntryKind_ENTRY_USER, func(s *snapshot, at string) *metapb.User { return s.users.get(at) })
}

// list returns the records of a kind in an account, or in all.
func list[T any](ctx context.Context, a *Admin, account string, kind metapb.EntryKind, get func(s *snapshot, at string) *T) ([]*T, error) {
	s, err := a.read(ctx)
	if err != nil {
		return nil, err
	}
	if account != "" {
		found, err := s.mustAccount(account)
		if err != nil {
			return nil, err
		}
		account = found.Id
	}
	var out []*T
	for _, e := range s.under(kind, account) {
		if v := get(s, e.Name); v != nil {
			out = append(out, v)
		}
	}
	return out, nil
}

// User returns a user.
func (a *Admin) User(ctx context.Context, account, name string) (*metapb.User, error) {
	s, err := a.read(ctx)
	if err != nil {
		return nil, err
	}
	_, u, err := s.mustUser(account, name)
	return u, err
}

// updateUser writes a user's record as f changes it. f may be called more than once.
func (a *Admin) updateUser(ctx context.Context, account, name string, f func(c *change, u *metapb.User) error) error {
	return a.update(ctx, func(c *change) error {
		found, u, err := c.mustUser(account, name)
		if err != nil {
			return err
		}
		u = clone(u)
		if err := f(c, u); err != nil {
			return err
		}
		c.set(metapb.EntryKind_ENTRY_USER, path(found.Id, name), u)
		return nil
	})
}

// SetUserDisabled disables a user, or enables it again. The keys and sessions of a disabled user
// are treated as if they did not exist.
func (a *Admin) SetUserDisabled(ctx context.Context, account, name string, disabled bool) error {
	return a.updateUser(ctx, account, name, func(_ *change, u *metapb.User) error {
		u.Disabled = disabled
		return nil
	})
}

// RemoveUser removes a user, which must have no access keys. With force these are removed with it.
func (a *Admin) RemoveUser(ctx context.Context, account, name string, force bool) error {
	return a.update(ctx, func(c *change) error {
		found, _, err := c.mustUser(account, name)
		if err != nil {
			return err
		}
		keys := c.keysOf(found.Id, name)
		if len(keys) > 0 && !force {
			return errs.Newf("iam.RemoveUser", errs.Precondition, "user %s still has access keys (%d); remove them first, or force it", name, len(keys))
		}
		for _, k := range keys {
			c.delete(metapb.EntryKind_ENTRY_ACCESS_KEY, k.ID)
			c.dropLimit(limit.Subject{Account: found.Id, AccessKey: k.ID})
		}
		c.delete(metapb.EntryKind_ENTRY_USER, path(found.Id, name))
		c.dropLimit(limit.Subject{Account: found.Id, User: name})
		return nil
	})
}

// without returns a copy of list that does not have s.
func without(list []string, s string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(have string) bool { return have == s })
}
