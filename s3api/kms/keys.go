package kms

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/sse"
)

const (
	DefaultMinDeletionDays = 7
	MaxDeletionDays        = 30
	MaxVersions            = 1000 // Of a key. All are kept, because what they wrapped must still open.
	MaxDescriptionBytes    = 8 << 10

	writeTries = 5                // Of a change, if others change the same key at the same time.
	purgeAfter = 10 * time.Minute // After a key's time, so that a slow clock's cancellation meets no purge.
)

// Key is what may be shown of a master key.
type Key struct {
	ID          string       `json:"id"`
	ARN         string       `json:"arn"`
	Account     string       `json:"account"` // Empty: it is the cluster's own.
	Description string       `json:"description,omitempty"`
	State       string       `json:"state"` // enabled, disabled, pending-deletion.
	Created     time.Time    `json:"created"`
	DeleteAt    time.Time    `json:"delete_at,omitzero"` // If deletion is pending: it is not deleted before.
	External    bool         `json:"external"`           // An external service keeps it, and knows its versions.
	Versions    []KeyVersion `json:"versions,omitempty"` // Oldest first; the last one wraps.
	Aliases     []string     `json:"aliases,omitempty"`  // Sorted, without "alias/".
}

// KeyVersion is one version of a built-in key.
type KeyVersion struct {
	Number  uint32    `json:"number"`
	Created time.Time `json:"created"`
}

// NewKey describes a key to be created.
type NewKey struct {
	Account     string
	ID          string // Empty: a random one. If an external service has a key of this name, that one is used.
	Description string
	Alias       string // Empty: none.
}

// Create makes a key. Errors: Invalid, Exists (the id or the alias is taken).
func (s *Service) Create(ctx context.Context, n NewKey) (*Key, error) {
	const op = "kms.Create"
	if n.ID == "" {
		n.ID = newID()
	}
	switch {
	case n.Account == "":
		return nil, errs.Newf(op, errs.Invalid, "the key belongs to no account")
	case !keyIDPattern.MatchString(n.ID) || n.ID == sse.S3KeyID:
		return nil, errs.Newf(op, errs.Invalid, "%q cannot be the id of a key: letters, digits and _ . - inside, at most 128, and not %s", n.ID, sse.S3KeyID)
	case n.Alias != "" && !aliasPattern.MatchString(n.Alias):
		return nil, invalidAlias(op, n.Alias)
	case len(n.Description) > MaxDescriptionBytes:
		return nil, errs.Newf(op, errs.Invalid, "the description is longer than %d bytes", MaxDescriptionBytes)
	}
	err := s.add(ctx, &metapb.MasterKey{Id: n.ID, Account: n.Account, Description: n.Description}, n.Alias)
	if err != nil {
		if errs.Is(err, errs.Precondition) {
			return nil, errs.Newf(op, errs.Exists, "key %s or its alias exists already", n.ID)
		}
		return nil, errs.Wrap(op, err)
	}
	return s.Show(n.ID)
}

// add makes a key's material and its entries. It returns Precondition if the key or the alias
// exists. The cluster's own key is made when it is first used, perhaps by several nodes; for it,
// that it exists is as good, and add returns nil.
func (s *Service) add(ctx context.Context, k *metapb.MasterKey, alias string) error {
	k.CreatedMs = time.Now().UnixMilli()
	if s.cfg.External == nil {
		k.Versions = []*metapb.MasterKeyVersion{{Number: 1, Sealed: s.cfg.Root.newVersion(k.Id, 1), CreatedMs: k.CreatedMs}}
	} else if err := s.cfg.External.Create(ctx, k.Id); err != nil {
		return err
	}
	value, err := proto.Marshal(k)
	if err != nil {
		return err
	}
	put := []*metapb.Entry{{Kind: metapb.EntryKind_ENTRY_MASTER_KEY, Name: k.Id, Value: value}}
	checks := []*metapb.EntryCheck{{Kind: metapb.EntryKind_ENTRY_MASTER_KEY, Name: k.Id}}
	if alias != "" {
		a, err := aliasEntry(k.Account, alias, k.Id)
		if err != nil {
			return err
		}
		put = append(put, a)
		checks = append(checks, &metapb.EntryCheck{Kind: a.Kind, Name: a.Name})
	}
	err = s.dir.Write(ctx, checks, put, nil)
	if k.Id == sse.S3KeyID && errs.Is(err, errs.Precondition) {
		return nil
	}
	return err
}

