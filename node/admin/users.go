package admin

import (
	"context"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/s3api/iam"
)

// AddUser implements AdminService.
func (s *service) AddUser(ctx context.Context, r *adminpb.EntryRef) (*adminpb.User, error) {
	return within(ctx, s, r.Account, func(in string) (*adminpb.User, error) {
		u, err := s.directory(ctx).AddUser(ctx, in, r.Name)
		return user(u), err
	})
}

// ListUsers implements AdminService.
func (s *service) ListUsers(ctx context.Context, r *adminpb.AccountRef) (*adminpb.Users, error) {
	return within(ctx, s, r.Account, func(in string) (*adminpb.Users, error) {
		list, err := s.directory(ctx).Users(ctx, in)
		return &adminpb.Users{Users: each(list, user)}, err
	})
}

// ShowUser implements AdminService.
func (s *service) ShowUser(ctx context.Context, r *adminpb.EntryRef) (*adminpb.User, error) {
	return within(ctx, s, r.Account, func(in string) (*adminpb.User, error) {
		u, err := s.directory(ctx).User(ctx, in, r.Name)
		return user(u), err
	})
}

// SetUserDisabled implements AdminService.
func (s *service) SetUserDisabled(ctx context.Context, r *adminpb.SetUserDisabledRequest) (*adminpb.User, error) {
	return within(ctx, s, r.Account, func(in string) (*adminpb.User, error) {
		if err := s.directory(ctx).SetUserDisabled(ctx, in, r.Name, r.Disabled); err != nil {
			return nil, err
		}
		u, err := s.directory(ctx).User(ctx, in, r.Name)
		return user(u), err
	})
}

// RemoveUser implements AdminService.
func (s *service) RemoveUser(ctx context.Context, r *adminpb.RemoveEntryRequest) (*adminpb.Removed, error) {
	return within(ctx, s, r.Account, func(in string) (*adminpb.Removed, error) {
		return &adminpb.Removed{}, s.directory(ctx).RemoveUser(ctx, in, r.Name, r.Force)
	})
}

func user(u *metapb.User) *adminpb.User {
	if u == nil {
		return nil
	}
	id := iam.Identity{Account: u.Account, User: u.Name, UserID: u.Id}
	return &adminpb.User{Account: u.Account, Name: u.Name, Id: u.Id, Arn: id.ARN(), Created: stamp(u.CreatedMs),
		Disabled: u.Disabled, Groups: u.Groups, Policies: u.Policies}
}
