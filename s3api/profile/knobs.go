package profile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/cairnstore/cairn/cluster/errs"
)

// CompatKnob is the knob that the defaults of all others follow.
const CompatKnob = "compat"

// Types of knobs.
const (
	TypeChoice   = "choice"   // One of Knob.Values.
	TypeSwitch   = "switch"   // on or off.
	TypeCount    = "count"    // A whole number.
	TypeSize     = "size"     // Bytes, as people write them: 64KiB, 5MB, 1048576.
	TypeDuration = "duration" // As Go writes them: 500ms, 2s, 1m30s.
	TypeText     = "text"     // Printable ASCII.
)

// Knob is a row of the table.
type Knob struct {
	Name   string
	Type   string
	Values []string // What is allowed, of a choice or a switch.
	Unit   string   // Empty: none.
	OBS    string   // The default where compat is obs.
	AWS    string   // The default where compat is aws.
	Help   string

	set func(*Profile, string) error
	get func(*Profile) string
}

// Default returns the knob's value in a profile without overrides.
func (k *Knob) Default(c Compat) string {
	if c == AWS {
		return k.AWS
	}
	return k.OBS
}

// Value returns the knob's value in p, as it is written in settings.
func (k *Knob) Value(p *Profile) string { return k.get(p) }

// Knobs returns every knob, in the order of the table. The caller owns the slice.
func Knobs() []Knob { return slices.Clone(table) }

// Check returns nil if there is a knob of this name that takes value. Its error,
// of kind errs.Invalid, says what is wrong and what is allowed.
func Check(name, value string) error {
	k := find(name)
	if k == nil {
		return unknown(name)
	}
	return k.set(&Profile{}, value)
}

func find(name string) *Knob {
	for i := range table {
		if table[i].Name == name {
			return &table[i]
		}
	}
	return nil
}

func unknown(name string) error {
	names := make([]string, len(table))
	for i := range table {
		names[i] = table[i].Name
	}
	slices.Sort(names)
	return errs.Newf("profile.Check", errs.Invalid, "there is no setting %q; there are %s", name, strings.Join(names, ", "))
}

func refuse(name, value, allowed string) error {
	return errs.Newf("profile.Check", errs.Invalid, "%s: %q is not %s", name, value, allowed)
}

// choice makes a knob of named values.
func choice[T ~string](name string, obs, aws T, values []T, field func(*Profile) *T, help string) Knob {
	k := Knob{Name: name, Type: TypeChoice, OBS: string(obs), AWS: string(aws), Help: help}
	for _, v := range values {
		k.Values = append(k.Values, string(v))
	}
	k.set = func(p *Profile, v string) error {
		if !slices.Contains(k.Values, v) {
			return refuse(name, v, "one of "+strings.Join(k.Values, ", "))
		}
		*field(p) = T(v)
		return nil
	}
	k.get = func(p *Profile) string { return string(*field(p)) }
	return k
}

// toggle makes a knob that is on or off.
func toggle(name string, obs, aws bool, field func(*Profile) *bool, help string) Knob {
	k := Knob{Name: name, Type: TypeSwitch, Values: []string{"on", "off"}, OBS: onOff(obs), AWS: onOff(aws), Help: help}
	k.set = func(p *Profile, v string) error {
		if v != "on" && v != "off" {
			return refuse(name, v, "on or off")
		}
		*field(p) = v == "on"
		return nil
	}
	k.get = func(p *Profile) string { return onOff(*field(p)) }
	return k
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// size makes a knob of bytes between 1 and most.
func size(name string, both, most int64, field func(*Profile) *int64, help string) Knob {
	k := Knob{Name: name, Type: TypeSize, Unit: "bytes", OBS: sizeText(both), AWS: sizeText(both), Help: help}
	k.set = func(p *Profile, v string) error {
		n, err := humanize.ParseBytes(v)
		if err != nil || n < 1 || n > uint64(most) {
			return refuse(name, v, "a size such as 100KiB or 5MiB, between 1 and "+sizeText(most))
		}
		*field(p) = int64(n)
		return nil
	}
	k.get = func(p *Profile) string { return sizeText(*field(p)) }
	return k
}

// sizeText writes a size in the largest binary unit that it is a whole number of.
func sizeText(n int64) string {
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

// count makes a knob of a number between 1 and most.
func count(name string, both, most int, field func(*Profile) *int, help string) Knob {
	k := Knob{Name: name, Type: TypeCount, OBS: strconv.Itoa(both), AWS: strconv.Itoa(both), Help: help}
	k.set = func(p *Profile, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > most {
			return refuse(name, v, fmt.Sprintf("a number between 1 and %d", most))
		}
		*field(p) = n
		return nil
	}
	k.get = func(p *Profile) string { return strconv.Itoa(*field(p)) }
	return k
}

// duration makes a knob of time between 1 ms and most.
func duration(name string, both, most time.Duration, field func(*Profile) *time.Duration, help string) Knob {
	k := Knob{Name: name, Type: TypeDuration, Unit: "time", OBS: both.String(), AWS: both.String(), Help: help}
	k.set = func(p *Profile, v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d < time.Millisecond || d > most {
			return refuse(name, v, fmt.Sprintf("a duration such as 500ms or 2s, between 1ms and %s", most))
		}
		*field(p) = d
		return nil
	}
	k.get = func(p *Profile) string { return field(p).String() }
	return k
}

// maxTextBytes bounds a text that goes into a header.
const maxTextBytes = 64

// text makes a knob whose value goes into a header.
func text(name, obs, aws string, field func(*Profile) *string, help string) Knob {
	k := Knob{Name: name, Type: TypeText, OBS: obs, AWS: aws, Help: help}
	k.set = func(p *Profile, v string) error {
		printable := !strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' })
		if v == "" || len(v) > maxTextBytes || !printable || strings.TrimSpace(v) != v {
			return refuse(name, v, fmt.Sprintf("1 to %d printable ASCII characters", maxTextBytes))
		}
		*field(p) = v
		return nil
	}
	k.get = func(p *Profile) string { return *field(p) }
	return k
}
