package admin

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/shard"
)

// broughtBack is how many drives, at most, are named as those that would make data readable again.
const broughtBack = 12

// unreadable returns what the metadata count of the unreadable extents of a volume; nil if it has none.
func (p *picture) unreadable(id shard.VolumeID) *metapb.UnreadableVolume {
	for _, v := range p.counts.GetUnreadable() {
		if v.Volume == uint32(id) {
			return v
		}
	}
	return nil
}

// checkUnreadable says how much data cannot be read now, and what would bring it back.
func (p *picture) checkUnreadable() (out []finding) {
	c := p.counts
	if c.GetExtentsUnreadable() == 0 {
		return nil
	}
	action := "all drives that had them were removed: restore these objects from elsewhere"
	if back := p.bringBack(); len(back) > 0 {
		action = "any of these would help: " + strings.Join(back, "; ")
	}
	return []finding{{critical, fmt.Sprintf("%s (%s) of %s cannot be read: fewer shards than they need are there",
		plural(int(c.ExtentsUnreadable), "extent", "extents"), humanize.IBytes(c.BytesUnreadable),
		plural(int(c.VolumesUnreadable), "volume", "volumes")), action}}
}

// bringBack names the drives that would make extents readable. Each drive is named once, with the first
// such slot that it has. A drive whose node is unknown is left out: nobody could bring it back.
func (p *picture) bringBack() (out []string) {
	said := map[uint64]bool{}
	for _, v := range p.counts.GetUnreadable() {
		for _, s := range v.Slots {
			if s.Node == 0 || said[s.Drive] || len(out) == broughtBack {
				continue
			}
			said[s.Drive] = true
			out = append(out, fmt.Sprintf("%s: its drive %s has slot %d of volume %d", remedy(p.topo, cluster.DriveID(s.Drive), s.Down),
				cluster.DriveID(s.Drive), s.Slot, v.Volume))
		}
	}
	return out
}

// remedy says in words what to do so that the data of a drive can be read.
func remedy(topo *meta.Topology, d cluster.DriveID, down bool) string {
	n := topo.View.NodeOf(d)
	switch {
	case n == nil:
		return "bring back a node that was removed"
	case down || n.State == cluster.Lost:
		return fmt.Sprintf("start node %s (%s)", n.ID, n.S3Addr)
	case topo.View.StateOf(d) == cluster.Failed:
		return fmt.Sprintf("restart node %s (%s), whose drive failed", n.ID, n.S3Addr)
	case topo.View.StateOf(d) == cluster.Lost:
		return fmt.Sprintf("mount the drive again at node %s (%s)", n.ID, n.S3Addr)
	}
	return fmt.Sprintf("wait for node %s (%s)", n.ID, n.S3Addr)
}

// bringBack says what would make an extent readable: drives that do not answer, and drives that had a
// slot before it moved.
func (l *look) bringBack(topo *meta.Topology, v *shard.Volume, st *adminpb.ExtentStat) (out []string) {
	down := func(d cluster.DriveID) bool { _, err := l.c.Stores(d); return err != nil }
	for slot, sh := range st.Shards {
		if sh.State == shardUnreachable {
			out = append(out, fmt.Sprintf("%s: its drive %s has slot %d", remedy(topo, v.Slots[slot], true), v.Slots[slot], slot))
		}
		for _, f := range v.Formers {
			if sh.State == shardMissing && f.Slot == slot && f.Drive != v.Slots[slot] && topo.View.NodeOf(f.Drive) != nil {
				out = append(out, fmt.Sprintf("%s: its drive %s had slot %d", remedy(topo, f.Drive, down(f.Drive)), f.Drive, slot))
			}
		}
	}
	return out
}
