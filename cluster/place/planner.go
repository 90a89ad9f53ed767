package place

import (
	"cmp"
	"encoding/binary"
	"math/bits"

	"github.com/cespare/xxhash/v2"

	"github.com/cairnstore/cairn/cluster"
)

// slackSlots is how much fuller than the least filled drive, in slots of a drive
// of mean capacity, another may be and still count as equal.
const slackSlots = 1

// candidate is a usable drive.
type candidate struct {
	id     cluster.DriveID
	node   int     // Index into planner.onNode.
	zone   int     // Index into planner.inZone.
	weight float64 // Capacity, as a multiple of the mean.
	slots  int     // Held before and planned so far.

	score float64 // Of the current list: weighted rendezvous hash.
	taken bool    // In the current list.
}

// filled returns how full the drive is once it has one slot more. It divides and
// never multiplies and adds, which some machines round differently.
func (c *candidate) filled() float64 { return float64(c.slots+1) / c.weight }

// planner makes lists one after the other.
type planner struct {
	drives []candidate // In the view's order.
	onNode []int       // Slots of the current list by node, as in the view.
	inZone []int       // Slots of the current list by zone, in order of first mention.
	zoneOf []int       // Zone of each node of the view.
}

func newPlanner(v *cluster.View, usable func(cluster.DriveID) bool, load func(cluster.DriveID) int) *planner {
	p := &planner{onNode: make([]int, len(v.Nodes)), zoneOf: make([]int, len(v.Nodes))}
	zones := make(map[string]int) // Looked up, never walked.
	var sum float64
	for i := range v.Nodes {
		z, ok := zones[v.Nodes[i].Zone]
		if !ok {
			z = len(zones)
			zones[v.Nodes[i].Zone] = z
		}
		p.zoneOf[i] = z
		for _, d := range v.Nodes[i].Drives {
			if !usable(d.ID) {
				continue
			}
			c := candidate{id: d.ID, node: i, zone: z, slots: max(0, load(d.ID)),
				weight: float64(max(1, d.CapacityBytes))}
			sum += c.weight
			p.drives = append(p.drives, c)
		}
	}
	for i := range p.drives {
		p.drives[i].weight /= sum / float64(len(p.drives))
	}
	p.inZone = make([]int, len(zones))
	return p
}

// begin starts a list.
func (p *planner) begin(seed, list uint64) {
	clear(p.onNode)
	clear(p.inZone)
	for i := range p.drives {
		d := &p.drives[i]
		d.taken = false
		d.score = d.weight / negLog2(hash(seed, list, d.id))
	}
}

// occupy marks a drive as part of the list; counts says that its node and zone
// hold a slot by it.
func (p *planner) occupy(v *cluster.View, id cluster.DriveID, counts bool) {
	for i := range p.drives {
		if p.drives[i].id == id {
			p.drives[i].taken = true
		}
	}
	node := v.NodeOf(id)
	if node == nil || !counts {
		return
	}
	for i := range v.Nodes {
		if v.Nodes[i].ID == node.ID {
			p.onNode[i]++
			p.inZone[p.zoneOf[i]]++
		}
	}
}

// take adds the best drive to the list and returns its index; -1 where none is left.
func (p *planner) take() int {
	best, least := -1, 0.0
	for i := range p.drives { // Rules 1 to 3, and the least filled of rule 4.
		if p.drives[i].taken {
			continue
		}
		if best >= 0 {
			if c := p.crowd(i, best); c > 0 || c == 0 && p.drives[i].filled() >= least {
				continue
			}
		}
		best, least = i, p.drives[i].filled()
	}
	if best < 0 {
		return -1
	}
	for i, first := 0, best; i < len(p.drives); i++ { // Rules 4 and 5.
		d := &p.drives[i]
		if !d.taken && p.crowd(i, first) == 0 && d.filled() <= least+slackSlots && p.beats(i, best) {
			best = i
		}
	}
	d := &p.drives[best]
	d.taken = true
	d.slots++
	p.onNode[d.node]++
	p.inZone[d.zone]++
	return best
}

// crowd compares two drives by rules 2 and 3; negative prefers a.
func (p *planner) crowd(a, b int) int {
	x, y := &p.drives[a], &p.drives[b]
	if c := cmp.Compare(p.onNode[x.node], p.onNode[y.node]); c != 0 {
		return c
	}
	return cmp.Compare(p.inZone[x.zone], p.inZone[y.zone])
}

// beats reports whether drive a comes before b by rule 5.
func (p *planner) beats(a, b int) bool {
	x, y := &p.drives[a], &p.drives[b]
	return x.score > y.score || x.score == y.score && x.id < y.id
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

// negLog2 returns -log2(h / 2^64), above zero, in integers only: math.Log is not
// the same on all machines.
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
