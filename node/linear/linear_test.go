package linear

import (
	"testing"

	"github.com/anishathalye/porcupine"
)

// The model must refuse what no register does.
func TestRegisterModel(t *testing.T) {
	op := func(o Operation, call, end int64) porcupine.Operation {
		o.Key = "k"
		return porcupine.Operation{Input: o, Call: call, Return: end}
	}
	w := func(v string, call, end int64) porcupine.Operation {
		return op(Operation{Kind: Write, Value: v}, call, end)
	}
	r := func(v string, call, end int64) porcupine.Operation {
		return op(Operation{Kind: Read, Value: v}, call, end)
	}
	for name, c := range map[string]struct {
		ops []porcupine.Operation
		ok  bool
	}{
		"stale read":        {[]porcupine.Operation{w("a", 0, 1), w("b", 2, 3), r("a", 4, 5)}, false},
		"concurrent":        {[]porcupine.Operation{w("a", 0, 1), w("b", 2, 9), r("a", 4, 5)}, true},
		"unknown, late":     {[]porcupine.Operation{w("a", 0, 1<<62), r("", 4, 5), r("a", 6, 7)}, true},
		"lost":              {[]porcupine.Operation{w("a", 0, 1), r("", 2, 3)}, false},
		"came back":         {[]porcupine.Operation{w("a", 0, 1), w("b", 2, 3), r("b", 4, 5), r("a", 6, 7)}, false},
		"filled twice":      {[]porcupine.Operation{op(Operation{Kind: Fill, Value: "a"}, 0, 1), op(Operation{Kind: Fill, Value: "b"}, 2, 3)}, false},
		"fill unknown":      {[]porcupine.Operation{w("a", 0, 1), op(Operation{Kind: MayFill, Value: "b"}, 2, 1<<62)}, true},
		"declined when not": {[]porcupine.Operation{op(Operation{Kind: Declined}, 0, 1)}, false},
	} {
		if got := (&History{ops: c.ops}).Check() == nil; got != c.ok {
			t.Errorf("%s: accepted %v, want %v", name, got, c.ok)
		}
	}
}
