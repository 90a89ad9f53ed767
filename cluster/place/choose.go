package place

import (
	"cmp"
	"encoding/binary"
	"math/bits"

	"github.com/cespare/xxhash/v2"

	"github.com/cairnstore/cairn/cluster"
)

// slackSlots is by how much a drive may be fuller than the least filled one and still count as
// equal, in slots of a drive of mean capacity.
const slackSlots = 1

// chooser makes one list.
type chooser struct {
	d          *Drives
	seed, list uint64

	onNode []int // Slots of the list by node, as in the view.
	inZone []int // Slots of the list by zone.
	share  int   // How many slots a zone may have by rule 2.
	most   int   // How many slots a node may have.
	held   bool  // Drives on hold may be taken too.
}

// choose begins a list. The chooser of the list before may not be used any more.
func (d *Drives) choose(seed, list uint64, share int) *chooser {
	c := &d.chosen
	if c.d == nil {
		*c = chooser{d: d, onNode: make([]int, len(d.zoneOf)), inZone: make([]int, len(d.inZone))}
	}
	clear(c.onNode)
	clear(c.inZone)
	c.seed, c.list, c.share, c.most, c.held = seed, list, share, len(d.list), false
	for i := range d.list {
		d.list[i].taken = false
	}
	return c
}

// chooseSpare begins with a list of which all slots are taken but one.
func (d *Drives) chooseSpare(q Vacancy) *chooser {
	c := d.choose(q.Seed, uint64(q.Slots[q.Slot]), 0)
	room := append([]int(nil), d.inZone...) // Drives by zone that the list can lie on.
	nodes, most := d.nodes, 1
	for i, id := range q.Slots {
		at, usable := d.index[id]
		if usable {
			d.list[at].taken = true
		}
		n := d.nodeOf(id)
		if n < 0 {
			continue
		}
		c.onNode[n]++
		most = max(most, c.onNode[n])
		if len(c.of(n)) == 0 && i != q.Slot && c.onNode[n] == 1 {
			nodes++
		}
		switch zone := d.zoneOf[n]; {
		case i != q.Slot:
			c.inZone[zone]++
			if !usable {
				room[zone]++
			}
		case usable:
			room[zone]--
		}
	}
	if n := d.nodeOf(q.Slots[q.Slot]); n >= 0 {
		c.onNode[n]--
	}
	w := Width{Slots: len(q.Slots), Spare: q.Spare}
	c.share, c.most, c.held = zoneShare(w, room), most, q.Held
	if c.share < w.Slots && nodes >= w.Slots {
		c.most = max(most, c.share)
	}
	return c
}

// of returns the usable drives of a node.
func (c *chooser) of(node int) []candidate { return c.d.list[c.d.first[node]:c.d.first[node+1]] }

// free reports whether a drive of a node that may have more slots can be taken.
func (c *chooser) free(d *candidate) bool { return !d.taken && (c.held || !d.held) }

// any reports whether a drive can be taken.
func (c *chooser) any() bool {
	for n := range c.onNode {
		if c.onNode[n] >= c.most {
			continue
		}
		for i := range c.of(n) {
			if c.free(&c.of(n)[i]) {
				return true
			}
		}
	}
	return false
}

// take adds the best drive to the list and returns it; nil where none is left.
func (c *chooser) take() *candidate {
	node, least := c.leastFilled()
	if node < 0 {
		return nil
	}
	var best *candidate
	score := 0.0
	for n := range c.onNode { // Rules 5 and 6.
		if c.onNode[n] >= c.most || c.crowd(n, node) != 0 {
			continue
		}
		for i := range c.of(n) {
			d := &c.of(n)[i]
			if !c.free(d) || d.filled() > least+slackSlots {
				continue
			}
			h := hash(c.seed, c.list, d.id)
			if best != nil && d.scoreBelow(h, score) {
				continue
			}
			if s := d.score(h); best == nil || s > score || s == score && d.id < best.id {
				best, score = d, s
			}
		}
	}
	best.taken = true
	best.slots++
	c.onNode[best.node]++
	c.inZone[c.d.zoneOf[best.node]]++
	return best
}

// leastFilled returns a node that is best by rules 1 to 4, and how full the least filled drive of
// all such nodes is. The node is -1 if there is none.
func (c *chooser) leastFilled() (node int, least float64) {
	node = -1
	for n := range c.onNode {
		if c.onNode[n] >= c.most {
			continue
		}
		better := node < 0
		if !better {
			crowd := c.crowd(n, node)
			if crowd > 0 {
				continue
			}
			better = crowd < 0
		}
		for i := range c.of(n) {
			d := &c.of(n)[i]
			if c.free(d) && (better || d.filled() < least) {
				node, least, better = n, d.filled(), false
			}
		}
	}
	return node, least
}

// crowd compares two nodes by rules 2 to 4. It is negative if a is better.
func (c *chooser) crowd(a, b int) int {
	za, zb := c.inZone[c.d.zoneOf[a]], c.inZone[c.d.zoneOf[b]]
	if over := za >= c.share; over != (zb >= c.share) {
		if over {
			return 1
		}
		return -1
	}
	return cmp.Or(cmp.Compare(c.onNode[a], c.onNode[b]), cmp.Compare(za, zb))
}

// score is what rule 6 compares.
func (c *candidate) score(hash uint64) float64 { return c.weight / negLog2(hash) }

// lessThanLog is a little less than log2(e) / 2^64.
const lessThanLog = 1.44 / (1 << 64)

// scoreBelow reports cheaply that the score is certainly below another one, which is so for most
// drives: -log2(x) is at least log2(e) * (1-x).
func (c *candidate) scoreBelow(hash uint64, score float64) bool {
	return c.weight/(float64(^hash)*lessThanLog) < score
}

// orderSalt keeps the order of a list independent of the choice of its drives.
const orderSalt = 0x6f72646572

// byOrderHash compares drives by a hash of their own for each list.
func byOrderHash(seed, list uint64) func(a, b cluster.DriveID) int {
	return func(a, b cluster.DriveID) int {
		return cmp.Or(cmp.Compare(hash(seed^orderSalt, list, a), hash(seed^orderSalt, list, b)), cmp.Compare(a, b))
	}
}

func hash(seed, list uint64, id cluster.DriveID) uint64 {
	var b [24]byte
	binary.LittleEndian.PutUint64(b[0:], seed)
	binary.LittleEndian.PutUint64(b[8:], list)
	binary.LittleEndian.PutUint64(b[16:], uint64(id))
	return xxhash.Sum64(b[:])
}

// logBits is the number of binary places of negLog2.
const logBits = 24

// negLog2 returns -log2(h / 2^64), which is above zero. It computes in integers only, because
// math.Log is not the same on all machines.
func negLog2(h uint64) float64 {
	h |= 1
	whole := bits.LeadingZeros64(h)
	m := h << whole // Mantissa: 1.63 fixed point, in [1, 2).
	var log uint64  // Of the mantissa, logBits places.
	for range logBits {
		hi, lo := bits.Mul64(m, m) // 2.126 fixed point, in [1, 4).
		log <<= 1
		if hi>>63 != 0 {
			log |= 1
			m = hi
		} else {
			m = hi<<1 | lo>>63
		}
	}
	fixed := uint64(whole+1)<<logBits - log
	return float64(fixed) / (1 << logBits)
}
