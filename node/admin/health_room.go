package admin

import (
	"fmt"

	"github.com/cairnstore/cairn/meta/room"
)

// checkRoom names the nodes that have little room for the metadata. That is critical where fewer than a
// majority of all votes have plenty, because the cluster then takes nothing that grows. A voter that
// does not tell its room counts as having plenty: checkNodes tells of it.
func (p *picture) checkRoom() (out []finding) {
	voters, _ := p.votes()
	plenty := 0
	for _, n := range p.nodes() {
		level, free := "", uint64(0)
		for id, r := range p.reports {
			if id.String() == n.Id && r.NodeReport != nil {
				level, free = r.MetadataRoom, r.MetadataFreeBytes
			}
		}
		if n.Voter && (level == "" || level == room.Plenty.String()) {
			plenty++
		}
		const action = "free space on the disk of its first data directory: another program may have filled it"
		switch level {
		case room.Low.String():
			out = append(out, finding{warning, fmt.Sprintf("the metadata of node %s have little room: %d MiB are free", nodeName(n), free>>20), action})
		case room.Full.String():
			out = append(out, finding{warning, fmt.Sprintf("the metadata of node %s have no room: it takes no changes", nodeName(n)), action})
		}
	}
	if len(out) > 0 && plenty < voters/2+1 {
		out = append([]finding{{critical, fmt.Sprintf("only %d of %d voters have room for the metadata: the cluster takes nothing that grows", plenty, voters),
			"free space on their disks"}}, out...)
	}
	return out
}
