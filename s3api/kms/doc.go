// Package kms is the key service behind SSE-KMS and SSE-S3: it keeps master keys
// and wraps the data keys of package sse under them.
//
// # Keys
//
// A master key belongs to an account. It has an id, and may have aliases in its
// account. Its owner, state and aliases are in the directory. The material of a
// built-in key is there too, sealed under the root key. That of an external key is
// in an external service (Vault), which never gives it away. An external key's
// record has no versions. Both kinds work side by side, and Config says which kind
// new keys are.
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
// Integers are big endian. aad is what the caller binds to an envelope: its kind and
// the SHA-256 of its encryption context (package sse). Each derived key belongs to
// one random salt and is used once, so its nonce can be fixed.
//
// # Domain keys
//
// A multipart object has a data key for each part. If each needed a call to the
// external service, one GET could make 10,000 calls. So the external service wraps a
// domain key, which belongs to one master key and aad, and the domain key wraps the
// data keys. Every envelope carries the wrapped domain key that opens it. At most
// domainKeysMax domain keys are kept in memory, and none longer than domainKeyLife.
// So a key that is disabled at the external service stops working here after that
// time; a key that is disabled here stops at once.
//
// # Deletion
//
// Purge deletes a key after a waiting time. Everything that is encrypted under the
// key is lost then. During the waiting time nothing can be opened with it either, so
// that somebody notices what would be lost.
//
// # Concurrency
//
// Everything is safe for concurrent use. Nodes change the same directory, so each
// change of an entry is checked against the entry's revision.
package kms
