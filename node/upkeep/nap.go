package upkeep

import "context"

// napper rests when there is nothing to do, which is always.
type napper struct{ c Config }

func newNapper(c Config) *napper { return &napper{c: c} }

// run rests for a round.
func (n *napper) run(context.Context) error { return nil }
