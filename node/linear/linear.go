// Package linear judges what clients saw of registers: whether every answer is one
// that a single register per key could have given, in an order that agrees with
// real time. porcupine does the judging.
package linear

import (
	"bytes"
	"fmt"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// checkTimeout bounds the check of one register, in real time.
const checkTimeout = 30 * time.Second

// Kind is what an operation does to its register.
type Kind int

// Kinds.
const (
	Read     Kind = iota
	Write         // Value.
	Copy          // One of Values: what another register held; nil: any ever written.
	Fill          // Value, if the register is empty.
	MayFill       // A fill whose outcome is not known: it may be declined as well.
	Declined      // A fill that found it filled.
)

// Operation is one request to one register. The empty value is no object.
type Operation struct {
	Key    string
	Kind   Kind
	Value  string
	Values []string
}

func (o Operation) String() string {
	return fmt.Sprintf("%s %s %q", o.Key, []string{"reads", "writes", "copies", "fills", "may fill", "declines"}[o.Kind], o.Value)
}

// History collects operations. Safe for concurrent use.
type History struct {
	start time.Time

	mu  sync.Mutex
	ops []porcupine.Operation
}

// NewHistory returns an empty history whose clock starts now.
func NewHistory() *History { return &History{start: time.Now()} }

// Now returns the history's time.
func (h *History) Now() int64 { return int64(time.Since(h.start)) }

// Add notes an operation that began at call; its end is not known where it may
// take effect at any time later.
func (h *History) Add(client int, o Operation, call int64, known bool) {
	end := h.Now()
	if !known {
		end = 1 << 62
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: o, Call: call, Output: nil, Return: end})
}

// Check judges each register on its own.
func (h *History) Check() error {
	byKey := map[string][]porcupine.Operation{}
	var ever []string // Of all registers: copies may have been copied.
	for _, op := range h.ops {
		o := op.Input.(Operation)
		byKey[o.Key] = append(byKey[o.Key], op)
		if o.Kind == Write || o.Kind == Fill || o.Kind == MayFill {
			ever = append(ever, o.Value)
		}
	}
	for key, ops := range byKey {
		for i, op := range ops {
			if o := op.Input.(Operation); o.Kind == Copy && o.Values == nil {
				o.Values = ever
				ops[i].Input = o
			}
		}
		switch porcupine.CheckOperationsTimeout(registerModel(), ops, checkTimeout) {
		case porcupine.Illegal:
			return fmt.Errorf("register %s is not linearizable:\n%sall:\n%s", key, listing(ops), listing(h.ops))
		case porcupine.Unknown:
			return fmt.Errorf("register %s: the check of %d operations took too long", key, len(ops))
		}
	}
	return nil
}

func listing(ops []porcupine.Operation) string {
	var b bytes.Buffer
	for _, op := range ops {
		fmt.Fprintf(&b, "  client %d %12d .. %-20d %s\n", op.ClientId, op.Call, op.Return, op.Input)
	}
	return b.String()
}

// registerModel is a register that holds a value or nothing.
func registerModel() porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{""} },
		Step: func(state, input, _ any) []any {
			o := input.(Operation)
			switch o.Kind {
			case Read:
				if state != o.Value {
					return nil
				}
			case Write:
				return []any{o.Value}
			case Copy:
				out := make([]any, len(o.Values))
				for i, v := range o.Values {
					out[i] = v
				}
				return append(out, state) // The source may have been empty.
			case Fill:
				if state != "" {
					return nil
				}
				return []any{o.Value}
			case MayFill:
				if state == "" {
					return []any{o.Value}
				}
			case Declined:
				if state == "" {
					return nil
				}
			}
			return []any{state}
		},
	}
	return m.ToModel()
}
