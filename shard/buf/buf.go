package buf

import "sync/atomic"

// Buf is a buffer with a count of references. The package comment says who owns what.
type Buf struct {
	data  []byte // All of the buffer: as many bytes as its class has.
	n     int    // How many bytes Get was asked for.
	refs  atomic.Int32
	pool  *Pool
	class *class // Nil: the buffer is too large to be reused.
}

// Bytes returns the buffer's bytes, as many as Get was asked for.
func (b *Buf) Bytes() []byte {
	if invariants && b.refs.Load() <= 0 {
		panic("buf: Bytes of a released buffer")
	}
	return b.data[:b.n:b.n]
}

// Retain adds a reference.
func (b *Buf) Retain() {
	if b.refs.Add(1) <= 1 {
		panic("buf: Retain of a released buffer")
	}
}

// Release gives a reference back; the last one gives the buffer back to its pool.
func (b *Buf) Release() {
	switch n := b.refs.Add(-1); {
	case n == 0:
		b.pool.put(b)
	case n < 0:
		panic("buf: Release of a released buffer")
	}
}

// Wipe overwrites the bytes with zeros. Buffers that held plaintext of a sealed object are wiped
// before Release. The caller must hold the only reference.
func (b *Buf) Wipe() { clear(b.data[:b.n]) }
