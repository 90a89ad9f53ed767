package admin

import (
	"context"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// AddGroup implements AdminService.
func (s *service) AddGroup(ctx context.Context, r *adminpb.EntryRef) (*adminpb.Group, error) {
	return within(ctx, s, r.Account, func(in string) (*adminpb.Group, error) {
		g, err := s.directory(ctx).AddGroup(ctx, in, r.Name)
		return group(g), err
	})
}

// ListGroups implements AdminService.
func (s *service) ListGroups(ctx context.Context, r *adminpb.AccountRef) (*adminpb.Groups, error) {
	return within(ctx, s, r.Account, func(in string) (*adminpb.Groups, error) {
		list, err := s.directory(ctx).Groups(ctx, in)
		return &adminpb.Groups{Groups: each(list, group)}, err
	})
}

// ShowGroup implements AdminService.
func (s *service) ShowGroup(ctx context.Context, r *adminpb.EntryRef) (*adminpb.Group, error) {
	return within(ctx, s, r.Account, func(in string) (*adminpb.Group, error) { return s.group(ctx, in, r.Name) })
}

// SetGroupMember implements AdminService.
func (s *service) SetGroupMember(ctx context.Context, r *adminpb.SetGroupMemberRequest) (*adminpb.Group, error) {
	return within(ctx, s, r.Account, func(in string) (*adminpb.Group, error) {
		set := s.directory(ctx).RemoveFromGroup
		if r.Member {
			set = s.directory(ctx).AddToGroup
		}
		if err := set(ctx, in, r.User, r.Name); err != nil {
			return nil, err
		}
		return s.group(ctx, in, r.Name)
	})
}

// RemoveGroup implements AdminService.
func (s *service) RemoveGroup(ctx context.Context, r *adminpb.RemoveEntryRequest) (*adminpb.Removed, error) {
	return within(ctx, s, r.Account, func(in string) (*adminpb.Removed, error) {
		return &adminpb.Removed{}, s.directory(ctx).RemoveGroup(ctx, in, r.Name, r.Force)
	})
}

// group returns a group with its users.
func (s *service) group(ctx context.Context, account, name string) (*adminpb.Group, error) {
	g, members, err := s.directory(ctx).Group(ctx, account, name)
	if err != nil {
		return nil, err
	}
	out := group(g)
	out.Users = each(members, (*metapb.User).GetName)
	return out, nil
}

func group(g *metapb.UserGroup) *adminpb.Group {
	if g == nil {
		return nil
	}
	return &adminpb.Group{Account: g.Account, Name: g.Name, Created: stamp(g.CreatedMs), Policies: g.Policies}
}
