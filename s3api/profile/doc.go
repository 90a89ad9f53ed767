// Package profile is what an operator may change while the cluster runs, and where
// OBS and AWS differ.
//
// A Profile is an immutable snapshot of every knob. Its values come from the
// profile that `compat` names (obs, the default, or aws), then from the settings of
// the node, then from those of the cluster. Knobs is the one table of them: their
// names, values, defaults and meaning; flags, validation, `cairn config` and
// docs/compatibility.md are made from it.
//
// A difference between OBS and AWS is decided here and nowhere else: as a knob, or
// as the way in which Style tells errors and documents. Whoever answers a request
// takes one snapshot and asks it.
//
// Everything here is pure and safe for concurrent use.
package profile
