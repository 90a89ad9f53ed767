package sse

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"

	"github.com/cairnstore/cairn/meta/metapb"
)

// Sizes of the format.
const (
	KeyBytes    = 32 // Of a data key and of every derived key.
	SealIDBytes = 16
	TagBytes    = 16 // What sealing adds to a package.
	saltBytes   = 32

	WrappedBytes = KeyBytes + TagBytes // Of a wrapped data key.
)

// Labels keep keys that are derived for different uses apart. They are part of the format.
const (
	wrapLabel     = "cairn ssec wrap v1"
	extentLabel   = "cairn extent v1"
	envelopeLabel = "cairn envelope v1"
)

// CustomerKey is a key that a client sends with a request (SSE-C). It is never stored and never
// printed.
type CustomerKey struct {
	Key []byte   // 32 or 64 bytes.
	MD5 [16]byte // Of Key; checked when the request was parsed.
}

// String keeps a key out of every log line and error.
func (CustomerKey) String() string { return "sse.CustomerKey(redacted)" }

// GoString is String, for %#v.
func (k CustomerKey) GoString() string { return k.String() }

// Format is String, for every verb.
func (k CustomerKey) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// MarshalText is String, for JSON and everything like it.
func (k CustomerKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// WrappingKey wraps data keys. CustomerKey, KMSKey and S3Key implement it.
type WrappingKey interface {
	// Kind returns the kind of encryption that is recorded with objects under this key.
	Kind() metapb.EncryptionKind

	// Wrap makes an envelope of a data key, another one at every call. Only a key service can fail:
	// see KeyService.
	Wrap(ctx context.Context, k *DataKey) (*metapb.Envelope, error)

	// Unwrap opens an envelope. Errors: Invalid (malformed, or of another kind). A customer's key
	// returns Denied if another key made the envelope or it was changed. For a key service see
	// KeyService.
	Unwrap(ctx context.Context, e *metapb.Envelope) (*DataKey, error)
}

var _ WrappingKey = (*CustomerKey)(nil)

// random fills b, which never fails, and returns it.
func random(b []byte) []byte {
	_, _ = rand.Read(b)
	return b
}

// derive returns a key of KeyBytes that is derived from all of secret: a 64-byte key is never cut
// to its first half.
func derive(secret, salt []byte, label string) []byte {
	k, err := hkdf.Key(sha256.New, secret, salt, label, KeyBytes)
	if err != nil {
		panic("sse: hkdf: " + err.Error()) // Only for lengths that are constants here.
	}
	return k
}

// newAEAD returns AES-256-GCM under key, and clears key.
func newAEAD(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	clear(key)
	if err != nil {
		panic("sse: aes: key of wrong length")
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("sse: gcm: " + err.Error())
	}
	return aead
}

// validKey returns the bytes of a customer's key. It panics if their number is not one that SSE-C
// allows: where the request was parsed that was checked, and an empty key must never wrap anything.
func validKey(k *CustomerKey) []byte {
	if n := len(k.Key); n != 32 && n != 64 {
		panic("sse: customer key of a length that is not allowed")
	}
	return k.Key
}

// wrap seals a data key under a key that is derived from secret and salt. That key is used once, so
// its nonce can be fixed.
func wrap(secret, salt []byte, label string, d *DataKey, data []byte) []byte {
	var nonce [12]byte
	return newAEAD(derive(secret, salt, label)).Seal(nil, nonce[:], d.b[:], data)
}

// unwrap is the reverse of wrap. It returns false if wrapped does not authenticate.
func unwrap(secret, salt []byte, label string, wrapped, data []byte) (*DataKey, bool) {
	var nonce [12]byte
	plain, err := newAEAD(derive(secret, salt, label)).Open(nil, nonce[:], wrapped, data)
	if err != nil || len(plain) != KeyBytes {
		return nil, false
	}
	d := new(DataKey)
	copy(d.b[:], plain)
	clear(plain)
	return d, true
}

// keyCheck returns the keyed digest by which a customer's key is recognised.
func keyCheck(salt []byte, k *CustomerKey) []byte {
	h := hmac.New(sha256.New, salt)
	h.Write(validKey(k))
	return h.Sum(nil)
}

// KeyCheck returns what is stored of a customer's key with an object or upload: a new salt, and the
// key's digest under it.
func KeyCheck(k *CustomerKey) *metapb.Encryption {
	salt := random(make([]byte, saltBytes))
	return &metapb.Encryption{
		Kind:     metapb.EncryptionKind_ENCRYPTION_SSE_C,
		KeySalt:  salt,
		KeyCheck: keyCheck(salt, k),
	}
}

// Matches reports in constant time whether KeyCheck made e of this key. It is false for any other
// kind of encryption.
func Matches(e *metapb.Encryption, k *CustomerKey) bool {
	if e.GetKind() != metapb.EncryptionKind_ENCRYPTION_SSE_C || k == nil || len(e.GetKeySalt()) == 0 {
		return false
	}
	return hmac.Equal(e.GetKeyCheck(), keyCheck(e.GetKeySalt(), k))
}
