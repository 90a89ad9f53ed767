package iam

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
)

// SecretKeyBytes is the length of the key that secrets and tokens are sealed under.
const SecretKeyBytes = 32

// A sealed text is
//
//	1 byte    format: 1
//	16 bytes  salt, random
//	…         AES-256-GCM of the text
//	16 bytes  its tag
//
// Key and nonce are derived from the secret key, the label and the salt by HKDF-SHA-256, so that
// each text has a key of its own, however many texts there are.
const (
	sealFormat   = 1
	sealSalt     = 16
	sealNonce    = 12
	sealOverhead = 1 + sealSalt + 16
)

// Labels keep things that are sealed for different uses apart. They are part of the format.
const (
	keyLabel    = "cairn access key v1"
	tokenLabel  = "cairn session token v1"
	parentLabel = "cairn session parent v1"
)

// secretKey is the key that texts are sealed under.
type secretKey struct{ b [SecretKeyBytes]byte }

// String keeps the key out of every log line and error.
func (*secretKey) String() string { return "iam.secretKey(redacted)" }

// GoString is String, for %#v.
func (k *secretKey) GoString() string { return k.String() }

// derive returns n bytes that are derived from the key for one use.
func (k *secretKey) derive(label string, salt []byte, n int) []byte {
	out, err := hkdf.Key(sha256.New, k.b[:], salt, label, n)
	if err != nil {
		panic("iam: hkdf: " + err.Error()) // Only for lengths that are constants here.
	}
	return out
}

func (k *secretKey) aead(label string, salt []byte) (aead cipher.AEAD, nonce []byte) {
	material := k.derive(label, salt, SecretKeyBytes+sealNonce)
	defer clear(material[:SecretKeyBytes])
	block, err := aes.NewCipher(material[:SecretKeyBytes])
	if err != nil {
		panic("iam: aes: " + err.Error())
	}
	if aead, err = cipher.NewGCM(block); err != nil {
		panic("iam: gcm: " + err.Error())
	}
	return aead, material[SecretKeyBytes:]
}

// seal seals text for the use that label names. It can be opened only with the same label and name.
func (k *secretKey) seal(label, name string, text []byte) []byte {
	out := make([]byte, 1+sealSalt, len(text)+sealOverhead)
	out[0] = sealFormat
	_, _ = rand.Read(out[1:]) // Never fails.
	aead, nonce := k.aead(label, out[1:])
	return aead.Seal(out, nonce, text, []byte(name))
}

var errSealed = errors.New("it is not sealed under this cluster's key")

// open is the reverse of seal. It returns errSealed if the text was sealed by another key, or with
// another label or name.
func (k *secretKey) open(label, name string, sealed []byte) ([]byte, error) {
	if len(sealed) < sealOverhead || sealed[0] != sealFormat {
		return nil, errSealed
	}
	salt, body := sealed[1:1+sealSalt], sealed[1+sealSalt:]
	aead, nonce := k.aead(label, salt)
	text, err := aead.Open(nil, nonce, body, []byte(name))
	if err != nil {
		return nil, errSealed
	}
	return text, nil
}
