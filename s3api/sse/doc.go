// Package sse is server-side encryption: data keys, the envelopes that keep them,
// and one Sealer and one Opener for every kind of encryption.
//
// # Keys
//
// A part that is encrypted has a random 256-bit data key of its own (NewDataKey),
// made anew for every attempt to write it and kept only wrapped: as the Envelope
// that a WrappingKey made of it. A WrappingKey is a customer's key (SSE-C), a master
// key of a KeyService (SSE-KMS) or the cluster's own (SSE-S3). No key comes from a
// name, a number or a clock, so no key and nonce are ever used for two plaintexts.
//
//	wrap key   = HKDF-SHA-256(customer key, salt: random, "cairn ssec wrap v1")
//	wrapped    = AES-256-GCM(wrap key, nonce 0, data key, associated data "cairn envelope v1" kind)
//	extent key = HKDF-SHA-256(data key, salt: seal id, "cairn extent v1")
//	package i  = AES-256-GCM(extent key, nonce: i, plaintext, associated data:
//	             seal id (16) | i (8) | plaintext bytes of the package (8) | of the extent (8))
//
// How a key service wraps is its own (package kms); it authenticates
// "cairn envelope v1" kind SHA-256(encryption context) with each data key.
//
// Integers are big endian; a nonce is 96 bits. The wrap key is used once, for one
// salt, hence the fixed nonce. The seal id is random, recorded with the extent,
// and moves with it; so packages survive re-encoding and moving, and none fits
// another place, another extent, or an extent of another length.
//
// # Trust domains
//
// Two keys are of one domain (SameDomain) if the same people can open what either
// wrapped. Within one, sealed bytes may be shared by objects: the copy gets an
// envelope of its own of the same data key (Rewrap).
//
// # What it is not
//
// It stores nothing, and it knows no S3 message. Whether a request's key is the
// one an object was made with is asked of Matches, in constant time.
//
// # Keys in memory
//
// DataKey.Wipe and the functions here clear the copies of keys they own. The
// expanded key inside crypto/aes cannot be cleared and goes with the garbage.
// CustomerKey and DataKey print, and marshal, as "redacted".
//
// # Concurrency
//
// Functions, CustomerKey and DataKey are safe for concurrent use, except with
// Wipe. A Sealer and an Opener belong to one goroutine at a time.
package sse
