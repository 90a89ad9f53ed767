package admin

import (
	"context"
	"slices"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/s3api/iam"
)

// AddAccessKey implements AdminService.
func (s *service) AddAccessKey(ctx context.Context, r *adminpb.AddAccessKeyRequest) (*adminpb.AccessKey, error) {
	of, err := s.account(ctx, r.Account)
	if err != nil {
		return nil, err
	}
	key, err := s.directory(ctx).AddKey(ctx, iam.KeySpec{Account: of, User: r.User,
		AccessKey: r.AccessKey, Secret: r.SecretKey, Description: r.Description})
	if err != nil {
		return nil, err
	}
	return newAccessKey(key), nil
}

// ListAccessKeys implements AdminService. If no user is named, it lists the keys of the account
// itself and of all its users.
func (s *service) ListAccessKeys(ctx context.Context, r *adminpb.ListAccessKeysRequest) (*adminpb.AccessKeys, error) {
	of, err := s.account(ctx, r.Account)
	if err != nil {
		return nil, err
	}
	if r.User != "" {
		list, err := s.directory(ctx).Keys(ctx, of, r.User)
		return &adminpb.AccessKeys{Keys: each(list, accessKey)}, err
	}
	list, err := s.directory(ctx).Keys(ctx, "", "")
	list = slices.DeleteFunc(list, func(k iam.AccessKey) bool { return k.Account != of })
	return &adminpb.AccessKeys{Keys: each(list, accessKey)}, err
}

// ShowAccessKey implements AdminService.
func (s *service) ShowAccessKey(ctx context.Context, r *adminpb.AccessKeyRef) (*adminpb.AccessKey, error) {
	k, err := s.accessKey(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	return accessKey(k), nil
}

// SetAccessKeyDisabled implements AdminService.
func (s *service) SetAccessKeyDisabled(ctx context.Context, r *adminpb.SetAccessKeyDisabledRequest) (*adminpb.AccessKey, error) {
	if _, err := s.accessKey(ctx, r.Id); err != nil {
		return nil, err
	}
	if err := s.directory(ctx).SetKeyDisabled(ctx, r.Id, r.Disabled); err != nil {
		return nil, err
	}
	return s.ShowAccessKey(ctx, &adminpb.AccessKeyRef{Id: r.Id})
}

// RemoveAccessKey implements AdminService.
func (s *service) RemoveAccessKey(ctx context.Context, r *adminpb.AccessKeyRef) (*adminpb.Removed, error) {
	if _, err := s.accessKey(ctx, r.Id); err != nil {
		return nil, err
	}
	return removed(s.directory(ctx).RemoveKey(ctx, r.Id))
}

// accessKey returns a key that the caller may manage. A key of another account is answered like one
// that is not there, so that nobody learns which keys others have. Errors: NotFound.
func (s *service) accessKey(ctx context.Context, id string) (iam.AccessKey, error) {
	k, err := s.directory(ctx).Key(ctx, id)
	if err != nil && !errs.Is(err, errs.NotFound) {
		return k, err
	}
	if err != nil || !owns(ctx, k.Account) {
		return k, errs.Newf("admin.accessKey", errs.NotFound, "there is no access key %s in the directory", id)
	}
	return k, nil
}

func accessKey(k iam.AccessKey) *adminpb.AccessKey {
	return &adminpb.AccessKey{Id: k.ID, Account: k.Account, User: k.User, Created: stamp(k.Created),
		Disabled: k.Disabled, Description: k.Description}
}

// newAccessKey returns the answer with a key that was just made. No other answer has the secret.
func newAccessKey(k *iam.NewKey) *adminpb.AccessKey {
	out := accessKey(k.AccessKey)
	out.SecretKey = k.Secret
	return out
}
