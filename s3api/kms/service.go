package kms

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/sse"
)

// External is a service outside the cluster that keeps master keys, as Vault does. It must be safe
// for concurrent use, and must bound its own time. Every method may fail with Unavailable,
// Overloaded or Canceled.
type External interface {
	// Create makes a key. If the key exists, it stays as it is.
	Create(ctx context.Context, keyID string) error

	// Rotate gives a key another version, which wraps from then on. Errors: NotFound, Unknown (it
	// may have been done).
	Rotate(ctx context.Context, keyID string) error

	// Destroy deletes a key for good. It is no error if there is none.
	Destroy(ctx context.Context, keyID string) error

	// Encrypt wraps d with the newest version of the key, and returns that version. aad is
	// authenticated. Errors: NotFound.
	Encrypt(ctx context.Context, keyID string, d *sse.DataKey, aad []byte) (wrapped []byte, version uint32, err error)

	// Decrypt is the reverse of Encrypt. Errors: NotFound, Denied (the version may no longer be
	// used), Corrupt (it does not authenticate).
	Decrypt(ctx context.Context, keyID string, wrapped, aad []byte) (*sse.DataKey, error)
}

// Config sets up a Service.
type Config struct {
	Region          string   // Of the cluster. Names of keys in other regions are not found.
	Root            *RootKey // Seals built-in keys. It must be set.
	External        External // Makes and keeps new keys; nil: they are built in.
	MinDeletionDays int      // Zero: DefaultMinDeletionDays; -1: none, for tests.
}

// Service is the cluster's key service. It is an sse.KeyService; its other methods administer keys.
type Service struct {
	dir     Directory
	cfg     Config
	domains *domainKeys // Nil without an external service.
}

var _ sse.KeyService = (*Service)(nil)

// Format keeps the keys in memory out of every log line and error.
func (Service) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "kms.Service") }

// New returns the key service whose keys are in dir.
func New(dir Directory, cfg Config) *Service {
	if cfg.Root == nil {
		panic("kms: a service without a root key")
	}
	if cfg.MinDeletionDays == 0 {
		cfg.MinDeletionDays = DefaultMinDeletionDays
	}
	s := &Service{dir: dir, cfg: cfg}
	if cfg.External != nil {
		s.domains = newDomainKeys(cfg.External)
	}
	return s
}

// Close clears the keys in memory. It does not close External.
func (s *Service) Close() {
	if s.domains != nil {
		s.domains.close()
	}
}

// Resolve implements sse.KeyService.
func (s *Service) Resolve(ctx context.Context, account, name string) (string, error) {
	const op = "kms.Resolve"
	if name == "" {
		name = "alias/" + defaultAlias
	}
	n, err := ParseKeyID(name)
	if err != nil {
		return "", errs.Wrap(op, err)
	}
	if n.Region != "" && n.Region != s.cfg.Region || n.Account != "" && n.Account != account {
		return "", errs.Newf(op, errs.NotFound, "KMS key %s is not one of this account in region %s", n, s.cfg.Region)
	}
	id := n.ID
	if n.Alias != "" {
		id, err = s.aliased(account, n.Alias)
		if n.Alias == defaultAlias && errs.Is(err, errs.NotFound) {
			id, err = s.makeDefault(ctx, account)
		}
		if err != nil {
			return "", errs.Wrap(op, err)
		}
	}
	// Nobody may learn whether another account has a key, or in which state it is.
	k, _, err := s.record(id)
	switch {
	case errs.Is(err, errs.NotFound), err == nil && k.Account != account:
		return "", errs.Newf(op, errs.NotFound, "KMS key %s is not one of this account", n)
	case err != nil:
		return "", errs.Wrap(op, err)
	}
	if _, _, err = s.enabled(id); err != nil {
		return "", errs.Wrap(op, err)
	}
	return id, nil
}

// record returns a key and its revision.
func (s *Service) record(id string) (*metapb.MasterKey, uint64, error) {
	e := s.dir.Get(metapb.EntryKind_ENTRY_MASTER_KEY, id)
	if e == nil {
		return nil, 0, errs.Newf("kms.record", errs.NotFound, "there is no KMS key %s", id)
	}
	k := new(metapb.MasterKey)
	if err := proto.Unmarshal(e.Value, k); err != nil || k.Id != id {
		return nil, 0, errs.Newf("kms.record", errs.Corrupt, "the record of KMS key %s cannot be read", id)
	}
	return k, e.Revision, nil
}

