package admin

import (
	"context"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/s3api/iam"
)

// AddPolicy implements AdminService. If the request says replace, the policy must exist.
func (s *service) AddPolicy(ctx context.Context, r *adminpb.AddPolicyRequest) (*adminpb.Policy, error) {
	return within(ctx, s, r.Account, func(in string) (*adminpb.Policy, error) {
		write := s.directory(ctx).AddPolicy
		if r.Replace {
			write = s.directory(ctx).SetPolicy
		}
		if err := write(ctx, in, r.Name, r.Document); err != nil {
			return nil, err
		}
		return s.policy(ctx, in, r.Name)
	})
}

// ListPolicies implements AdminService. Built-in policies come last.
func (s *service) ListPolicies(ctx context.Context, r *adminpb.AccountRef) (*adminpb.Policies, error) {
	return within(ctx, s, r.Account, func(in string) (*adminpb.Policies, error) {
		list, err := s.directory(ctx).Policies(ctx, in)
		if err != nil {
			return nil, err
		}
		out := &adminpb.Policies{Policies: each(list, policy)}
		for _, name := range iam.BuiltinPolicies() {
			p, _, err := s.directory(ctx).Policy(ctx, in, name)
			if err != nil {
				return nil, err
			}
			out.Policies = append(out.Policies, policy(p))
		}
		return out, nil
	})
}

// ShowPolicy implements AdminService.
func (s *service) ShowPolicy(ctx context.Context, r *adminpb.EntryRef) (*adminpb.Policy, error) {
	return within(ctx, s, r.Account, func(in string) (*adminpb.Policy, error) { return s.policy(ctx, in, r.Name) })
}

// SetPolicyAttached implements AdminService.
func (s *service) SetPolicyAttached(ctx context.Context, r *adminpb.SetPolicyAttachedRequest) (*adminpb.Attachment, error) {
	h, err := holder(r)
	if err != nil {
		return nil, err
	}
	return within(ctx, s, r.Account, func(in string) (*adminpb.Attachment, error) {
		set := s.directory(ctx).DetachPolicy
		if r.Attached {
			set = s.directory(ctx).AttachPolicy
		}
		if err := set(ctx, in, h, r.Name); err != nil {
			return nil, err
		}
		names, err := s.policiesOf(ctx, in, h)
		return &adminpb.Attachment{Account: in, User: r.User, Group: r.Group, Role: r.Role, Policies: names}, err
	})
}

// RemovePolicy implements AdminService.
func (s *service) RemovePolicy(ctx context.Context, r *adminpb.RemoveEntryRequest) (*adminpb.Removed, error) {
	return within(ctx, s, r.Account, func(in string) (*adminpb.Removed, error) {
		return &adminpb.Removed{}, s.directory(ctx).RemovePolicy(ctx, in, r.Name, r.Force)
	})
}

// holder returns the user, group or role that a request names. Errors: Invalid unless it names one.
func holder(r *adminpb.SetPolicyAttachedRequest) (h iam.Holder, err error) {
	named := 0
	for _, c := range []iam.Holder{{Kind: iam.HolderUser, Name: r.User}, {Kind: iam.HolderGroup, Name: r.Group},
		{Kind: iam.HolderRole, Name: r.Role}} {
		if c.Name != "" {
			h = c
			named++
		}
	}
	if named != 1 {
		return h, errs.Newf("admin.holder", errs.Invalid, "name one of a user, a group and a role; the request names %d of them", named)
	}
	return h, nil
}

// policiesOf returns the names of the policies of a user, group or role.
func (s *service) policiesOf(ctx context.Context, account string, h iam.Holder) ([]string, error) {
	switch h.Kind {
	case iam.HolderUser:
		u, err := s.directory(ctx).User(ctx, account, h.Name)
		return u.GetPolicies(), err
	case iam.HolderGroup:
		g, _, err := s.directory(ctx).Group(ctx, account, h.Name)
		return g.GetPolicies(), err
	}
	r, err := s.directory(ctx).Role(ctx, account, h.Name)
	return r.GetPolicies(), err
}

// policy returns a policy with the holders that it is attached to.
func (s *service) policy(ctx context.Context, account, name string) (*adminpb.Policy, error) {
	p, holders, err := s.directory(ctx).Policy(ctx, account, name)
	if err != nil {
		return nil, err
	}
	out := policy(p)
	out.Attached = each(holders, func(h iam.Holder) *adminpb.Holder {
		return &adminpb.Holder{Kind: string(h.Kind), Name: h.Name}
	})
	return out, nil
}

// policy returns a policy in the form of the API. A built-in one was never made, so it has no
// times.
func policy(p *metapb.Policy) *adminpb.Policy {
	return &adminpb.Policy{Account: p.Account, Name: p.Name, Document: p.Document,
		Created: stamp(p.CreatedMs), Modified: stamp(p.ModifiedMs), Builtin: p.CreatedMs == 0}
}
