package iam

import (
	"context"
	"slices"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// MaxGroups bounds the groups of one user.
const MaxGroups = 20

// mustGroup returns a group and its account. Errors: NotFound.
func (s *snapshot) mustGroup(account, name string) (*metapb.Account, *metapb.UserGroup, error) {
	found, err := s.mustAccount(account)
	if err != nil {
		return nil, nil, err
	}
	g := s.groups.get(path(found.Id, name))
	if g == nil {
		return nil, nil, errs.Newf("iam.Group", errs.NotFound, "account %s has no group %q", found.Name, name)
	}
	return found, g, nil
}

// members returns the users of a group, by name.
func (s *snapshot) members(account, group string) []*metapb.User {
	var out []*metapb.User
	for _, e := range s.under(metapb.EntryKind_ENTRY_USER, account) {
		if u := s.users.get(e.Name); u != nil && slices.Contains(u.Groups, group) {
			out = append(out, u)
		}
	}
	return out
}

// AddGroup makes a group of users.
func (a *Admin) AddGroup(ctx context.Context, account, name string) (*metapb.UserGroup, error) {
	if err := checkName("group", name, MaxLongNameBytes); err != nil {
		return nil, err
	}
	var added *metapb.UserGroup
	err := a.update(ctx, func(c *change) error {
		found, err := c.mustAccount(account)
		if err != nil {
			return err
		}
		if c.groups.get(path(found.Id, name)) != nil {
			return errs.Newf("iam.AddGroup", errs.Exists, "account %s has a group %q already", found.Name, name)
		}
		added = &metapb.UserGroup{Account: found.Id, Name: name, CreatedMs: c.now}
		c.hold(metapb.EntryKind_ENTRY_ACCOUNT, found.Id)
		c.set(metapb.EntryKind_ENTRY_GROUP, path(found.Id, name), added)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return added, nil
}

// Groups returns the groups of an account, or of all where it is empty, by name.
func (a *Admin) Groups(ctx context.Context, account string) ([]*metapb.UserGroup, error) {
	return list(ctx, a, account, metapb.EntryKind_ENTRY_GROUP, func(s *snapshot, at string) *metapb.UserGroup { return s.groups.get(at) })
}

// Group returns a group and its users, by name.
func (a *Admin) Group(ctx context.Context, account, name string) (*metapb.UserGroup, []*metapb.User, error) {
	s, err := a.read(ctx)
	if err != nil {
		return nil, nil, err
	}
	found, g, err := s.mustGroup(account, name)
	if err != nil {
		return nil, nil, err
	}
	return g, s.members(found.Id, name), nil
}

// RemoveGroup removes a group, which must have no users. With force the users are taken out of it
// first.
func (a *Admin) RemoveGroup(ctx context.Context, account, name string, force bool) error {
	return a.update(ctx, func(c *change) error {
		found, _, err := c.mustGroup(account, name)
		if err != nil {
			return err
		}
		members := c.members(found.Id, name)
		if len(members) > 0 && !force {
			return errs.Newf("iam.RemoveGroup", errs.Precondition, "group %s still has users (%d); remove them from it first, or force it", name, len(members))
		}
		for _, u := range members {
			u = clone(u)
			u.Groups = without(u.Groups, name)
			c.set(metapb.EntryKind_ENTRY_USER, path(found.Id, u.Name), u)
		}
		c.delete(metapb.EntryKind_ENTRY_GROUP, path(found.Id, name))
		return nil
	})
}

// AddToGroup makes a user a member of a group. It does nothing if the user is one already.
func (a *Admin) AddToGroup(ctx context.Context, account, user, group string) error {
	return a.updateUser(ctx, account, user, func(c *change, u *metapb.User) error {
		if _, _, err := c.mustGroup(u.Account, group); err != nil {
			return err
		}
		if slices.Contains(u.Groups, group) {
			return nil
		}
		if len(u.Groups) >= MaxGroups {
			return errs.Newf("iam.AddToGroup", errs.Precondition, "user %s is in %d groups already, which is the most", user, MaxGroups)
		}
		c.hold(metapb.EntryKind_ENTRY_GROUP, path(u.Account, group))
		u.Groups = append(u.Groups, group)
		slices.Sort(u.Groups)
		return nil
	})
}

// RemoveFromGroup takes a user out of a group.
func (a *Admin) RemoveFromGroup(ctx context.Context, account, user, group string) error {
	return a.updateUser(ctx, account, user, func(_ *change, u *metapb.User) error {
		if !slices.Contains(u.Groups, group) {
			return errs.Newf("iam.RemoveFromGroup", errs.NotFound, "user %s is not in group %q", user, group)
		}
		u.Groups = without(u.Groups, group)
		return nil
	})
}
