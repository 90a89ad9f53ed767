package iam

import (
	"context"
	"slices"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// MaxPolicies bounds the policies attached to one user, group or role.
const MaxPolicies = 20

// HolderKind is what a policy can be attached to.
type HolderKind string

// The kinds of holders.
const (
	HolderUser  HolderKind = "user"
	HolderGroup HolderKind = "group"
	HolderRole  HolderKind = "role"
)

// holderNamed is a policy that an identity provider can name: it stands for those for whom the provider
// does.
const holderNamed HolderKind = "policy"

// Holder is a user, group or role of an account.
type Holder struct {
	Kind HolderKind
	Name string
}

// String returns the holder in words.
func (h Holder) String() string { return string(h.Kind) + " " + h.Name }

// AttachPolicy attaches a policy, which may be a built-in one. It does nothing if the policy is
// attached already.
func (a *Admin) AttachPolicy(ctx context.Context, account string, to Holder, name string) error {
	return a.update(ctx, func(c *change) error {
		found, _, err := c.mustPolicy(account, name)
		if err != nil {
			return err
		}
		c.hold(metapb.EntryKind_ENTRY_POLICY, path(found.Id, name))
		return c.editPolicies(found, to, func(names []string) ([]string, error) {
			switch {
			case slices.Contains(names, name):
				return names, nil
			case len(names) >= MaxPolicies:
				return nil, errs.Newf("iam.AttachPolicy", errs.Precondition, "%v has %d policies already, which is the most", to, MaxPolicies)
			}
			names = append(slices.Clone(names), name)
			slices.Sort(names)
			return names, nil
		})
	})
}

// DetachPolicy detaches a policy.
func (a *Admin) DetachPolicy(ctx context.Context, account string, from Holder, name string) error {
	return a.update(ctx, func(c *change) error {
		found, err := c.mustAccount(account)
		if err != nil {
			return err
		}
		return c.editPolicies(found, from, func(names []string) ([]string, error) {
			if !slices.Contains(names, name) {
				return nil, errs.Newf("iam.DetachPolicy", errs.NotFound, "policy %q is not attached to %v", name, from)
			}
			return without(names, name), nil
		})
	})
}

// editPolicies replaces the list of a holder's policies by what edit returns for it. edit must not
// change the list that it is given.
func (c *change) editPolicies(account *metapb.Account, h Holder, edit func([]string) ([]string, error)) (err error) {
	at := path(account.Id, h.Name)
	switch h.Kind {
	case HolderUser:
		_, u, err := c.mustUser(account.Id, h.Name)
		if err != nil {
			return err
		}
		u = clone(u)
		if u.Policies, err = edit(u.Policies); err == nil {
			c.set(metapb.EntryKind_ENTRY_USER, at, u)
		}
		return err
	case HolderGroup:
		_, g, err := c.mustGroup(account.Id, h.Name)
		if err != nil {
			return err
		}
		g = clone(g)
		if g.Policies, err = edit(g.Policies); err == nil {
			c.set(metapb.EntryKind_ENTRY_GROUP, at, g)
		}
		return err
	case HolderRole:
		_, r, err := c.mustRole(account.Id, h.Name)
		if err != nil {
			return err
		}
		changed := clone(r.Role)
		if changed.Policies, err = edit(changed.Policies); err == nil {
			c.set(metapb.EntryKind_ENTRY_ROLE, at, changed)
		}
		return err
	}
	return errs.Newf("iam.AttachPolicy", errs.Invalid, "policies are attached to a user, group or role, not to a %q", h.Kind)
}

// holders returns the users, groups and roles that a policy of an account is attached to.
func (s *snapshot) holders(account, name string) []Holder {
	var out []Holder
	for _, e := range s.under(metapb.EntryKind_ENTRY_USER, account) {
		if u := s.users.get(e.Name); u != nil && slices.Contains(u.Policies, name) {
			out = append(out, Holder{HolderUser, u.Name})
		}
	}
	for _, e := range s.under(metapb.EntryKind_ENTRY_GROUP, account) {
		if g := s.groups.get(e.Name); g != nil && slices.Contains(g.Policies, name) {
			out = append(out, Holder{HolderGroup, g.Name})
		}
	}
	for _, e := range s.under(metapb.EntryKind_ENTRY_ROLE, account) {
		if r := s.roles.get(e.Name); r != nil && slices.Contains(r.Policies, name) {
			out = append(out, Holder{HolderRole, r.Name})
		}
	}
	return out
}