// enabled is record, and returns Denied if the key may not be used.
func (s *Service) enabled(id string) (*metapb.MasterKey, uint64, error) {
	k, revision, err := s.record(id)
	switch {
	case err != nil:
		return nil, 0, err
	case k.State == metapb.MasterKeyState_MASTER_KEY_DISABLED:
		return nil, 0, errs.Newf("kms.enabled", errs.Denied, "KMS key %s is disabled", id)
	case k.State == metapb.MasterKeyState_MASTER_KEY_PENDING_DELETION:
		return nil, 0, errs.Newf("kms.enabled", errs.Denied, "KMS key %s is to be deleted on %s",
			id, time.UnixMilli(k.DeleteAtMs).UTC().Format(time.RFC3339))
	}
	return k, revision, nil
}

// Wrap implements sse.KeyService.
func (s *Service) Wrap(ctx context.Context, keyID string, d *sse.DataKey, aad []byte) (*metapb.Envelope, error) {
	const op = "kms.Wrap"
	k, _, err := s.enabled(keyID)
	if keyID == sse.S3KeyID && errs.Is(err, errs.NotFound) {
		if err = s.add(ctx, &metapb.MasterKey{Id: keyID, Description: "SSE-S3, of the cluster itself"}, ""); err == nil {
			k, _, err = s.enabled(keyID)
		}
	}
	if err != nil {
		return nil, errs.Wrap(op, err)
	}
	e := &metapb.Envelope{KmsKeyId: keyID}
	if external(k) {
		if err := s.reachable(keyID); err != nil {
			return nil, errs.Wrap(op, err)
		}
		e.Salt, e.WrappedKey, e.KmsKeyVersion, err = s.domains.wrap(ctx, keyID, d, aad)
		if err != nil {
			return nil, errs.Wrap(op, err)
		}
		return e, nil
	}
	v := k.Versions[len(k.Versions)-1]
	material, err := s.cfg.Root.open(v.Sealed, keyID, v.Number)
	if err != nil {
		return nil, errs.Wrap(op, err)
	}
	defer clear(material)
	e.KmsKeyVersion = v.Number
	e.Salt, e.WrappedKey = sse.WrapUnder(material, wrapLabel, d, bind(slices.Clone(aad), keyID, v.Number))
	return e, nil
}

// Unwrap implements sse.KeyService.
func (s *Service) Unwrap(ctx context.Context, e *metapb.Envelope, aad []byte) (*sse.DataKey, error) {
	const op = "kms.Unwrap"
	id := e.GetKmsKeyId()
	k, _, err := s.enabled(id)
	if err != nil {
		return nil, errs.Wrap(op, err)
	}
	if external(k) {
		if err := s.reachable(id); err != nil {
			return nil, errs.Wrap(op, err)
		}
		d, err := s.domains.unwrap(ctx, e, aad)
		return d, errs.Wrap(op, err)
	}
	i := slices.IndexFunc(k.Versions, func(v *metapb.MasterKeyVersion) bool { return v.Number == e.KmsKeyVersion })
	if i < 0 {
		return nil, errs.Newf(op, errs.Corrupt, "KMS key %s has no version %d", id, e.KmsKeyVersion)
	}
	material, err := s.cfg.Root.open(k.Versions[i].Sealed, id, e.KmsKeyVersion)
	if err != nil {
		return nil, errs.Wrap(op, err)
	}
	defer clear(material)
	d, err := sse.UnwrapUnder(material, wrapLabel, e.Salt, e.WrappedKey, bind(slices.Clone(aad), id, e.KmsKeyVersion))
	return d, errs.Wrap(op, err)
}

// external reports whether an external service keeps the key's material.
func external(k *metapb.MasterKey) bool { return len(k.Versions) == 0 }

// reachable refuses the use of an external key if this node is set up with no external service.
func (s *Service) reachable(id string) error {
	if s.domains == nil {
		return errs.Newf("kms.reachable", errs.Unavailable, "KMS key %s is kept by an external key service, and this node is set up with none", id)
	}
	return nil
}
