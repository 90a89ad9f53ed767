package alloc

import "github.com/cairnstore/cairn/shard"

// Placement is a kind of data, which decides under which scheme new extents are coded. Volumes do
// not know kinds: kinds of the same scheme share volumes.
type Placement uint8

// The kinds of data.
const (
	Standard Placement = iota // It is read at any time. Warm copies are of this kind.
	Cold                      // It has to be restored before it is read.

	placements = iota
)

// scheme returns the scheme of a kind of data for a number of domains. The scheme of cold data is
// never narrower than the standard one, and never bears fewer losses.
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
