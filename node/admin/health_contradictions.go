package admin

import (
	"fmt"

	"github.com/cairnstore/cairn/cluster"
)

// checkContradictions tells of commands that nodes refused because records contradict each other. All
// nodes apply the same commands to the same records. Where two have refused different commands, the
// records of one of them are damaged, which is critical; otherwise all have the same contradiction.
func (p *picture) checkContradictions() (out []finding) {
	var most uint64
	var record string
	for _, n := range p.topo.View.Nodes {
		r := p.reports[n.ID]
		if r == nil || r.NodeReport == nil {
			continue
		}
		if r.Contradictions > most {
			most, record = r.Contradictions, r.ContradictingRecord
		}
		for _, other := range r.DisagreesWith {
			out = append(out, finding{critical, fmt.Sprintf("nodes %s and %s have refused different commands for contradictions: the metadata of one of them are damaged",
				n.ID, cluster.NodeID(other)),
				"bring back voters that are down: most of them say which it is, and that one makes its metadata anew; where there are no others, see docs/operations.md, \"A record is bad\""})
		}
	}
	if most > 0 {
		out = append(out, finding{warning, fmt.Sprintf("%d commands were refused since records of the metadata contradict each other, the last one for %s", most, record),
			"what needs these records fails until they are mended: see docs/operations.md, \"A record is bad\""})
	}
	return out
}
