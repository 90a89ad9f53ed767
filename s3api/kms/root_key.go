package kms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/identity"
	"github.com/cairnstore/cairn/s3api/sse"
)

const (
	rootKeyBytes   = 32
	masterKeyBytes = 32
	nonceBytes     = 12
	sealedBytes    = nonceBytes + masterKeyBytes + sse.TagBytes
)

// Labels keep keys that are derived for different uses apart. They are part of the format.
const (
	rootLabel      = "cairn kms root v1"
	sealLabel      = "cairn kms seal v1"
	masterKeyLabel = "cairn master key v1"
	fingerLabel    = "cairn kms fingerprint v1"
	wrapLabel      = "cairn kms wrap v1"
)

// RootKey seals master keys. It prints as "redacted".
type RootKey struct {
	aead   cipher.AEAD
	finger string
}

// Fingerprint returns a text that differs between root keys and tells nothing about them.
func (r *RootKey) Fingerprint() string { return r.finger }

// String keeps the key out of every log line and error.
func (RootKey) String() string { return "kms.RootKey(redacted)" }

// GoString is String, for %#v.
func (r RootKey) GoString() string { return r.String() }

// Format is String, for every verb.
func (r RootKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, r.String()) }

// MarshalText is String, for JSON and everything like it.
func (r RootKey) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// newRootKey returns the root key with these bytes, which it clears.
func newRootKey(root []byte) *RootKey {
	defer clear(root)
	key := derive(root, sealLabel)
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("kms: aes: " + err.Error())
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("kms: gcm: " + err.Error())
	}
	return &RootKey{aead: aead, finger: hex.EncodeToString(derive(root, fingerLabel))}
}

func derive(secret []byte, label string) []byte {
	key, err := hkdf.Key(sha256.New, secret, nil, label, rootKeyBytes)
	if err != nil {
		panic("kms: hkdf: " + err.Error()) // Only for lengths that are constants here.
	}
	return key
}

// DeriveRootKey returns the root key of a cluster that was given none. secret is the cluster key,
// or a key derived from it. It must have at least 32 bytes, and is not changed.
func DeriveRootKey(secret []byte) *RootKey {
	if len(secret) < rootKeyBytes {
		panic(fmt.Sprintf("kms: a secret of %d bytes", len(secret)))
	}
	return newRootKey(derive(secret, rootLabel))
}

// ParseRootKey reads a root key that is written as 64 hex digits, or as base64 of 32 bytes in the
// standard or the URL alphabet, with or without padding. It ignores white space around it. Errors:
// Invalid.
func ParseRootKey(text string) (*RootKey, error) {
	text = strings.TrimSpace(text)
	b, err := hex.DecodeString(text)
	if err != nil {
		plain := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
		b, err = base64.RawStdEncoding.Strict().DecodeString(plain)
	}
	if err != nil || len(b) != rootKeyBytes || strings.ContainsAny(text, "\r\n") {
		clear(b)
		return nil, errs.Newf("kms.ParseRootKey", errs.Invalid,
			"the KMS root key is neither 64 hex digits nor base64 of 32 bytes; `cairn key new` makes one")
	}
	return newRootKey(b), nil
}

// LoadRootKey reads a root key from a file. As for the cluster key's file, others must not have
// access to it. Errors: Invalid.
func LoadRootKey(path string) (*RootKey, error) {
	const op = "kms.LoadRootKey"
	text, err := identity.ReadSecretFile(path)
	if err != nil {
		return nil, errs.Newf(op, errs.Invalid, "KMS root key: %w", err)
	}
	root, err := ParseRootKey(text)
	if err != nil {
		return nil, errs.Newf(op, errs.Invalid, "file %s: %w", path, err)
	}
	return root, nil
}

// newVersion makes the material of a version of a key, and returns it sealed.
func (r *RootKey) newVersion(id string, version uint32) []byte {
	key := make([]byte, masterKeyBytes)
	_, _ = rand.Read(key) // Never fails.
	defer clear(key)
	sealed := make([]byte, nonceBytes, sealedBytes)
	_, _ = rand.Read(sealed)
	return r.aead.Seal(sealed, sealed[:nonceBytes], key, bind([]byte(masterKeyLabel), id, version))
}

// open returns the material of a version of a key, which the caller must clear. Errors:
// Unavailable, if it was sealed under another root key.
func (r *RootKey) open(sealed []byte, id string, version uint32) ([]byte, error) {
	if len(sealed) == sealedBytes {
		key, err := r.aead.Open(nil, sealed[:nonceBytes], sealed[nonceBytes:], bind([]byte(masterKeyLabel), id, version))
		if err == nil {
			return key, nil
		}
	}
	return nil, errs.Newf("kms.open", errs.Unavailable, "version %d of master key %s does not open with this node's KMS root key; "+
		"every node needs the root key (or cluster key) that the key was made with", version, id)
}

// bind appends a key's id and version to data, so that what is sealed with them opens for no other
// key or version.
func bind(data []byte, id string, version uint32) []byte {
	data = binary.BigEndian.AppendUint16(data, uint16(len(id)))
	data = append(data, id...)
	return binary.BigEndian.AppendUint32(data, version)
}
