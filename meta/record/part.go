package record

import (
	"github.com/cairnstore/cairn/meta/metapb"
)

// PartFault says what is wrong with a part; it returns "" if nothing is. The bytes of a part
// are inline or in extents, never both, and their lengths add up to its size. Inline bytes
// that are sealed are longer than the plaintext in them, so their length is not compared.
func PartFault(p *metapb.Part) string {
	if len(p.Extents) == 0 {
		if len(p.Envelopes) == 0 && uint64(len(p.Inline)) != p.Size {
			return "a part's inline bytes are not of its size"
		}
		return ""
	}
	var sum uint64
	for _, r := range p.Extents {
		sum += r.Length
		if r.Length > p.Size || int(r.Envelope) > len(p.Envelopes) {
			return "a part's reference is longer than the part, or names no envelope"
		}
	}
	if sum != p.Size || len(p.Inline) != 0 {
		return "a part's references are not of its size"
	}
	return ""
}

// PartNumberMax is the greatest part number.
const PartNumberMax = 10000
