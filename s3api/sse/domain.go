package sse

import (
	"context"
	"crypto/subtle"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// SameDomain reports whether whoever can open what a wrapped can also open what b wrapped, and the
// other way round. If so, objects may share sealed bytes, each with an envelope of its own
// (Rewrap). Nil means not encrypted. Customers' keys are compared in constant time.
func SameDomain(a, b WrappingKey) bool {
	switch a := a.(type) {
	case nil:
		return b == nil
	case *CustomerKey:
		b, ok := b.(*CustomerKey)
		return ok && subtle.ConstantTimeCompare(validKey(a), validKey(b)) == 1
	case *KMSKey:
		b, ok := b.(*KMSKey)
		return ok && a.Service == b.Service && a.KeyID == b.KeyID && string(a.Context) == string(b.Context)
	case *S3Key:
		b, ok := b.(*S3Key)
		return ok && a.Service == b.Service
	}
	return false
}

// Rewrap returns a new envelope, made by to, of the data key in an envelope that from made. Errors:
// Invalid, if the keys are not of the same domain and the bytes must be encrypted anew; and those
// of Unwrap and Wrap.
func Rewrap(ctx context.Context, from, to WrappingKey, e *metapb.Envelope) (*metapb.Envelope, error) {
	const op = "sse.Rewrap"
	if from == nil || !SameDomain(from, to) {
		return nil, errs.Newf(op, errs.Invalid, "a data key cannot pass to another trust domain; its bytes must be encrypted anew")
	}
	d, err := from.Unwrap(ctx, e)
	if err != nil {
		return nil, errs.Wrap(op, err)
	}
	defer d.Wipe()
	again, err := to.Wrap(ctx, d)
	return again, errs.Wrap(op, err)
}

// Record returns what is stored with an object or upload that is encrypted under k: enough to
// recognise the key, and never the key itself. It returns nil for nil.
func Record(k WrappingKey) *metapb.Encryption {
	switch k := k.(type) {
	case *CustomerKey:
		return KeyCheck(k)
	case *KMSKey:
		return &metapb.Encryption{Kind: k.Kind(), KmsKeyId: k.KeyID, KmsContext: k.Context}
	case *S3Key:
		return &metapb.Encryption{Kind: k.Kind(), KmsKeyId: S3KeyID}
	}
	return nil
}

// Stored returns the key of a key service that e records. It returns nil if nothing is encrypted,
// and for a customer's key, which only a request can bring.
func Stored(s KeyService, e *metapb.Encryption) WrappingKey {
	switch e.GetKind() {
	case metapb.EncryptionKind_ENCRYPTION_SSE_KMS:
		return &KMSKey{Service: s, KeyID: e.KmsKeyId, Context: e.KmsContext}
	case metapb.EncryptionKind_ENCRYPTION_SSE_S3:
		return &S3Key{Service: s}
	}
	return nil
}
