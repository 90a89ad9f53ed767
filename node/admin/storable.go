package admin

import (
	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/place"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/shard"
)

// room returns about how many bytes of objects can still be stored, and under which scheme: what is free on
// the drives that take writes, less parity, and less what cannot be used since each shard of a stripe lies in
// another failure domain. Zones, checksums and each drive's reserve are left out of it.
func (p *picture) room(nodes []*adminpb.NodeStatus) (uint64, shard.Scheme) {
	usable := map[string]uint64{} // Free bytes, by drive.
	for _, n := range nodes {
		for _, d := range n.Drives {
			if d.State == DriveOK || d.State == driveSlow {
				usable[d.Id] = d.FreeBytes
			}
		}
	}
	is := func(d cluster.DriveID) bool { _, ok := usable[d.String()]; return ok }
	s := shard.DefaultScheme(max(1, place.Domains(p.topo.View, is)))
	several := place.SeveralNodes(p.topo.View)
	var domains []uint64
	for _, n := range p.topo.View.Nodes {
		var here uint64
		for _, d := range n.Drives {
			if several {
				here += usable[d.ID.String()]
			} else {
				domains = append(domains, usable[d.ID.String()])
			}
		}
		if several {
			domains = append(domains, here)
		}
	}
	return storable(s, domains), s
}

// storable returns how many bytes of data fit into failure domains with so much free, where no two shards of a
// stripe share one: as many as the longest slots of which the domains hold all.
func storable(s shard.Scheme, free []uint64) uint64 {
	n := uint64(s.N())
	fits := func(slot uint64) bool {
		var held uint64
		for _, f := range free {
			held += min(f, slot)
		}
		return held/n >= slot
	}
	var all uint64
	for _, f := range free {
		all += f
	}
	least, most := uint64(0), all/n // It fits in the one, and in nothing longer than the other.
	for least < most {
		middle := most - (most-least)/2
		if fits(middle) {
			least = middle
		} else {
			most = middle - 1
		}
	}
	return least * uint64(s.K)
}
