package kms

import (
	"context"
	"errors"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/sse"
)

// Disable stops the use of a key: until Enable, nothing that is encrypted under it can be written
// or read. Errors: NotFound, Invalid (the cluster's own key), Precondition (it is to be deleted).
func (s *Service) Disable(ctx context.Context, id string) (*Key, error) {
	return s.setState(ctx, "kms.Disable", id, metapb.MasterKeyState_MASTER_KEY_DISABLED)
}

// Enable reverses Disable. Errors: those of Disable.
func (s *Service) Enable(ctx context.Context, id string) (*Key, error) {
	return s.setState(ctx, "kms.Enable", id, metapb.MasterKeyState_MASTER_KEY_ENABLED)
}

func (s *Service) setState(ctx context.Context, op, id string, to metapb.MasterKeyState) (*Key, error) {
	if err := notClusters(op, id); err != nil {
		return nil, err
	}
	return s.change(ctx, op, id, func(k *metapb.MasterKey) error {
		if k.State == metapb.MasterKeyState_MASTER_KEY_PENDING_DELETION {
			return errs.Newf(op, errs.Precondition, "KMS key %s is to be deleted; cancel the deletion first", id)
		}
		k.State = to
		return nil
	})
}

// notClusters refuses a change of the cluster's own key that would make SSE-S3 fail in the whole
// cluster.
func notClusters(op, id string) error {
	if id == sse.S3KeyID {
		return errs.Newf(op, errs.Invalid, "%s is the cluster's own key: it can be rotated, not disabled or deleted", id)
	}
	return nil
}

// ScheduleDeletion stops the use of a key, which Purge deletes after this number of days. Errors:
// NotFound, Invalid (days, or the cluster's own key), Precondition (it is to be deleted already).
func (s *Service) ScheduleDeletion(ctx context.Context, id string, days int) (*Key, error) {
	const op = "kms.ScheduleDeletion"
	if err := notClusters(op, id); err != nil {
		return nil, err
	}
	least := max(s.cfg.MinDeletionDays, 0)
	if days < least || days > MaxDeletionDays {
		return nil, errs.Newf(op, errs.Invalid, "a key is deleted after %d to %d days, not %d", least, MaxDeletionDays, days)
	}
	return s.change(ctx, op, id, func(k *metapb.MasterKey) error {
		if k.State == metapb.MasterKeyState_MASTER_KEY_PENDING_DELETION {
			return errs.Newf(op, errs.Precondition, "KMS key %s is to be deleted already; cancel that first", id)
		}
		k.State = metapb.MasterKeyState_MASTER_KEY_PENDING_DELETION
		k.DeleteAtMs = time.Now().AddDate(0, 0, days).UnixMilli()
		return nil
	})
}

// CancelDeletion keeps a key that was to be deleted. The key is then disabled. Errors: NotFound,
// Precondition (it is not to be deleted, or its time has come).
func (s *Service) CancelDeletion(ctx context.Context, id string) (*Key, error) {
	const op = "kms.CancelDeletion"
	return s.change(ctx, op, id, func(k *metapb.MasterKey) error {
		if k.State != metapb.MasterKeyState_MASTER_KEY_PENDING_DELETION {
			return errs.Newf(op, errs.Precondition, "KMS key %s is not to be deleted", id)
		}
		if time.Now().UnixMilli() >= k.DeleteAtMs {
			return errs.Newf(op, errs.Precondition, "KMS key %s is being deleted", id)
		}
		k.State, k.DeleteAtMs = metapb.MasterKeyState_MASTER_KEY_DISABLED, 0
		return nil
	})
}

// Purge deletes the keys whose time has come, with their aliases, and returns their ids. A key that
// cannot be deleted stays for the next call, and the error says why.
func (s *Service) Purge(ctx context.Context, now time.Time) (deleted []string, err error) {
	var failed error
	for _, e := range s.dir.List(metapb.EntryKind_ENTRY_MASTER_KEY) {
		k, revision, err := s.record(e.Name)
		if errs.Is(err, errs.NotFound) {
			continue
		}
		if err == nil {
			if k.State != metapb.MasterKeyState_MASTER_KEY_PENDING_DELETION || now.Before(time.UnixMilli(k.DeleteAtMs).Add(purgeAfter)) {
				continue
			}
			err = s.purge(ctx, k, revision)
		}
		if err != nil {
			failed = errors.Join(failed, errs.Wrap("kms.Purge", err))
			continue
		}
		deleted = append(deleted, k.Id)
	}
	return deleted, failed
}

// purge destroys a key. The material goes first: a record without material says what is wrong, but
// material without a record would stay for ever.
func (s *Service) purge(ctx context.Context, k *metapb.MasterKey, revision uint64) error {
	if external(k) {
		if err := s.reachable(k.Id); err != nil {
			return err
		}
		if err := s.cfg.External.Destroy(ctx, k.Id); err != nil {
			return err
		}
	}
	remove := []*metapb.EntryName{{Kind: metapb.EntryKind_ENTRY_MASTER_KEY, Name: k.Id}}
	for _, alias := range s.aliasesByKey()[k.Id] {
		remove = append(remove, &metapb.EntryName{Kind: metapb.EntryKind_ENTRY_KEY_ALIAS, Name: aliasName(k.Account, alias)})
	}
	return s.dir.Write(ctx,
		[]*metapb.EntryCheck{{Kind: metapb.EntryKind_ENTRY_MASTER_KEY, Name: k.Id, Revision: revision}}, nil, remove)
}
