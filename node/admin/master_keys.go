package admin

import (
	"context"
	"slices"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/kms"
)

// MasterKeys administers the keys of the key service. kms.Service implements it.
type MasterKeys interface {
	Create(ctx context.Context, n kms.NewKey) (*kms.Key, error)
	List(account string) ([]*kms.Key, error)
	Show(id string) (*kms.Key, error)
	KeyChanges
	SetAlias(ctx context.Context, alias, id string) error
	RemoveAlias(ctx context.Context, account, alias string) error
}

// KeyChanges are the changes of one key.
type KeyChanges interface {
	Rotate(ctx context.Context, id string) (*kms.Key, error)
	Disable(ctx context.Context, id string) (*kms.Key, error)
	Enable(ctx context.Context, id string) (*kms.Key, error)
	ScheduleDeletion(ctx context.Context, id string, days int) (*kms.Key, error)
	CancelDeletion(ctx context.Context, id string) (*kms.Key, error)
}

var _ MasterKeys = (*kms.Service)(nil)

// CreateMasterKey implements AdminService.
func (s *service) CreateMasterKey(ctx context.Context, r *adminpb.CreateMasterKeyRequest) (*adminpb.MasterKey, error) {
	return within(ctx, s, r.Account, func(in string) (*adminpb.MasterKey, error) {
		if r.Id != "" {
			if err := iam.CheckChosen(caller(ctx), in, r.Id); err != nil {
				return nil, err
			}
		}
		return masterKeyOr(s.c.MasterKeys.Create(ctx, kms.NewKey{Account: in, ID: r.Id, Description: r.Description, Alias: r.Alias}))
	})
}

// ListMasterKeys implements AdminService. Whoever administers the cluster and names no account sees the
// keys of all accounts and the cluster's own.
func (s *service) ListMasterKeys(ctx context.Context, r *adminpb.AccountRef) (*adminpb.MasterKeys, error) {
	of := ""
	if r.Account != "" || !caller(ctx).Admin {
		var err error
		if of, err = s.account(ctx, r.Account); err != nil {
			return nil, err
		}
	}
	list, err := s.c.MasterKeys.List(of)
	if err != nil {
		return nil, err
	}
	return &adminpb.MasterKeys{Keys: each(list, masterKey)}, nil
}

// ShowMasterKey implements AdminService.
func (s *service) ShowMasterKey(ctx context.Context, r *adminpb.MasterKeyRef) (*adminpb.MasterKey, error) {
	return masterKeyOr(s.masterKey(ctx, r.Id))
}

// ChangeMasterKey implements AdminService.
func (s *service) ChangeMasterKey(ctx context.Context, r *adminpb.ChangeMasterKeyRequest) (*adminpb.MasterKey, error) {
	k, err := s.masterKey(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	switch r.Change {
	case adminpb.KeyChange_KEY_CHANGE_ROTATE:
		k, err = s.c.MasterKeys.Rotate(ctx, k.ID)
	case adminpb.KeyChange_KEY_CHANGE_DISABLE:
		k, err = s.c.MasterKeys.Disable(ctx, k.ID)
	case adminpb.KeyChange_KEY_CHANGE_ENABLE:
		k, err = s.c.MasterKeys.Enable(ctx, k.ID)
	case adminpb.KeyChange_KEY_CHANGE_SCHEDULE_DELETION:
		k, err = s.c.MasterKeys.ScheduleDeletion(ctx, k.ID, int(min(r.Days, kms.MaxDeletionDays+1)))
	case adminpb.KeyChange_KEY_CHANGE_CANCEL_DELETION:
		k, err = s.c.MasterKeys.CancelDeletion(ctx, k.ID)
	default:
		return nil, errs.Newf("admin.ChangeMasterKey", errs.Invalid, "this node does not know change %d of a KMS key", r.Change)
	}
	return masterKeyOr(k, err)
}

// SetKeyAlias implements AdminService.
func (s *service) SetKeyAlias(ctx context.Context, r *adminpb.SetKeyAliasRequest) (*adminpb.MasterKey, error) {
	k, err := s.masterKey(ctx, r.Id)
	if err != nil {
		return nil, err
	}
	if err := s.c.MasterKeys.SetAlias(ctx, r.Alias, k.ID); err != nil {
		return nil, err
	}
	return masterKeyOr(s.c.MasterKeys.Show(k.ID))
}

// RemoveKeyAlias implements AdminService.
func (s *service) RemoveKeyAlias(ctx context.Context, r *adminpb.RemoveKeyAliasRequest) (*adminpb.Removed, error) {
	return within(ctx, s, r.Account, func(in string) (*adminpb.Removed, error) {
		return &adminpb.Removed{}, s.c.MasterKeys.RemoveAlias(ctx, in, r.Alias)
	})
}

// masterKey returns a key that the caller may manage, by any name that clients have for it. An alias is
// one of the account that is named, or else of the caller's. A key of another account is answered like
// one that is not there. Errors: NotFound.
func (s *service) masterKey(ctx context.Context, name string) (*kms.Key, error) {
	n, err := kms.ParseKeyID(name)
	if err != nil {
		return nil, err
	}
	var k *kms.Key
	if n.Alias != "" {
		k, err = s.aliasedKey(ctx, n)
	} else {
		k, err = s.c.MasterKeys.Show(n.ID)
	}
	if err != nil && !errs.Is(err, errs.NotFound) {
		return nil, err
	}
	elsewhere := k != nil && n.Region != "" && kms.AnswerID(n.Region, n.Account, k.ID) != k.ARN
	if err != nil || k == nil || elsewhere || !owns(ctx, k.Account) {
		return nil, errs.Newf("admin.masterKey", errs.NotFound, "there is no KMS key %s", name)
	}
	return k, nil
}

// aliasedKey returns the key that an alias names; nil if there is none.
func (s *service) aliasedKey(ctx context.Context, n kms.KeyName) (*kms.Key, error) {
	of := n.Account
	if of == "" {
		of = caller(ctx).Account
	}
	list, err := s.c.MasterKeys.List(of)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(list, func(k *kms.Key) bool { return slices.Contains(k.Aliases, n.Alias) }); i >= 0 {
		return list[i], nil
	}
	return nil, nil
}

func masterKeyOr(k *kms.Key, err error) (*adminpb.MasterKey, error) {
	if err != nil {
		return nil, err
	}
	return masterKey(k), nil
}

func masterKey(k *kms.Key) *adminpb.MasterKey {
	out := &adminpb.MasterKey{Id: k.ID, Arn: k.ARN, Account: k.Account, Description: k.Description, State: k.State,
		Created: k.Created.Format(time.RFC3339), External: k.External, Aliases: k.Aliases}
	if !k.DeleteAt.IsZero() {
		out.DeleteAt = k.DeleteAt.Format(time.RFC3339)
	}
	for _, v := range k.Versions {
		out.Versions = append(out.Versions, &adminpb.MasterKeyVersion{Number: v.Number, Created: v.Created.Format(time.RFC3339)})
	}
	return out
}
