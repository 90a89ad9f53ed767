package load

import (
	"fmt"
	"maps"
	"slices"
)

// state is what a key may hold; absent where there is no object.
type state struct {
	present bool
	value   Value
}

// entry is what is known of a key.
type entry struct {
	states []state // What it may hold; one where it is known.
	closed bool    // Nobody writes the key again: an attempt may still be under way.
}

// model is the keys of one client.
type model struct {
	keys  map[string]*entry
	bytes int64 // Of objects that are known to be there.
}

func newModel() *model { return &model{keys: make(map[string]*entry)} }

func (m *model) of(key string) *entry {
	if e := m.keys[key]; e != nil {
		return e
	}
	return &entry{states: []state{{}}}
}

// told notes an acknowledged change. attempts is how many it took.
func (m *model) told(key string, now state, attempts int) {
	e := m.of(key)
	m.bytes += now.value.Size() - e.size()
	m.keys[key] = &entry{states: []state{now}, closed: attempts > 1}
}

// untold notes a change whose outcome is not known.
func (m *model) untold(key string, perhaps state) {
	e := m.of(key)
	m.bytes -= e.size()
	m.keys[key] = &entry{states: append(slices.Clone(e.states), perhaps), closed: true}
}

// size returns the bytes that the key is known to hold.
func (e *entry) size() int64 {
	if len(e.states) != 1 {
		return 0
	}
	return e.states[0].value.Size()
}

// known returns what the key holds. It returns false if that is not known.
func (e *entry) known() (state, bool) { return e.states[0], len(e.states) == 1 }

// mayBeAbsent reports whether there may be no object.
func (e *entry) mayBeAbsent() bool {
	return slices.ContainsFunc(e.states, func(s state) bool { return !s.present })
}

// present returns the keys that are known to hold an object, in order.
func (m *model) present() (keys []string) {
	for _, k := range slices.Sorted(maps.Keys(m.keys)) {
		if s, ok := m.keys[k].known(); ok && s.present {
			keys = append(keys, k)
		}
	}
	return keys
}

// judgeList compares a list of all keys, with their sizes, to what they must be.
func (m *model) judgeList(got map[string]int64) error {
	for _, key := range slices.Sorted(maps.Keys(m.keys)) {
		e := m.keys[key]
		size, listed := got[key]
		if !listed && !e.mayBeAbsent() {
			return &Mismatch{fmt.Sprintf("the list lacks %s", key)}
		}
		fits := func(s state) bool { return s.present && s.value.Size() == size }
		if listed && !slices.ContainsFunc(e.states, fits) {
			return &Mismatch{fmt.Sprintf("the list has %s with %d bytes", key, size)}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if m.keys[key] == nil {
			return &Mismatch{fmt.Sprintf("the list has %s, which nobody wrote", key)}
		}
	}
	return nil
}
