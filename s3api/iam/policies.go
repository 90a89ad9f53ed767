package iam

import (
	"context"
	"maps"
	"slices"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/policy"
)

// BuiltinPolicies returns the names of the policies that every account has.
func BuiltinPolicies() []string { return slices.Sorted(maps.Keys(builtinDocuments)) }

// findPolicy returns a stored policy of an account or, if there is none of this name, a built-in
// one; nil if there is neither.
func (s *snapshot) findPolicy(account, name string) *metapb.Policy {
	if p := s.policies.get(path(account, name)); p != nil {
		return p.Policy
	}
	if document, ok := builtinDocuments[name]; ok {
		return &metapb.Policy{Account: account, Name: name, Document: document}
	}
	return nil
}

// mustPolicy returns a policy and its account. Errors: NotFound.
func (s *snapshot) mustPolicy(account, name string) (*metapb.Account, *metapb.Policy, error) {
	found, err := s.mustAccount(account)
	if err != nil {
		return nil, nil, err
	}
	p := s.findPolicy(found.Id, name)
	if p == nil {
		return nil, nil, errs.Newf("iam.Policy", errs.NotFound, "account %s has no policy %q", found.Name, name)
	}
	return found, p, nil
}

// AddPolicy makes a policy that can be attached to users, groups and roles.
func (a *Admin) AddPolicy(ctx context.Context, account, name, document string) error {
	return a.writePolicy(ctx, account, name, document, false)
}

// SetPolicy replaces the document of a policy. That takes effect for everybody it is attached to.
func (a *Admin) SetPolicy(ctx context.Context, account, name, document string) error {
	return a.writePolicy(ctx, account, name, document, true)
}

func (a *Admin) writePolicy(ctx context.Context, account, name, document string, replace bool) error {
	const op = "iam.Policy"
	if err := checkName("policy", name, MaxLongNameBytes); err != nil {
		return err
	}
	if err := notBuiltin(name); err != nil {
		return err
	}
	if _, err := policy.Parse([]byte(document), policy.Identity); err != nil {
		return errs.Wrap(op, err)
	}
	return a.update(ctx, func(c *change) error {
		found, err := c.mustAccount(account)
		if err != nil {
			return err
		}
		at := path(found.Id, name)
		p := &metapb.Policy{Account: found.Id, Name: name, CreatedMs: c.now}
		switch old := c.policies.get(at); {
		case old != nil && !replace:
			return errs.Newf(op, errs.Exists, "account %s has a policy %q already", found.Name, name)
		case old == nil && replace:
			return errs.Newf(op, errs.NotFound, "account %s has no policy %q", found.Name, name)
		case replace:
			p = clone(old.Policy)
		}
		p.Document, p.ModifiedMs = document, c.now
		c.hold(metapb.EntryKind_ENTRY_ACCOUNT, found.Id)
		c.set(metapb.EntryKind_ENTRY_POLICY, at, p)
		return nil
	})
}

// notBuiltin returns Invalid if the name is that of a built-in policy.
func notBuiltin(name string) error {
	if _, builtin := builtinDocuments[name]; builtin {
		return errs.Newf("iam.Policy", errs.Invalid, "%q is the name of a built-in policy, which every account has and which cannot be changed", name)
	}
	return nil
}

// Policies returns the stored policies of an account, or of all accounts if it is empty, by name.
// Built-in policies are not among them.
func (a *Admin) Policies(ctx context.Context, account string) ([]*metapb.Policy, error) {
	return list(ctx, a, account, metapb.EntryKind_ENTRY_POLICY, func(s *snapshot, at string) *metapb.Policy {
		if p := s.policies.get(at); p != nil {
			return p.Policy
		}
		return nil
	})
}

// Policy returns a policy of an account, which may be a built-in one, and everybody it is attached
// to.
func (a *Admin) Policy(ctx context.Context, account, name string) (*metapb.Policy, []Holder, error) {
	s, err := a.read(ctx)
	if err != nil {
		return nil, nil, err
	}
	found, p, err := s.mustPolicy(account, name)
	if err != nil {
		return nil, nil, err
	}
	return p, s.holders(found.Id, name), nil
}

// RemovePolicy removes a policy, which must not be attached to anybody. With force it is detached
// everywhere first.
func (a *Admin) RemovePolicy(ctx context.Context, account, name string, force bool) error {
	if err := notBuiltin(name); err != nil {
		return err
	}
	return a.update(ctx, func(c *change) error {
		found, _, err := c.mustPolicy(account, name)
		if err != nil {
			return err
		}
		holders := c.holders(found.Id, name)
		if len(holders) > 0 && !force {
			return errs.Newf("iam.RemovePolicy", errs.Precondition, "policy %s is still attached (%d times, as to %v); detach it first, or force it",
				name, len(holders), holders[0])
		}
		for _, h := range holders {
			if err := c.editPolicies(found, h, func(names []string) ([]string, error) { return without(names, name), nil }); err != nil {
				return err
			}
		}
		c.delete(metapb.EntryKind_ENTRY_POLICY, path(found.Id, name))
		return nil
	})
}
