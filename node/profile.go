package node

import (
	"errors"
	"strings"

	"github.com/spf13/pflag"

	"github.com/cairnstore/cairn/node/admin"
	"github.com/cairnstore/cairn/node/tunable"
	"github.com/cairnstore/cairn/node/upkeep"
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

// applySettings puts the settings of the cluster, by name, over this node's own, and uses the result from now
// on. What this node cannot use of them is logged and left out.
func (n *Node) applySettings(cluster map[string]string) {
	own := n.ownSettings()
	p, err := profile.FromSettings(own.Knobs, admin.OfProfile(cluster))
	n.profile.Store(p)
	t, badTunables := tunable.Over(own.Tunables, cluster)
	n.tunables.Store(&t)
	if err := n.logs.Configure(t.LogLevel); err != nil {
		n.log.Warn("the log level of the settings cannot be used", "cause", err)
	}
	if err := errors.Join(err, badTunables); err != nil {
		n.log.Warn("settings of the cluster that this node cannot use", "cause", err)
	}
}

// ownSettings are this node's settings that those of the cluster come before.
func (n *Node) ownSettings() admin.OwnSettings {
	return admin.OwnSettings{Knobs: n.cfg.Knobs, Tunables: tunables(n.cfg), Defaults: tunables(Defaults())}
}

// tunables are the settings of a node's background work and log that the cluster may change.
func tunables(c Config) tunable.Values {
	return tunable.Values{MoveRate: int64(c.MoveRate), RepairRate: int64(c.RepairRate), ScrubInterval: c.ScrubEvery,
		GCGrace: c.GCGrace, LostAfter: c.LostAfter, LogLevel: c.LogLevel}
}

// upkeepTerms are what the settings say now of upkeep's pace.
func (n *Node) upkeepTerms() upkeep.Terms {
	t := n.tunables.Load()
	return upkeep.Terms{LostAfter: t.LostAfter, MoveRate: t.MoveRate, RepairRate: t.RepairRate,
		ScrubInterval: t.ScrubInterval, Grace: max(t.GCGrace, n.cfg.BackupHorizon)}
}
