package buf

import (
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/cairnstore/cairn/shard"
)

const (
	// AlignBytes is the alignment of every buffer: a cache line, and the width of the widest
	// vector.
	AlignBytes = 64

	// DefaultIdleBytes is how much a Pool keeps for reuse if Config says nothing: the buffers of
	// about five writers of 4+2.
	DefaultIdleBytes = 32 << 20

	poison = 0xdb
)

// Config says what a Pool keeps. The zero value means the defaults.
type Config struct {
	// Classes are the sizes of buffers that are reused, in any order. Default: 4 KiB, 16 KiB, and
	// 1, 2 and shard.UnitBlocks frames. Larger buffers are made for each Get and left to the
	// garbage collector.
	Classes []int

	// IdleBytes bounds the released buffers that are kept for reuse. 0 means DefaultIdleBytes; a
	// negative one means that none are kept.
	IdleBytes int64
}

// Pool hands out buffers.
type Pool struct {
	classes   []class // Ascending by size.
	idleLimit int64
	idle      atomic.Int64 // Bytes in the free lists.
	live      atomic.Int64 // Buffers not yet released.
	liveBytes atomic.Int64
}

// class is the free list of one size. What was released last is given out first, because it is
// still in the cache.
type class struct {
	size int
	mu   sync.Mutex
	free []*Buf
}

// New returns an empty pool.
func New(c Config) *Pool {
	sizes := c.Classes
	if len(sizes) == 0 {
		sizes = []int{4 << 10, 16 << 10, shard.FrameBytes, 2 * shard.FrameBytes, shard.UnitBlocks * shard.FrameBytes}
	}
	sizes = slices.Clone(sizes)
	for i := range sizes {
		sizes[i] = roundUp(sizes[i])
	}
	slices.Sort(sizes)
	sizes = slices.Compact(sizes)
	p := &Pool{classes: make([]class, len(sizes)), idleLimit: c.IdleBytes}
	if p.idleLimit == 0 {
		p.idleLimit = DefaultIdleBytes
	}
	for i, n := range sizes {
		p.classes[i].size = n
	}
	return p
}

// Get returns a buffer of n bytes, which may hold anything. The caller owns it.
func (p *Pool) Get(n int) *Buf {
	b := p.take(n)
	b.n = n
	b.refs.Store(1)
	p.live.Add(1)
	p.liveBytes.Add(int64(len(b.data)))
	return b
}

// Live returns how many buffers are in use. Tests check that it is back at zero.
func (p *Pool) Live() int64 { return p.live.Load() }

// LiveBytes returns the size of the buffers in use.
func (p *Pool) LiveBytes() int64 { return p.liveBytes.Load() }

// IdleBytes returns the size of the buffers kept for reuse.
func (p *Pool) IdleBytes() int64 { return p.idle.Load() }

func (p *Pool) take(n int) *Buf {
	for i := range p.classes {
		if c := &p.classes[i]; n <= c.size {
			if b := c.pop(); b != nil {
				p.idle.Add(-int64(c.size))
				return b
			}
			return &Buf{pool: p, class: c, data: alignedBytes(c.size)}
		}
	}
	return &Buf{pool: p, data: alignedBytes(roundUp(n))}
}

// put takes back a buffer that has no references any more.
func (p *Pool) put(b *Buf) {
	p.live.Add(-1)
	p.liveBytes.Add(-int64(len(b.data)))
	if invariants {
		fill(b.data, poison)
	}
	if b.class == nil {
		return
	}
	size := int64(b.class.size)
	if p.idle.Add(size) > p.idleLimit {
		p.idle.Add(-size)
		return
	}
	if invariants {
		// A new handle is made, and the old one stays released for ever.
		b = &Buf{pool: p, class: b.class, data: b.data}
	}
	b.class.push(b)
}

func (c *class) pop() *Buf {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := len(c.free) - 1
	if last < 0 {
		return nil
	}
	b := c.free[last]
	c.free[last] = nil
	c.free = c.free[:last]
	return b
}

func (c *class) push(b *Buf) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.free = append(c.free, b)
}

func roundUp(n int) int {
	return max(AlignBytes, (n+AlignBytes-1)&^(AlignBytes-1))
}

// alignedBytes returns n zero bytes whose first lies on an AlignBytes border.
func alignedBytes(n int) []byte {
	b := make([]byte, n)
	// Large allocations are page aligned already, and the collector moves none.
	if off := int(uintptr(unsafe.Pointer(&b[0])) & (AlignBytes - 1)); off != 0 {
		b = make([]byte, n+AlignBytes)
		off = int(uintptr(unsafe.Pointer(&b[0])) & (AlignBytes - 1))
		skip := (AlignBytes - off) & (AlignBytes - 1)
		b = b[skip : skip+n : skip+n]
	}
	return b
}

func fill(b []byte, v byte) {
	for i := range b {
		b[i] = v
	}
}
