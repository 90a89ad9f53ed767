package node

import (
	"errors"
	"strings"

	"github.com/spf13/pflag"

	"github.com/cairnstore/cairn/s3api/profile"
)

// knobFlag is the setting of a run-time knob. It has no default of its own: a knob that is not set
// follows compat.
type knobFlag struct {
	knob  profile.Knob
	knobs *map[string]string // Config.Knobs.
}

// String implements pflag.Value.
func (f *knobFlag) String() string {
	if f.knobs == nil { // pflag asks a zero value for the zero default.
		return ""
	}
	return (*f.knobs)[f.knob.Name]
}

// Set implements pflag.Value.
func (f *knobFlag) Set(value string) error {
	if err := checkKnob(f.knob.Name, value); err != nil {
		return err
	}
	if *f.knobs == nil {
		*f.knobs = map[string]string{}
	}
	(*f.knobs)[f.knob.Name] = value
	return nil
}

// Type implements pflag.Value.
func (f *knobFlag) Type() string {
	if len(f.knob.Values) > 0 {
		return strings.Join(f.knob.Values, "|")
	}
	return f.knob.Type
}

// knobFlags registers a flag for each run-time knob.
func (c *Config) knobFlags(fs *pflag.FlagSet) {
	for _, k := range profile.Knobs() {
		help := k.Help + " (default " + k.OBS + ")"
		if k.OBS != k.AWS {
			help = k.Help + " (default " + k.OBS + "; with --compat aws: " + k.AWS + ")"
		}
		if k.Name == profile.CompatKnob {
			help = k.Help + " (default " + k.OBS + ")"
		}
		fs.Var(&knobFlag{knob: k, knobs: &c.Knobs}, k.Name, help)
	}
}

// checkKnob returns what is wrong with a knob's value, in words for an operator.
func checkKnob(name, value string) error {
	err := profile.Check(name, value)
	if cause := errors.Unwrap(err); cause != nil {
		return cause
	}
	return err
}

// setProfile puts the run-time knobs of the cluster, by name, over this node's own, and uses the
// result from now on. A knob of the cluster that this node cannot use is logged and left out.
func (n *Node) setProfile(settings map[string]string) {
	p, err := profile.FromSettings(n.cfg.Knobs, settings)
	if err != nil {
		n.log.Warn("settings of the cluster that this node cannot use", "cause", err)
	}
	n.profile.Store(p)
}
