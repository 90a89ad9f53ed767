// Package identity makes everything between nodes mutual TLS with one secret: the
// cluster key, 32 bytes, the only thing an operator hands out.
//
// Derived from it by HKDF-SHA-256, each under a label of its own: the key of the
// cluster's certificate authority (and so, deterministically, the CA certificate),
// the gossip key, and a public digest for diagnostics. Every node signs its own
// certificate when it starts and keeps it in memory; who has the key is a member,
// who has not can neither connect nor be connected to. Nothing is written to disk.
//
// Host names play no part: a certificate says which node it belongs to by the URI
// cairn://node/<node id>, and a peer is believed because the cluster's CA signed
// it, whatever its address. Operators who run a CA of their own use Load.
//
// It is not the S3 listener's identity; LoadServerCert and LocalCA, which serve that
// one, are here because they share the reloading of files.
//
// Everything is safe for concurrent use. No error and no String holds key bytes.
package identity
