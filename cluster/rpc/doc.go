// Package rpc is how nodes talk to each other: a Transport that makes connections,
// one Server that listens, an HTTP client, and how errors and deadlines cross the
// wire.
//
// Everything is HTTP/1.1: for shard bytes it costs little more than half the CPU
// of HTTP/2, and small typed calls (Connect) run on the same listener. The URLs
// are http://HOST:PORT/…: mutual TLS is the Transport's business, underneath, so
// that the same code runs over a simulated network without it.
//
// # Errors
//
// An error crosses as its kind, a number (package errs), its operation and a short
// text. A caller decides by the kind. A failure of the network is Unavailable, a
// context that ended is Canceled; NotSent tells whether the request can have
// reached the peer at all. A status without a kind did not come from Cairn's
// handlers: it is Unavailable or Internal, never NotFound.
//
// # Deadlines
//
// Connect carries the caller's deadline; plain HTTP does by SetDeadline and
// WithDeadline.
//
// All types are safe for concurrent use.
package rpc