// newID returns a random key id in the form of a UUID.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // Never fails.
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// List returns the keys of an account in the order of their ids; for "" those of all accounts, and
// the cluster's own.
func (s *Service) List(account string) ([]*Key, error) {
	aliases := s.aliasesByKey()
	var keys []*Key
	for _, e := range s.dir.List(metapb.EntryKind_ENTRY_MASTER_KEY) {
		k, _, err := s.record(e.Name)
		if errs.Is(err, errs.NotFound) {
			continue // It was purged meanwhile.
		}
		if err != nil {
			return nil, errs.Wrap("kms.List", err)
		}
		if account == "" || k.Account == account {
			keys = append(keys, s.shown(k, aliases[k.Id]))
		}
	}
	return keys, nil
}

// Show returns a key by its id. Errors: NotFound.
func (s *Service) Show(id string) (*Key, error) {
	k, _, err := s.record(id)
	if err != nil {
		return nil, errs.Wrap("kms.Show", err)
	}
	return s.shown(k, s.aliasesByKey()[id]), nil
}

func (s *Service) shown(k *metapb.MasterKey, aliases []string) *Key {
	slices.Sort(aliases)
	out := &Key{ID: k.Id, ARN: AnswerID(s.cfg.Region, k.Account, k.Id), Account: k.Account, Description: k.Description,
		Created: time.UnixMilli(k.CreatedMs).UTC(), External: external(k), Aliases: aliases, State: "enabled"}
	switch k.State {
	case metapb.MasterKeyState_MASTER_KEY_DISABLED:
		out.State = "disabled"
	case metapb.MasterKeyState_MASTER_KEY_PENDING_DELETION:
		out.State, out.DeleteAt = "pending-deletion", time.UnixMilli(k.DeleteAtMs).UTC()
	}
	for _, v := range k.Versions {
		out.Versions = append(out.Versions, KeyVersion{v.Number, time.UnixMilli(v.CreatedMs).UTC()})
	}
	return out
}

// Rotate gives an enabled key another version, which wraps from then on. What older versions
// wrapped still opens. If the key is an external one, other nodes wrap with the new version after
// at most domainKeyLife. Errors: NotFound, Denied (not enabled), Precondition (it has MaxVersions),
// Unknown.
func (s *Service) Rotate(ctx context.Context, id string) (*Key, error) {
	const op = "kms.Rotate"
	k, _, err := s.enabled(id)
	if err != nil {
		return nil, errs.Wrap(op, err)
	}
	if external(k) {
		if err := s.reachable(id); err != nil {
			return nil, errs.Wrap(op, err)
		}
		if err := s.cfg.External.Rotate(ctx, id); err != nil {
			return nil, errs.Wrap(op, err)
		}
		s.domains.renew(id)
		return s.Show(id)
	}
	return s.change(ctx, op, id, func(k *metapb.MasterKey) error {
		if k.State != metapb.MasterKeyState_MASTER_KEY_ENABLED {
			return errs.Newf(op, errs.Denied, "KMS key %s is not enabled", id)
		}
		if len(k.Versions) >= MaxVersions {
			return errs.Newf(op, errs.Precondition, "KMS key %s has %d versions; create another key", id, MaxVersions)
		}
		next := k.Versions[len(k.Versions)-1].Number + 1
		k.Versions = append(k.Versions, &metapb.MasterKeyVersion{
			Number: next, Sealed: s.cfg.Root.newVersion(id, next), CreatedMs: time.Now().UnixMilli()})
		return nil
	})
}

// change writes a key's record as f changes it. If another change was made meanwhile, it calls f
// again with the new record, at most writeTries times in all.
func (s *Service) change(ctx context.Context, op, id string, f func(*metapb.MasterKey) error) (*Key, error) {
	for try := 1; ; try++ {
		k, revision, err := s.record(id)
		if err == nil {
			err = f(k)
		}
		if err != nil {
			return nil, errs.Wrap(op, err)
		}
		value, err := proto.Marshal(k)
		if err != nil {
			return nil, errs.New(op, errs.Internal, err)
		}
		err = s.dir.Write(ctx,
			[]*metapb.EntryCheck{{Kind: metapb.EntryKind_ENTRY_MASTER_KEY, Name: id, Revision: revision}},
			[]*metapb.Entry{{Kind: metapb.EntryKind_ENTRY_MASTER_KEY, Name: id, Value: value}}, nil)
		if err == nil {
			return s.Show(id)
		}
		if !errs.Is(err, errs.Precondition) || try == writeTries {
			return nil, errs.Wrap(op, err)
		}
	}
}
