package main

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"

	"github.com/cairnstore/cairn/tools/load"
)

const (
	// minPart is the least that S3 takes as a part which is not the last.
	minPart = 5 * mib
	// largeObject is the size from which on a scale below 1 makes objects smaller, and not fewer.
	largeObject = 16 * mib
)

// plan scales the work that rows name to that of this run.
type plan struct {
	scale float64
	seed  uint64
}

func newPlan(scale float64, seed uint64) plan { return plan{scale, seed} }

// count scales a number of operations, but to no less than least.
func (p plan) count(n, least int) int { return max(int(float64(n)*p.scale), least) }

// objects are so many objects of a size, with so many clients at once.
type objects struct {
	count   int
	bytes   int64
	clients int
}

// objects scales objects. Large ones become smaller, down to the least size of a part. None becomes
// larger than the row says: a scale above 1 gives more of them.
func (p plan) objects(o objects) objects {
	if o.bytes >= largeObject && p.scale < 1 {
		o.bytes = max(int64(float64(o.bytes)*p.scale)/mib*mib, minPart)
		return o
	}
	o.count = p.count(o.count, min(o.count, o.clients))
	return o
}

func (o objects) total() int64 { return int64(o.count) * o.bytes }

func (o objects) String() string {
	return fmt.Sprintf("%d of %s, %s", o.count, sizeText(o.bytes), clientsText(o.clients))
}

func clientsText(n int) string {
	if n == 1 {
		return "one by one"
	}
	return fmt.Sprintf("%d at once", n)
}

func sizeText(n int64) string {
	switch {
	case n >= gib && n%gib == 0:
		return fmt.Sprintf("%d GiB", n/gib)
	case n >= mib && n%mib == 0:
		return fmt.Sprintf("%d MiB", n/mib)
	case n >= kib && n%kib == 0:
		return fmt.Sprintf("%d KiB", n/kib)
	}
	return fmt.Sprintf("%d B", n)
}

// value returns what a key holds. No two keys hold the same bytes.
func (p plan) value(key string, size int64) load.Value {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key)) // A hash takes everything.
	return load.Fresh(h.Sum64()^p.seed, size)
}

// dice returns random choices, which are the same on every target.
func (r *turn) dice() *rand.Rand { return rand.New(rand.NewPCG(r.seed, uint64(r.round))) }
