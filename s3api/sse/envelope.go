package sse

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// DataKey is the random key of one part. Call Wipe when the part is written or read.
type DataKey struct{ b [KeyBytes]byte }

// NewDataKey returns a fresh data key.
func NewDataKey() *DataKey {
	k := new(DataKey)
	random(k.b[:])
	return k
}

// NewSealID returns a fresh seal id, for one extent or one inline part.
func NewSealID() []byte { return random(make([]byte, SealIDBytes)) }

// Wipe clears the key. Sealers and Openers that were made with it still work.
func (k *DataKey) Wipe() {
	if k != nil {
		clear(k.b[:])
	}
}

// Bytes returns the key itself, KeyBytes long, to hand it to a key service or, under mutual TLS, to
// another node. The caller borrows it: it must not change it, and Wipe clears it.
func (k *DataKey) Bytes() []byte { return k.b[:] }

// DataKeyOf returns the data key with these bytes, which it clears. Errors: Invalid, if they are
// not KeyBytes.
func DataKeyOf(b []byte) (*DataKey, error) {
	defer clear(b)
	if len(b) != KeyBytes {
		return nil, errs.Newf("sse.DataKeyOf", errs.Invalid, "a data key of %d bytes, not %d", len(b), KeyBytes)
	}
	k := new(DataKey)
	copy(k.b[:], b)
	return k, nil
}

// String keeps the key out of every log line and error.
func (DataKey) String() string { return "sse.DataKey(redacted)" }

// GoString is String, for %#v.
func (k DataKey) GoString() string { return k.String() }

// Format is String, for every verb.
func (k DataKey) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// MarshalText is String, for JSON and everything like it.
func (k DataKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Kind implements WrappingKey.
func (k *CustomerKey) Kind() metapb.EncryptionKind { return metapb.EncryptionKind_ENCRYPTION_SSE_C }

// Wrap implements WrappingKey.
func (k *CustomerKey) Wrap(_ context.Context, d *DataKey) (*metapb.Envelope, error) {
	return SealEnvelope(k, d), nil
}

// Unwrap implements WrappingKey.
func (k *CustomerKey) Unwrap(_ context.Context, e *metapb.Envelope) (*DataKey, error) {
	return OpenEnvelope(k, e)
}

// SealEnvelope wraps a data key under a customer's key.
func SealEnvelope(k *CustomerKey, d *DataKey) *metapb.Envelope {
	return sealEnvelope(k, d, random(make([]byte, saltBytes)))
}

func sealEnvelope(k *CustomerKey, d *DataKey, salt []byte) *metapb.Envelope {
	return &metapb.Envelope{
		Kind:       k.Kind(),
		Salt:       salt,
		WrappedKey: wrap(validKey(k), salt, wrapLabel, d, envelopeData(k.Kind())),
	}
}

// OpenEnvelope returns the data key of an envelope that SealEnvelope made with the same customer's
// key. Errors: those of WrappingKey.Unwrap.
func OpenEnvelope(k *CustomerKey, e *metapb.Envelope) (*DataKey, error) {
	const op = "sse.OpenEnvelope"
	if e.GetKind() != k.Kind() || len(e.GetSalt()) != saltBytes || len(e.GetWrappedKey()) != WrappedBytes {
		return nil, errs.Newf(op, errs.Invalid, "not an envelope of a customer's key")
	}
	d, ok := unwrap(validKey(k), e.Salt, wrapLabel, e.WrappedKey, envelopeData(e.Kind))
	if !ok {
		return nil, errs.Newf(op, errs.Denied, "the envelope does not open with this key")
	}
	return d, nil
}

// envelopeData is the associated data of an envelope. It has the kind, so that an envelope of one
// kind cannot be passed off as one of another.
func envelopeData(kind metapb.EncryptionKind) []byte {
	return binary.BigEndian.AppendUint32([]byte(envelopeLabel), uint32(kind))
}
