package identity

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cairnstore/cairn/cluster/errs"
)

// KeyBytes is the length of a cluster key.
const KeyBytes = 32

// keyFileMaxBytes is far more than any text of a key or token needs.
const keyFileMaxBytes = 4 << 10

// Key is a cluster key. It prints as "[cluster key]" under every verb.
type Key struct{ b [KeyBytes]byte }

// String returns a fixed text.
func (k Key) String() string { return "[cluster key]" }

// Format implements fmt.Formatter, so that no verb shows the key.
func (k Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, k.String()) }

// derive returns n bytes for one purpose.
func (k Key) derive(label string, n int) []byte {
	out, err := hkdf.Key(sha256.New, k.b[:], nil, label, n)
	if err != nil {
		panic("identity: HKDF refuses its constant arguments: " + err.Error())
	}
	return out
}

// NewKeyText returns a fresh random key as 64 hex digits.
func NewKeyText() (string, error) {
	var b [KeyBytes]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", errs.New("identity.NewKeyText", errs.Internal, err)
	}
	return hex.EncodeToString(b[:]), nil
}

// ParseKey reads a key written as 64 hex digits or as base64, in the standard or
// the URL alphabet, with or without padding. White space around it is ignored.
func ParseKey(text string) (Key, error) {
	b, err := decodeKey(strings.TrimSpace(text))
	if err != nil {
		return Key{}, errs.New("identity.ParseKey", errs.Invalid, err)
	}
	return Key{[KeyBytes]byte(b)}, nil
}

// decodeKey returns exactly KeyBytes bytes or a sentence that says what is wrong.
func decodeKey(text string) ([]byte, error) {
	if text == "" {
		return nil, errors.New("the cluster key is empty; `cairn key new` makes one")
	}
	fromHex, hexErr := hex.DecodeString(text)
	if hexErr == nil && len(fromHex) == KeyBytes {
		return fromHex, nil
	}
	b, err := decodeBase64(text)
	if err == nil && len(b) == KeyBytes {
		return b, nil
	}
	if hexErr == nil { // Digits only: hex was meant.
		b, err = fromHex, nil
	}
	switch {
	case err != nil:
		return nil, errors.New("the cluster key is neither 64 hex digits nor base64 of 32 bytes; `cairn key new` makes one")
	case len(b) < KeyBytes:
		return nil, fmt.Errorf("the cluster key is too short: %d bytes, not 32; `cairn key new` makes one", len(b))
	default:
		return nil, fmt.Errorf("the cluster key is too long: %d bytes, not 32; `cairn key new` makes one", len(b))
	}
}

func decodeBase64(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("line break inside") // encoding/base64 would skip it.
	}
	text = strings.NewReplacer("-", "+", "_", "/").Replace(text)
	if strings.Contains(text, "=") {
		return base64.StdEncoding.Strict().DecodeString(text)
	}
	return base64.RawStdEncoding.Strict().DecodeString(text)
}
