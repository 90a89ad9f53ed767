package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
)

// deed is what one operation of a mixed load does.
type deed int

const (
	deedGet deed = iota
	deedPut
	deedRange
	deedHead
	deedCopy
	deedDelete
	deedList
	deeds
)

// shares says how many of a hundred operations are of each kind.
var shares = [deeds]int{deedGet: 45, deedPut: 25, deedRange: 10, deedHead: 8, deedCopy: 4, deedDelete: 5, deedList: 3}

// throw chooses a deed, by shares.
func throw(dice *rand.Rand) deed {
	at := dice.IntN(100)
	for d, share := range shares {
		if at -= share; at < 0 {
			return deed(d)
		}
	}
	return deedGet
}

// mixedThere is how many objects are read, copied and listed.
const mixedThere = 64

func mixed(name string, o objects) scenario {
	what := func(p plan) string {
		return fmt.Sprintf("of 100: %d GET, %d PUT, %d ranges, %d HEAD, %d copies, %d DELETE, %d lists; %v",
			shares[deedGet], shares[deedPut], shares[deedRange], shares[deedHead], shares[deedCopy], shares[deedDelete],
			shares[deedList], p.objects(o))
	}
	return scenario{name, what, formula{}, func(ctx context.Context, r *turn) error {
		m, err := r.prepareMix(ctx, r.plan.objects(o))
		if err != nil {
			return err
		}
		err = r.measure(ctx, m.o.clients, func() (work, error) {
			took, err := each(ctx, m.o.count, m.o.clients, m.do)
			return work{bytes: m.bytes.Load(), ops: m.o.count, took: took}, err
		})
		if err == nil {
			err = m.verify(ctx)
		}
		return errors.Join(err, r.empty(ctx, mixPrefix))
	}}
}

const mixPrefix = "mixed/"

// mix is a mixed load. What each operation does is decided before the clock runs.
type mix struct {
	*turn
	o     objects
	there func(int) string // The keys that are read.
	own   func(int) string // The key that an operation writes or removes.
	deeds []deed
	reads []int // Which key each operation reads.
	offs  []int64
	bytes atomic.Int64 // Of bodies.
}

// prepareMix decides what each operation does, and writes what will be read or removed.
func (r *turn) prepareMix(ctx context.Context, o objects) (*mix, error) {
	m := &mix{turn: r, o: o, there: numbered(mixPrefix + "there/"), own: numbered(mixPrefix + "own/")}
	dice := r.dice()
	var doomed []int
	for i := range o.count {
		m.deeds = append(m.deeds, throw(dice))
		m.reads = append(m.reads, dice.IntN(mixedThere))
		m.offs = append(m.offs, dice.Int64N(o.bytes))
		if m.deeds[i] == deedDelete {
			doomed = append(doomed, i)
		}
	}
	if _, err := r.write(ctx, objects{mixedThere, o.bytes, cleaners}, m.there); err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	_, err := r.write(ctx, objects{len(doomed), o.bytes, cleaners}, func(i int) string { return m.own(doomed[i]) })
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	return m, nil
}

func (m *mix) do(ctx context.Context, i int) error {
	from, own := m.there(m.reads[i]), m.own(i)
	whole := m.value(from, m.o.bytes)
	switch m.deeds[i] {
	case deedPut:
		m.bytes.Add(m.o.bytes)
		_, err := m.client.put(ctx, place{key: own}, m.value(own, m.o.bytes))
		return err
	case deedRange:
		n := m.o.bytes - m.offs[i]
		m.bytes.Add(n)
		return m.client.get(ctx, place{key: from}, whole, m.offs[i], n)
	case deedHead:
		n, err := m.client.size(ctx, place{key: from})
		if err == nil && n != m.o.bytes {
			err = wrong("%s: said to have %d bytes, it has %d", from, n, m.o.bytes)
		}
		return err
	case deedCopy:
		return m.client.copyObject(ctx, from, own)
	case deedDelete:
		return m.client.delete(ctx, place{key: own})
	case deedList:
		found, err := m.client.list(ctx, mixPrefix+"there/", "")
		if err != nil {
			return err
		}
		return found.want(mixedThere)
	}
	m.bytes.Add(m.o.bytes)
	return m.client.get(ctx, place{key: from}, whole, 0, m.o.bytes)
}

// verify checks what some of the operations have left.
func (m *mix) verify(ctx context.Context) error {
	left := map[deed]int{}
	for i, d := range m.deeds {
		if left[d]++; left[d] > sampled {
			continue
		}
		var err error
		switch d {
		case deedPut:
			err = m.read(ctx, m.own(i), m.o.bytes)
		case deedCopy:
			err = m.client.get(ctx, place{key: m.own(i)}, m.value(m.there(m.reads[i]), m.o.bytes), 0, m.o.bytes)
		case deedDelete:
			err = m.gone(ctx, m.own(i))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
