// Package sse is server-side encryption: data keys, the envelopes that keep them,
// and one Sealer and one Opener for every kind of encryption.
//
// # Keys
//
// Each encrypted part has a random 256-bit data key of its own (NewDataKey). It is
// made anew for every attempt to write the part, and stored only wrapped, in an
// Envelope that a WrappingKey makes. A WrappingKey is a customer's key (SSE-C), a
// master key of a KeyService (SSE-KMS) or the cluster's own key (SSE-S3). No key is
// derived from a name, a number or a clock, so the same key and nonce never encrypt
// two plaintexts.
//
//	wrap key   = HKDF-SHA-256(customer key, salt: random, "cairn ssec wrap v1")
//	wrapped    = AES-256-GCM(wrap key, nonce 0, data key, associated data "cairn envelope v1" kind)
//	extent key = HKDF-SHA-256(data key, salt: seal id, "cairn extent v1")
//	package i  = AES-256-GCM(extent key, nonce: i, plaintext, associated data:
//	             seal id (16) | i (8) | plaintext bytes of the package (8) | of the extent (8))
//
// A key service wraps in a way of its own (package kms). With each data key it
// authenticates "cairn envelope v1" kind SHA-256(encryption context).
//
// Integers are big endian, and a nonce has 96 bits. A wrap key belongs to one salt
// and is used once, so its nonce can be fixed. The seal id is random, is recorded
// with the extent and moves with it. So packages survive re-encoding and moving, and
// no package opens in another place, in another extent, or in an extent of another
// length.
//
// # Trust domains
//
// Two keys are of one domain (SameDomain) if the same people can open what either
// of them wrapped. Inside a domain, objects may share sealed bytes: a copy gets an
// envelope of its own with the same data key (Rewrap).
//
// # What it is not
//
// It stores nothing, and it knows no S3 message. Matches tells in constant time
// whether a request's key is the one that an object was made with.
//
// # Keys in memory
//
// DataKey.Wipe and the functions here clear the copies of keys that they own. The
// expanded key inside crypto/aes cannot be cleared; the garbage collector takes it.
// CustomerKey and DataKey print and marshal as "redacted".
//
// # Concurrency
//
// Functions, CustomerKey and DataKey are safe for concurrent use, but no key may be
// in use during its Wipe. A Sealer and an Opener belong to one goroutine at a time.
package sse
