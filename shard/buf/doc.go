// Package buf provides pooled, reference-counted byte buffers and a byte budget.
//
// A Pool hands out buffers of a few size classes, aligned to 64 bytes. It bounds what it keeps
// idle, and not what is in use. The latter is what Budget bounds: it admits requests before they
// take buffers, first come first served, and turns them away (Overloaded) if they would wait too
// long.
//
// Ownership: Get returns a buffer with one reference, which is the caller's. Passing a *Buf on
// passes that reference. Retain makes another one. Each reference is given back with Release
// exactly once. A []byte from Bytes must not be used after the reference under which it was taken
// is given back. A buffer is not cleared: after Get it may hold anything.
//
// Under the build tag invariants a released buffer is overwritten, and its handle is never used
// again. So use after release, and double release, fail loudly.
//
// All methods of Pool and Budget are safe for concurrent use, and so are Retain and Release of a
// Buf.
package buf
