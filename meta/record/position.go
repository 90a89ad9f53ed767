package record

import "github.com/cairnstore/cairn/meta/metapb"

// Position returns the position of the last command that was applied: its number in the order
// in which all are applied. It is the index of the command's log entry, or more where entries up
// to it have carried several commands each.
func Position(a *metapb.Applied) uint64 { return a.GetIndex() + a.GetAhead() }
