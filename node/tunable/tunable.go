// Package tunable has the settings of a node's background work and log that the cluster can change while it
// runs: what an operator turns at night. Each is also a setting of the node, which holds where the cluster
// says nothing. How the S3 API answers is turned by package profile.
package tunable

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/knob"
)

// Values are what the knobs say.
type Values struct {
	MoveRate      int64         // Bytes a second that moves bring to a node; 0: no limit.
	RepairRate    int64         // Bytes a second that a node rebuilds; 0: no limit.
	ScrubInterval time.Duration // Every drive is verified once in this time.
	GCGrace       time.Duration // Unreferenced data is kept for so long.
	LostAfter     time.Duration // A node that is down for so long is lost; 0: not by itself.
	LogLevel      string
}

// LogLevel is the knob of the log's level.
const LogLevel = "log-level"

// Bounds of knobs.
const (
	maxRate  = 1 << 40 // Bytes a second: more than any network.
	maxTime  = 10 * 365 * 24 * time.Hour
	leastGap = time.Second // Of what would otherwise run all the time, or take data from readers at once.
)

// LogLevels are the levels of a node's log.
var LogLevels = []string{"debug", "info", "warn", "error"}

// table is every knob. Their help is that of the node's settings, which have the same names.
var table = []knob.Knob[Values]{
	knob.Size("move-rate", 0, maxRate, func(v *Values) *int64 { return &v.MoveRate },
		"bytes a second that draining and rebalancing bring to a node at most; less while clients are busy (0: no limit)"),
	knob.Size("repair-rate", 0, maxRate, func(v *Values) *int64 { return &v.RepairRate },
		"bytes a second that a node rebuilds at most; less while clients are busy (0: no limit)"),
	knob.Duration("scrub-interval", leastGap, maxTime, func(v *Values) *time.Duration { return &v.ScrubInterval },
		"every shard's checksums are verified once in this time"),
	knob.Duration("gc-grace", leastGap, maxTime, func(v *Values) *time.Duration { return &v.GCGrace },
		"how long unreferenced data stays for readers that began before; longer than the longest read"),
	knob.Duration("lost-after", 0, maxTime, func(v *Values) *time.Duration { return &v.LostAfter },
		"a node that is down for this long without a break is declared lost, and what it held is rebuilt elsewhere "+
			"(0: only by an operator)"),
	knob.Choice(LogLevel, LogLevels, func(v *Values) *string { return &v.LogLevel },
		"how much nodes log; cairn log level changes one node for a while"),
}

// Knobs returns every knob, in the order of the table. The caller owns the slice.
func Knobs() []knob.Knob[Values] { return slices.Clone(table) }

// Has reports whether there is a knob of this name.
func Has(name string) bool { return find(name) != nil }

// Check returns nil if there is a knob of this name that takes value. Its error, of kind errs.Invalid, says
// what is wrong and what is allowed.
func Check(name, value string) error {
	k := find(name)
	if k == nil {
		names := make([]string, len(table))
		for i := range table {
			names[i] = table[i].Name
		}
		return errs.Newf("tunable.Check", errs.Invalid, "there is no setting %q; there are %s", name,
			strings.Join(names, ", "))
	}
	return k.Set(&Values{}, value)
}

// Over returns a node's own values with those of the cluster over them, by name. It always returns values,
// because a node must go on when a newer one has set what it does not know. What cannot be used is left out,
// and the error, of kind errs.Invalid, names it. Names that are no knobs are passed over.
func Over(own Values, cluster map[string]string) (Values, error) {
	var bad []error
	for _, name := range slices.Sorted(maps.Keys(cluster)) {
		if k := find(name); k != nil {
			bad = append(bad, k.Set(&own, cluster[name]))
		}
	}
	if err := errors.Join(bad...); err != nil {
		return own, errs.New("tunable.Over", errs.Invalid, err)
	}
	return own, nil
}

func find(name string) *knob.Knob[Values] {
	for i := range table {
		if table[i].Name == name {
			return &table[i]
		}
	}
	return nil
}
