package sse

import (
	"context"
	"crypto/sha256"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// S3KeyID is the id of the cluster's own key, under which SSE-S3 objects are encrypted. No account
// can name it.
const S3KeyID = "cairn-sse-s3"

// KeyService keeps master keys and wraps data keys under them; package kms implements it. It must
// be safe for concurrent use. All methods may fail with Unavailable (the service cannot be reached
// or is sealed), Overloaded (it limits the rate of requests) or Canceled.
type KeyService interface {
	// Resolve returns the id of the enabled key that an account means by name, which is an id, an
	// alias, or the ARN of either. An empty name means the account's default key, which is made
	// when it is first used. Errors: Invalid (name has not the form of one), NotFound (there is no
	// such key, or it is another account's), Denied (it is disabled or is to be deleted).
	Resolve(ctx context.Context, account, name string) (keyID string, err error)

	// Wrap makes an envelope of a data key. It does not set the envelope's kind. aad is
	// authenticated, and Unwrap needs the same. Errors: NotFound and Denied, as for Resolve.
	Wrap(ctx context.Context, keyID string, d *DataKey, aad []byte) (*metapb.Envelope, error)

	// Unwrap opens an envelope that Wrap made. Errors: NotFound and Denied for its key, as for
	// Resolve; Invalid (malformed); Corrupt (it does not authenticate: it was changed, or aad is
	// another one).
	Unwrap(ctx context.Context, e *metapb.Envelope, aad []byte) (*DataKey, error)
}

// KMSKey is a master key of a key service (SSE-KMS).
type KMSKey struct {
	Service KeyService
	KeyID   string // As Resolve returned it.
	Context []byte // Encryption context as canonical JSON (kms.ParseContext); empty: none.
}

// S3Key is the cluster's own key (SSE-S3).
type S3Key struct{ Service KeyService }

var (
	_ WrappingKey = (*KMSKey)(nil)
	_ WrappingKey = (*S3Key)(nil)
)

// Kind implements WrappingKey.
func (k *KMSKey) Kind() metapb.EncryptionKind { return metapb.EncryptionKind_ENCRYPTION_SSE_KMS }

// Wrap implements WrappingKey.
func (k *KMSKey) Wrap(ctx context.Context, d *DataKey) (*metapb.Envelope, error) {
	return wrapByService(ctx, k.Service, k.Kind(), k.KeyID, k.Context, d)
}

// Unwrap implements WrappingKey.
func (k *KMSKey) Unwrap(ctx context.Context, e *metapb.Envelope) (*DataKey, error) {
	return unwrapByService(ctx, k.Service, k.Kind(), k.KeyID, k.Context, e)
}

// Kind implements WrappingKey.
func (k *S3Key) Kind() metapb.EncryptionKind { return metapb.EncryptionKind_ENCRYPTION_SSE_S3 }

// Wrap implements WrappingKey.
func (k *S3Key) Wrap(ctx context.Context, d *DataKey) (*metapb.Envelope, error) {
	return wrapByService(ctx, k.Service, k.Kind(), S3KeyID, nil, d)
}

// Unwrap implements WrappingKey.
func (k *S3Key) Unwrap(ctx context.Context, e *metapb.Envelope) (*DataKey, error) {
	return unwrapByService(ctx, k.Service, k.Kind(), S3KeyID, nil, e)
}

func wrapByService(ctx context.Context, s KeyService, kind metapb.EncryptionKind, keyID string, kmsContext []byte, d *DataKey) (*metapb.Envelope, error) {
	e, err := s.Wrap(ctx, keyID, d, serviceData(kind, kmsContext))
	if err != nil {
		return nil, errs.Wrap("sse.Wrap", err)
	}
	e.Kind = kind
	return e, nil
}

func unwrapByService(ctx context.Context, s KeyService, kind metapb.EncryptionKind, keyID string, kmsContext []byte, e *metapb.Envelope) (*DataKey, error) {
	const op = "sse.Unwrap"
	if e.GetKind() != kind || e.GetKmsKeyId() != keyID {
		return nil, errs.Newf(op, errs.Invalid, "an envelope of kind %v and key %q, not of key %q", e.GetKind(), e.GetKmsKeyId(), keyID)
	}
	d, err := s.Unwrap(ctx, e, serviceData(kind, kmsContext))
	return d, errs.Wrap(op, err)
}

// serviceData is the associated data of an envelope that a key service makes: the kind, and a
// digest of the encryption context.
func serviceData(kind metapb.EncryptionKind, kmsContext []byte) []byte {
	sum := sha256.Sum256(kmsContext)
	return append(envelopeData(kind), sum[:]...)
}

// WrapUnder wraps a data key under a secret that a key service keeps, for the use that label names.
// Salt and result go into the envelope.
func WrapUnder(secret []byte, label string, d *DataKey, aad []byte) (salt, wrapped []byte) {
	salt = random(make([]byte, saltBytes))
	return salt, wrap(secret, salt, label, d, aad)
}

// UnwrapUnder is the reverse of WrapUnder. Errors: Invalid (lengths that no envelope has), Corrupt
// (it does not authenticate).
func UnwrapUnder(secret []byte, label string, salt, wrapped, aad []byte) (*DataKey, error) {
	const op = "sse.UnwrapUnder"
	if len(salt) != saltBytes || len(wrapped) != WrappedBytes {
		return nil, errs.Newf(op, errs.Invalid, "an envelope with a salt of %d and a key of %d bytes cannot exist", len(salt), len(wrapped))
	}
	d, ok := unwrap(secret, salt, label, wrapped, aad)
	if !ok {
		return nil, errs.Newf(op, errs.Corrupt, "the envelope does not open: it was changed, or it belongs to another key, kind or encryption context")
	}
	return d, nil
}
