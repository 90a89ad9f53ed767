package profile

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/knob"
)

// CompatKnob is the knob that the defaults of all others follow.
const CompatKnob = "compat"

// Knob is a row of the table.
type Knob struct {
	knob.Knob[Profile]
	OBS string // The default where compat is obs.
	AWS string // The default where compat is aws.
}

// Default returns the knob's value in a profile without overrides.
func (k *Knob) Default(c Compat) string {
	if c == AWS {
		return k.AWS
	}
	return k.OBS
}

// Knobs returns every knob, in the order of the table. The caller owns the slice.
func Knobs() []Knob { return slices.Clone(table) }

// Check returns nil if there is a knob of this name that takes value. Its error,
// of kind errs.Invalid, says what is wrong and what is allowed.
func Check(name, value string) error {
	k := find(name)
	if k == nil {
		return unknown(name)
	}
	return k.Set(&Profile{}, value)
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

// choice makes a knob of named values.
func choice[V ~string](name string, obs, aws V, values []V, field func(*Profile) *V, help string) Knob {
	return Knob{knob.Choice(name, values, field, help), string(obs), string(aws)}
}

// toggle makes a knob that is on or off.
func toggle(name string, obs, aws bool, field func(*Profile) *bool, help string) Knob {
	return Knob{knob.Toggle(name, field, help), knob.OnOff(obs), knob.OnOff(aws)}
}

// size makes a knob of bytes between 1 and most.
func size(name string, both, most int64, field func(*Profile) *int64, help string) Knob {
	return Knob{knob.Size(name, 1, most, field, help), knob.SizeText(both), knob.SizeText(both)}
}

// count makes a knob of a number between 1 and most.
func count(name string, both, most int, field func(*Profile) *int, help string) Knob {
	return Knob{knob.Count(name, most, field, help), strconv.Itoa(both), strconv.Itoa(both)}
}

// duration makes a knob of time between 1 ms and most.
func duration(name string, both, most time.Duration, field func(*Profile) *time.Duration, help string) Knob {
	return Knob{knob.Duration(name, time.Millisecond, most, field, help), both.String(), both.String()}
}

// text makes a knob whose value goes into a header.
func text(name, obs, aws string, field func(*Profile) *string, help string) Knob {
	return Knob{knob.Text(name, field, help), obs, aws}
}
