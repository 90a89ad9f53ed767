package state

import (
	"slices"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// addPin refers to extents until the pin is dropped or its session ends, so that they are not
// doomed while something is made of them.
func (t *tx) addPin(c *metapb.AddPin) *metapb.Result {
	pin, ok := keys.ParseID(c.Pin)
	if !ok {
		return invalid("a pin id has 16 bytes")
	}
	if t.has(keys.AppendPin(t.key(), pin)) {
		return refuse(metapb.Refusal_REFUSAL_ALREADY_DONE)
	}
	held, refusal := t.referents(c.Extents, nil)
	if refusal != nil {
		return refusal
	}
	t.hold(held, keys.Owner{Pin: true, ID: pin})
	t.set(keys.AppendPin(t.key(), pin), &metapb.Pin{Session: t.session.id[:], Extents: c.Extents})
	t.session.pins = append(t.session.pins, pin)
	return &metapb.Result{}
}

// dropPins drops pins of the session. It passes over those of others.
func (t *tx) dropPins(c *metapb.DropPins) *metapb.Result {
	for _, b := range c.Pins {
		t.dropPin(b)
	}
	return &metapb.Result{}
}

// dropPin drops a pin if it is the session's, and does nothing if it is not, or if id is empty.
func (t *tx) dropPin(id []byte) {
	pin, ok := keys.ParseID(id)
	if !ok {
		return
	}
	i := slices.Index(t.session.pins, pin)
	if i < 0 {
		return
	}
	t.session.pins = slices.Delete(t.session.pins, i, i+1)
	t.removePin(pin)
}

// removePin removes the record and the references of a pin.
func (t *tx) removePin(pin keys.ID) {
	rec := new(metapb.Pin)
	if !t.get(keys.AppendPin(t.key(), pin), rec) {
		t.fail(t.corrupt("a session's pin does not exist"))
		return
	}
	t.del(keys.AppendPin(t.key(), pin))
	t.release(record.ExtentsOf(rec.Extents), keys.Owner{Pin: true, ID: pin})
}
