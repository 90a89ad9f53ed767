package iam

import (
	"context"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/policy"
)

// Limits of how long sessions of a role may be set to last.
const (
	MinRoleSession     = time.Hour
	MaxRoleSession     = 12 * time.Hour
	DefaultRoleSession = time.Hour
)

// RoleSpec is a role to be made, or what an existing one is to become.
type RoleSpec struct {
	Account    string
	Name       string
	Trust      string        // Policy document that says who may assume the role.
	MaxSession time.Duration // Zero: DefaultRoleSession.
}

// check fills in the default and checks the rest. Errors: Invalid.
func (r *RoleSpec) check() error {
	if err := checkName("role", r.Name, MaxNameBytes); err != nil {
		return err
	}
	if r.MaxSession == 0 {
		r.MaxSession = DefaultRoleSession
	}
	if r.MaxSession < MinRoleSession || r.MaxSession > MaxRoleSession {
		return errs.Newf("iam.Role", errs.Invalid, "the longest session of a role is %v to %v, not %v", MinRoleSession, MaxRoleSession, r.MaxSession)
	}
	if _, err := policy.Parse([]byte(r.Trust), policy.Trust); err != nil {
		return errs.Newf("iam.Role", errs.Invalid, "the trust policy: %w", err)
	}
	return nil
}

// mustRole returns a role and its account. Errors: NotFound.
func (s *snapshot) mustRole(account, name string) (*metapb.Account, *role, error) {
	found, err := s.mustAccount(account)
	if err != nil {
		return nil, nil, err
	}
	r := s.roles.get(path(found.Id, name))
	if r == nil {
		return nil, nil, errs.Newf("iam.Role", errs.NotFound, "account %s has no role %q", found.Name, name)
	}
	return found, r, nil
}

// AddRole makes a role. Whoever assumes it may do nothing until a policy is attached.
func (a *Admin) AddRole(ctx context.Context, spec RoleSpec) (*metapb.Role, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	var added *metapb.Role
	err := a.update(ctx, func(c *change) error {
		found, err := c.mustAccount(spec.Account)
		if err != nil {
			return err
		}
		if c.roles.get(path(found.Id, spec.Name)) != nil {
			return errs.Newf("iam.AddRole", errs.Exists, "account %s has a role %q already", found.Name, spec.Name)
		}
		added = &metapb.Role{Account: found.Id, Name: spec.Name, CreatedMs: c.now, Trust: spec.Trust,
			MaxSessionSeconds: uint32(spec.MaxSession / time.Second)}
		c.hold(metapb.EntryKind_ENTRY_ACCOUNT, found.Id)
		c.set(metapb.EntryKind_ENTRY_ROLE, path(found.Id, spec.Name), added)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return added, nil
}

// SetRole changes whom a role trusts and how long its sessions may be. Its policies stay, and so do
// sessions that were made before.
func (a *Admin) SetRole(ctx context.Context, spec RoleSpec) error {
	if err := spec.check(); err != nil {
		return err
	}
	return a.update(ctx, func(c *change) error {
		found, r, err := c.mustRole(spec.Account, spec.Name)
		if err != nil {
			return err
		}
		changed := clone(r.Role)
		changed.Trust, changed.MaxSessionSeconds = spec.Trust, uint32(spec.MaxSession/time.Second)
		c.set(metapb.EntryKind_ENTRY_ROLE, path(found.Id, spec.Name), changed)
		return nil
	})
}

// Roles returns the roles of an account, or of all where it is empty, by name.
func (a *Admin) Roles(ctx context.Context, account string) ([]*metapb.Role, error) {
	return list(ctx, a, account, metapb.EntryKind_ENTRY_ROLE, func(s *snapshot, at string) *metapb.Role {
		if r := s.roles.get(at); r != nil {
			return r.Role
		}
		return nil
	})
}

// Role returns a role.
func (a *Admin) Role(ctx context.Context, account, name string) (*metapb.Role, error) {
	s, err := a.read(ctx)
	if err != nil {
		return nil, err
	}
	_, r, err := s.mustRole(account, name)
	if err != nil {
		return nil, err
	}
	return r.Role, nil
}

// RemoveRole removes a role. That ends its sessions.
func (a *Admin) RemoveRole(ctx context.Context, account, name string) error {
	return a.update(ctx, func(c *change) error {
		found, _, err := c.mustRole(account, name)
		if err != nil {
			return err
		}
		c.delete(metapb.EntryKind_ENTRY_ROLE, path(found.Id, name))
		return nil
	})
}
