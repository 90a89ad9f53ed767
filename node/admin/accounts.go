package admin

import (
	"context"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/s3api/iam"
)

// AddAccount implements AdminService.
func (s *service) AddAccount(ctx context.Context, r *adminpb.AddAccountRequest) (*adminpb.NewAccount, error) {
	a, key, err := s.directory(ctx).AddAccount(ctx, iam.AccountSpec{
		Name: r.Name, Admin: r.Admin, AccessKey: r.AccessKey, Secret: r.SecretKey})
	if err != nil {
		return nil, err
	}
	return &adminpb.NewAccount{Account: account(a), Key: newAccessKey(key)}, nil
}

// ListAccounts implements AdminService.
func (s *service) ListAccounts(ctx context.Context, _ *adminpb.ListAccountsRequest) (*adminpb.Accounts, error) {
	list, err := s.directory(ctx).Accounts(ctx)
	if err != nil {
		return nil, err
	}
	return &adminpb.Accounts{Accounts: each(list, account)}, nil
}

// ShowAccount implements AdminService.
func (s *service) ShowAccount(ctx context.Context, r *adminpb.AccountRef) (*adminpb.Account, error) {
	id, err := s.account(ctx, r.Account)
	if err != nil {
		return nil, err
	}
	a, err := s.directory(ctx).Account(ctx, id)
	if err != nil {
		return nil, err
	}
	return account(a), nil
}

// SetAccountDisabled implements AdminService.
func (s *service) SetAccountDisabled(ctx context.Context, r *adminpb.SetAccountDisabledRequest) (*adminpb.Account, error) {
	if err := named("account", r.Account); err != nil {
		return nil, err
	}
	if err := s.directory(ctx).SetAccountDisabled(ctx, r.Account, r.Disabled); err != nil {
		return nil, err
	}
	return s.ShowAccount(ctx, &adminpb.AccountRef{Account: r.Account})
}

// SetAccountBuckets implements AdminService.
func (s *service) SetAccountBuckets(ctx context.Context, r *adminpb.SetAccountBucketsRequest) (*adminpb.Account, error) {
	if err := named("account", r.Account); err != nil {
		return nil, err
	}
	if err := s.directory(ctx).SetAccountBuckets(ctx, r.Account, r.Max); err != nil {
		return nil, err
	}
	return s.ShowAccount(ctx, &adminpb.AccountRef{Account: r.Account})
}

// RemoveAccount implements AdminService.
func (s *service) RemoveAccount(ctx context.Context, r *adminpb.RemoveAccountRequest) (*adminpb.Removed, error) {
	if err := named("account", r.Account); err != nil {
		return nil, err
	}
	return removed(s.directory(ctx).RemoveAccount(ctx, r.Account, r.Force))
}

func account(a *metapb.Account) *adminpb.Account {
	return &adminpb.Account{Id: a.Id, Name: a.Name, Created: stamp(a.CreatedMs), Disabled: a.Disabled, Admin: a.Admin, BucketsMax: a.BucketsMax}
}
