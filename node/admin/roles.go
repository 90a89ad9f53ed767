package admin

import (
	"context"
	"time"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/s3api/iam"
)

// AddRole implements AdminService. If the request says replace, the role must exist.
func (s *service) AddRole(ctx context.Context, r *adminpb.AddRoleRequest) (*adminpb.Role, error) {
	return within(ctx, s, r.Account, func(in string) (*adminpb.Role, error) {
		spec := iam.RoleSpec{Account: in, Name: r.Name, Trust: r.Trust, MaxSession: time.Duration(r.MaxSessionSeconds) * time.Second}
		if !r.Replace {
			added, err := s.directory(ctx).AddRole(ctx, spec)
			return role(added), err
		}
		if err := s.directory(ctx).SetRole(ctx, spec); err != nil {
			return nil, err
		}
		changed, err := s.directory(ctx).Role(ctx, in, r.Name)
		return role(changed), err
	})
}

// ListRoles implements AdminService.
func (s *service) ListRoles(ctx context.Context, r *adminpb.AccountRef) (*adminpb.Roles, error) {
	return within(ctx, s, r.Account, func(in string) (*adminpb.Roles, error) {
		list, err := s.directory(ctx).Roles(ctx, in)
		return &adminpb.Roles{Roles: each(list, role)}, err
	})
}

// ShowRole implements AdminService.
func (s *service) ShowRole(ctx context.Context, r *adminpb.EntryRef) (*adminpb.Role, error) {
	return within(ctx, s, r.Account, func(in string) (*adminpb.Role, error) {
		found, err := s.directory(ctx).Role(ctx, in, r.Name)
		return role(found), err
	})
}

// RemoveRole implements AdminService.
func (s *service) RemoveRole(ctx context.Context, r *adminpb.EntryRef) (*adminpb.Removed, error) {
	return within(ctx, s, r.Account, func(in string) (*adminpb.Removed, error) {
		return &adminpb.Removed{}, s.directory(ctx).RemoveRole(ctx, in, r.Name)
	})
}

func role(r *metapb.Role) *adminpb.Role {
	if r == nil {
		return nil
	}
	return &adminpb.Role{Account: r.Account, Name: r.Name, Arn: "arn:aws:iam::" + r.Account + ":role/" + r.Name,
		Created: stamp(r.CreatedMs), Trust: r.Trust, Policies: r.Policies, MaxSessionSeconds: r.MaxSessionSeconds}
}
