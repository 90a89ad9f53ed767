package keys

import "github.com/cockroachdb/pebble/v2"

// refPrefixBytes is the length of what the references to one extent share.
const refPrefixBytes = 1 + 4 + 8

// Comparer returns the order of keys: by their bytes, with a Split that lets
// bloom filters answer for groups of keys. The group of a reference is its
// extent ("has it any?" after the last one went touches no table), that of an
// object's version is the object. Every other key is its own group. The name is
// part of the format of a database.
func Comparer() *pebble.Comparer {
	c := *pebble.DefaultComparer
	c.Split = Split
	c.Name = "cairn.meta.keys.v1"
	return &c
}

// Split returns the length of the part of key that its group shares. It holds
// for any bytes, since Pebble also splits the separators it makes of keys.
func Split(key []byte) int {
	if len(key) == 0 {
		return 0
	}
	switch Kind(key[0]) {
	case KindRef:
		if len(key) > refPrefixBytes {
			return refPrefixBytes
		}
	case KindObject:
		const name = 1 + 8
		if len(key) > name {
			if n := nameEnd(key[name:]); n > 0 {
				return name + n
			}
		}
	}
	return len(key)
}
