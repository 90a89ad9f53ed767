package sse

import "github.com/cairnstore/cairn/cluster/errs"

// AppendKey appends the key's bytes to b, for a node that is asked to seal or open
// with it. They go over mutual TLS alone, and whoever holds b clears it.
func (k *DataKey) AppendKey(b []byte) []byte { return append(b, k.b[:]...) }

// ParseDataKey returns the key that AppendKey wrote. b is not kept; the caller
// clears it. Error: Invalid (not KeyBytes long).
func ParseDataKey(b []byte) (*DataKey, error) {
	if len(b) != KeyBytes {
		return nil, errs.Newf("sse.ParseDataKey", errs.Invalid, "a data key has %d bytes, not %d", KeyBytes, len(b))
	}
	k := new(DataKey)
	copy(k.b[:], b)
	return k, nil
}

// Clone returns a copy of the key, which is wiped on its own.
func (k *DataKey) Clone() *DataKey {
	c := *k
	return &c
}
