// Package keys is the ordered key schema of the metadata: every key of the state
// machine's Pebble is encoded and decoded here and nowhere else.
//
// A key is a kind byte and fixed-width fields, big endian, so that keys sort by
// their fields. Names of objects are of any length and may hold any byte; where
// something follows them they are escaped (00 becomes 00 ff) and end with 00 01:
//
//	'o' bucket(8) esc(key) 00 01 00            the latest version
//	'o' bucket(8) esc(key) 00 01 01 ^order(8)  older versions, newest first
//	'V' bucket(8) esc(key) 00 01 version-id    an older version by its id
//
// So names sort by their bytes, a name sorts before its extensions, and the keys
// of all names with one prefix are one run (PrefixEnd bounds it).
//
// Append functions append to dst, which may be nil, and do not allocate where it
// has room. They panic on nothing: ids have their type, names may be anything.
// Decode returns errs.Corrupt for a key that no Append function makes; decoding
// and encoding again gives the same bytes.
//
// The schema is a format: testdata/keys.golden holds one key of each kind.
package keys
