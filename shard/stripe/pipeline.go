package stripe

import (
	"sync"

	"github.com/klauspost/reedsolomon"

	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/buf"
)

// pipeline cuts what a source gives into the units of one extent and pushes them to a fanout.
type pipeline struct {
	e     *Engine
	f     *fanout
	id    shard.ExtentID
	g     Geometry
	coder reedsolomon.Encoder // Nil: no parity.

	// fill puts the bytes of a block at the front of its payload: the plaintext, or the package
	// where packages are copied as they are.
	fill   func(block int, payload []byte) error
	seal   Sealer             // Nil: what fill gives is stored.
	digest func(plain []byte) // Takes the plaintext; nil: nothing does.
	crc    bool               // What fill gives is plaintext, whose CRCs are computed.

	sums   Sums     // Of the plaintext digested so far.
	slices [][]byte // Scratch of encode: one row of payloads.
}

// unitSet is the units of one stripe, by slot, in frame layout.
type unitSet struct {
	stripe int
	units  []*buf.Buf
}

// frameOf returns the frame of a row of a unit whose payloads are of one length.
func frameOf(unit *buf.Buf, row, payload int) []byte {
	size := payload + shard.CRCBytes
	return unit.Bytes()[row*size : (row+1)*size : (row+1)*size]
}

// run works through all stripes. It returns when the last one is pushed or the write has failed,
// and no goroutine of the pipeline runs then.
func (p *pipeline) run() error {
	p.slices = make([][]byte, p.g.Scheme.N())
	stripes := p.g.Stripes()
	if stripes == 1 { // There is nothing to do at the same time.
		set, err := p.next(0)
		if err != nil {
			return err
		}
		p.sum(set)
		p.encode(set)
		return p.f.failure()
	}
	filled, summed := make(chan *unitSet, WindowStripes), make(chan *unitSet, WindowStripes)
	var stages sync.WaitGroup
	stages.Go(func() {
		for set := range filled {
			p.sum(set)
			summed <- set
		}
		close(summed)
	})
	stages.Go(func() {
		for set := range summed {
			p.encode(set)
		}
	})
	err := p.fillAll(stripes, filled)
	close(filled)
	stages.Wait()
	if err != nil {
		return err
	}
	return p.f.failure()
}

func (p *pipeline) fillAll(stripes int, out chan<- *unitSet) error {
	for s := range stripes {
		set, err := p.next(s)
		if err != nil {
			return err
		}
		out <- set
	}
	return nil
}

// next waits for room and fills the data units of a stripe.
func (p *pipeline) next(stripe int) (*unitSet, error) {
	if err := p.f.admit(); err != nil {
		return nil, err
	}
	set := &unitSet{stripe: stripe, units: make([]*buf.Buf, p.g.Scheme.N())}
	for u := range int(p.g.Scheme.K) {
		set.units[u] = p.e.pool.Get(p.g.UnitBytes(stripe))
		if err := p.fillUnit(set, u); err != nil {
			set.release()
			return nil, err
		}
	}
	return set, nil
}

func (p *pipeline) fillUnit(set *unitSet, unit int) error {
	size := p.g.Payload(set.stripe)
	for row := range p.g.Rows(set.stripe) {
		frame := frameOf(set.units[unit], row, size)[:size]
		block, ok := p.g.BlockAt(Place{set.stripe, unit, row})
		if !ok {
			clear(frame)
			continue
		}
		used := p.g.BlockPlain(block) + p.g.Overhead
		clear(frame[used:])
		if err := p.fill(block, frame[:used:used]); err != nil {
			return err
		}
	}
	return nil
}

// sum digests the plaintext of a stripe.
func (p *pipeline) sum(set *unitSet) {
	if (p.digest == nil && !p.crc) || p.f.failure() != nil {
		return
	}
	p.eachBlock(set, func(block int, payload []byte) {
		plain := payload[:p.g.BlockPlain(block)]
		if p.crc {
			p.sums.Add(plain)
		}
		if p.digest != nil {
			p.digest(plain)
		}
	})
}

// eachBlock calls do with the blocks of a stripe in order.
func (p *pipeline) eachBlock(set *unitSet, do func(block int, payload []byte)) {
	size := p.g.Payload(set.stripe)
	for u := range int(p.g.Scheme.K) {
		for row := range p.g.Rows(set.stripe) {
			if block, ok := p.g.BlockAt(Place{set.stripe, u, row}); ok {
				do(block, frameOf(set.units[u], row, size)[:size])
			}
		}
	}
}

// encode seals a stripe, adds its parity and checksums, and pushes it. It goes row by row, so that
// each step finds in the cache what the one before has left there.
func (p *pipeline) encode(set *unitSet) {
	if p.f.failure() != nil {
		set.release()
		return
	}
	for i := int(p.g.Scheme.K); i < len(set.units); i++ {
		set.units[i] = p.e.pool.Get(p.g.UnitBytes(set.stripe))
	}
	for row := range p.g.Rows(set.stripe) {
		if err := p.encodeRow(set, row); err != nil {
			p.f.fail(err)
			set.release()
			return
		}
	}
	p.f.push(set.units)
}

func (p *pipeline) encodeRow(set *unitSet, row int) error {
	size := p.g.Payload(set.stripe)
	for u, unit := range set.units {
		payload := frameOf(unit, row, size)[:size]
		p.slices[u] = payload
		if p.seal == nil || u >= int(p.g.Scheme.K) {
			continue
		}
		if block, ok := p.g.BlockAt(Place{set.stripe, u, row}); ok {
			n := p.g.BlockPlain(block)
			p.seal.Seal(payload[:n+p.g.Overhead:n+p.g.Overhead], n, block)
		}
	}
	if p.coder != nil {
		if err := p.coder.Encode(p.slices); err != nil {
			return err
		}
	}
	at := set.stripe*shard.UnitBlocks + row
	for u, unit := range set.units {
		shard.SealFrame(shard.ID{Extent: p.id, Slot: uint8(u)}, at, frameOf(unit, row, size))
	}
	return nil
}

// release gives back those units that the set has.
func (s *unitSet) release() {
	for i, u := range s.units {
		if u != nil {
			u.Release()
			s.units[i] = nil
		}
	}
}
