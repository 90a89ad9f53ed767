package sse

import "github.com/cairnstore/cairn/cluster/errs"

// AppendKey appends the key's bytes to b, for a node that is asked to seal or open with it. They
// may be sent only over mutual TLS, and whoever holds b must clear it.
func (k *DataKey) AppendKey(b []byte) []byte { return append(b, k.b[:]...) }

// ParseDataKey returns the key that AppendKey wrote. It does not keep b, which the caller must
// clear. Errors: Invalid, if b has not KeyBytes.
func ParseDataKey(b []byte) (*DataKey, error) {
	if len(b) != KeyBytes {
		return nil, errs.Newf("sse.ParseDataKey", errs.Invalid, "a data key has %d bytes, not %d", KeyBytes, len(b))
	}
	k := new(DataKey)
	copy(k.b[:], b)
	return k, nil
}

// Clone returns a copy of the key. Wipe of one does not clear the other.
func (k *DataKey) Clone() *DataKey {
	c := *k
	return &c
}
