// Package buf provides pooled, reference-counted byte buffers and a byte budget.
//
// A Pool hands out buffers of a few size classes, aligned to 64 bytes. It bounds
// what it keeps idle, not what is in use: that is the business of Budget, which
// admits requests before they take buffers, first come first served, and turns
// them away (Overloaded) when they would wait too long.
//
// Ownership: Get returns a buffer with one reference, which is the caller's.
// Passing a *Buf on passes that reference; Retain makes another; each is given
// back with Release exactly once. A []byte from Bytes must not be used after the
// reference it was taken under is gone. What a buffer holds after Get is
// undefined: it is not cleared.
//
// Under the build tag invariants a released buffer is overwritten and its handle
// never used again, so that use after release and double release fail loudly.
//
// All methods of Pool and Budget are safe for concurrent use, and so are Retain
// and Release of a Buf.
package buf
