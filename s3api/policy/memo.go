package policy

import "strings"

// Memo remembers which conditions held, for a request that asks about very many objects one by one:
// a condition that does not depend on the object is evaluated once. Principal and facts must be the
// same for all objects, except the version id and the tags that an object has. A Memo is for one
// request, and is not safe for concurrent use.
type Memo struct{ said map[*condition]bool }

// NewMemo returns an empty memo.
func NewMemo() *Memo { return &Memo{said: make(map[*condition]bool)} }

// holds is condition.holds, remembered where it does not depend on the object. m may be nil.
func (m *Memo) holds(c *condition, r *Request, effect Effect) bool {
	if m == nil || c.perObject {
		return c.holds(r, effect)
	}
	held, known := m.said[c]
	if !known {
		held = c.holds(r, effect)
		m.said[c] = held
	}
	return held
}

// ofObject reports whether the values of a key may differ between objects of one request.
func ofObject(key string) bool {
	return key == KeyVersionID || strings.HasPrefix(key, ExistingTagPrefix)
}

// dependsOnObject reports whether a condition may hold for one object of a request and not for
// another, because of its key or of a variable in its operands.
func (c *condition) dependsOnObject() bool {
	if ofObject(c.key) {
		return true
	}
	for i := range c.operands {
		for _, p := range c.operands[i].patterns(c.op.class) {
			for _, s := range p.segments {
				for j := range s {
					if s[j].variable != "" && ofObject(s[j].variable) {
						return true
					}
				}
			}
		}
	}
	return false
}
