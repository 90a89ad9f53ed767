// Package kms is the key service behind SSE-KMS and SSE-S3: it keeps master keys
// and wraps the data keys of package sse under them.
//
// # Keys
//
// A master key belongs to an account and is known by an id, and by aliases of its
// account. What the cluster knows of it (owner, state, aliases) is in the
// directory. Its material is there too, sealed under the root key (built in), or
// in an external service that never gives it away (Vault). A record without
// versions is that of an external key; both kinds work side by side, and Config
// says where new ones are made.
//
//	root       = 32 bytes of the operator's, or HKDF-SHA-256(cluster key, "cairn kms root v1")
//	seal key   = HKDF-SHA-256(root, "cairn kms seal v1")
//	sealed     = nonce (12, random) | AES-256-GCM(seal key, nonce, master key version,
//	             associated data: "cairn master key v1" | id bytes (2) | id | version (4))
//	built in   = AES-256-GCM(HKDF-SHA-256(master key version, salt: random,
//	             "cairn kms wrap v1"), nonce 0, data key, associated data: aad | id bytes (2) | id | version (4))
//	external   = AES-256-GCM(HKDF-SHA-256(domain key, salt: random, "cairn kms domain v1"),
//	             nonce 0, data key, associated data: aad | id bytes (2) | id | version (4)) |
//	             domain key as the external service wrapped it
//
// Integers are big endian; aad is what the caller binds to an envelope: its kind
// and the SHA-256 of its encryption context (package sse). A derived key is used
// for one salt, hence the fixed nonces.
//
// # Domain keys
//
// A multipart object has a data key for each part, and a call to an external
// service for each would make 10,000 calls of one GET. So the service wraps a
// domain key, for one master key and aad, and that wraps the data keys: every
// envelope carries the domain key that opens it. Domain keys are kept in memory, at
// most domainKeysMax of them and none longer than domainKeyLife. That is the time
// after which a key that was disabled at the external service stops working here;
// a key disabled here stops at once.
//
// # Deletion
//
// A key is deleted after a waiting time, by Purge, and with it everything that is
// encrypted under it is lost. Until then nothing can be opened with it either,
// which shows what would be lost.
//
// # Concurrency
//
// Everything is safe for concurrent use. Nodes act on the same directory; changes
// to one entry are checked against its revision.
package kms
