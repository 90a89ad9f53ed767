package iam

import (
	"iter"
	"strings"

	"github.com/tidwall/btree"
)

// table has values by name, in the order of the names. A copy can be changed without changing the
// table it was made from; both share what is the same in both. So a snapshot of the directory costs
// as much as has changed since the one before. Many may read a table while a copy of it is changed.
// The zero table is empty, and values cannot be set in it.
type table[V any] struct{ rows *btree.Map[string, V] }

func newTable[V any]() table[V] { return table[V]{new(btree.Map[string, V])} }

// copied returns a copy that can be changed. There must be no other call of copied at the same
// time.
func (t table[V]) copied() table[V] { return table[V]{t.rows.Copy()} }

// get returns the value of a name, or the zero value if there is none.
func (t table[V]) get(name string) (v V) {
	if t.rows != nil {
		v, _ = t.rows.Get(name)
	}
	return v
}

func (t table[V]) set(name string, v V)      { t.rows.Set(name, v) }
func (t table[V]) delete(name string)        { t.rows.Delete(name) }
func (t table[V]) all() iter.Seq2[string, V] { return t.under("") }

func (t table[V]) len() int {
	if t.rows == nil {
		return 0
	}
	return t.rows.Len()
}

// under returns the values whose names begin with prefix, in the order of the names.
func (t table[V]) under(prefix string) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		if t.rows != nil {
			t.rows.Ascend(prefix, func(name string, v V) bool { return strings.HasPrefix(name, prefix) && yield(name, v) })
		}
	}
}
