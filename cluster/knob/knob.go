// Package knob describes settings that can be changed while a cluster runs: their names, what they may be, and
// how a value that people write becomes a field. Which knobs there are is said by those whose fields they set.
package knob

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/cairnstore/cairn/cluster/errs"
)

// Types of knobs.
const (
	TypeChoice   = "choice"   // One of Knob.Values.
	TypeSwitch   = "switch"   // on or off.
	TypeCount    = "count"    // A whole number.
	TypeSize     = "size"     // Bytes, as people write them: 64KiB, 5MB, 1048576.
	TypeDuration = "duration" // As Go writes them: 500ms, 2s, 1m30s.
	TypeText     = "text"     // Printable ASCII.
)

// Knob is a setting that is a field of T.
type Knob[T any] struct {
	Name   string
	Type   string
	Values []string // What is allowed, of a choice or a switch.
	Unit   string   // Empty: none.
	Help   string

	set func(*T, string) error
	get func(*T) string
}

// Set sets the knob's field of t. Its error, of kind errs.Invalid, says what is wrong and what is allowed.
func (k *Knob[T]) Set(t *T, value string) error { return k.set(t, value) }

// Value returns the knob's value in t, as it is written in settings.
func (k *Knob[T]) Value(t *T) string { return k.get(t) }

func refuse(name, value, allowed string) error {
	return errs.Newf("knob.Set", errs.Invalid, "%s: %q is not %s", name, value, allowed)
}

// Choice makes a knob of named values.
func Choice[T any, V ~string](name string, values []V, field func(*T) *V, help string) Knob[T] {
	k := Knob[T]{Name: name, Type: TypeChoice, Help: help}
	for _, v := range values {
		k.Values = append(k.Values, string(v))
	}
	k.set = func(t *T, v string) error {
		if !slices.Contains(k.Values, v) {
			return refuse(name, v, "one of "+strings.Join(k.Values, ", "))
		}
		*field(t) = V(v)
		return nil
	}
	k.get = func(t *T) string { return string(*field(t)) }
	return k
}

// Toggle makes a knob that is on or off.
func Toggle[T any](name string, field func(*T) *bool, help string) Knob[T] {
	k := Knob[T]{Name: name, Type: TypeSwitch, Values: []string{"on", "off"}, Help: help}
	k.set = func(t *T, v string) error {
		if v != "on" && v != "off" {
			return refuse(name, v, "on or off")
		}
		*field(t) = v == "on"
		return nil
	}
	k.get = func(t *T) string { return OnOff(*field(t)) }
	return k
}

// OnOff writes the value of a switch.
func OnOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// Size makes a knob of bytes.
func Size[T any](name string, least, most int64, field func(*T) *int64, help string) Knob[T] {
	k := Knob[T]{Name: name, Type: TypeSize, Unit: "bytes", Help: help}
	k.set = func(t *T, v string) error {
		n, err := humanize.ParseBytes(v)
		if err != nil || n < uint64(least) || n > uint64(most) {
			return refuse(name, v, "a size such as 100KiB or 5MiB, between "+SizeText(least)+" and "+SizeText(most))
		}
		*field(t) = int64(n)
		return nil
	}
	k.get = func(t *T) string { return SizeText(*field(t)) }
	return k
}

// SizeText writes a size in the largest binary unit that it is a whole number of.
func SizeText(n int64) string {
	for _, u := range []struct {
		bytes int64
		name  string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= u.bytes && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// Count makes a knob of a number between 1 and most.
func Count[T any](name string, most int, field func(*T) *int, help string) Knob[T] {
	k := Knob[T]{Name: name, Type: TypeCount, Help: help}
	k.set = func(t *T, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > most {
			return refuse(name, v, fmt.Sprintf("a number between 1 and %d", most))
		}
		*field(t) = n
		return nil
	}
	k.get = func(t *T) string { return strconv.Itoa(*field(t)) }
	return k
}

// Duration makes a knob of time.
func Duration[T any](name string, least, most time.Duration, field func(*T) *time.Duration, help string) Knob[T] {
	k := Knob[T]{Name: name, Type: TypeDuration, Unit: "time", Help: help}
	k.set = func(t *T, v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d < least || d > most {
			return refuse(name, v, fmt.Sprintf("a duration such as 500ms or 2s, between %s and %s", least, most))
		}
		*field(t) = d
		return nil
	}
	k.get = func(t *T) string { return field(t).String() }
	return k
}

// maxTextBytes bounds a text that goes into a header.
const maxTextBytes = 64

// Text makes a knob whose value goes into a header.
func Text[T any](name string, field func(*T) *string, help string) Knob[T] {
	k := Knob[T]{Name: name, Type: TypeText, Help: help}
	k.set = func(t *T, v string) error {
		printable := !strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' })
		if v == "" || len(v) > maxTextBytes || !printable || strings.TrimSpace(v) != v {
			return refuse(name, v, fmt.Sprintf("1 to %d printable ASCII characters", maxTextBytes))
		}
		*field(t) = v
		return nil
	}
	k.get = func(t *T) string { return *field(t) }
	return k
}
