package alloc

import "github.com/cairnstore/cairn/shard"

// Placement is a kind of data as far as it decides under which scheme new extents are
// coded. Volumes do not know kinds: where two have the same scheme they share them.
type Placement uint8

// The kinds of data.
const (
	Standard Placement = iota // What is read at any time; warm copies too.
	Cold                      // What is to be restored before it is read.

	placements = iota
)

// scheme returns the scheme of a kind of data for a number of domains. That of cold
// data is never narrower than the standard one, nor does it bear fewer losses.
func (c *Config) scheme(p Placement, domains int) shard.Scheme {
	standard := shard.DefaultScheme(domains)
	if p == Standard {
		return standard
	}
	cold := c.ColdScheme
	if cold == (shard.Scheme{}) {
		cold = shard.ColdScheme(domains)
	}
	if cold.N() > domains || cold.N() < standard.N() || cold.M < standard.M {
		return standard
	}
	return cold
}
