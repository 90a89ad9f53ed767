package state

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/query"
	"github.com/cairnstore/cairn/meta/record"
)

// drive returns a drive and its node; nil if there is none of that id.
func (m *memory) drive(id uint64) (*metapb.Node, *metapb.Drive) {
	for _, n := range m.nodes {
		for _, d := range n.Drives {
			if d.Id == id {
				return n, d
			}
		}
	}
	return nil, nil
}

// lifeOf returns the state of a drive, with its node's taken into account; LOST if there is none
// of that id.
func (m *memory) lifeOf(drive uint64) metapb.Life {
	n, d := m.drive(drive)
	if d == nil {
		return metapb.Life_LIFE_LOST
	}
	return record.LifeOf(n, d)
}

// holds reports whether any slot lies on a drive, or is on its way there.
func (m *memory) holds(drive uint64) bool {
	return slices.ContainsFunc(m.volumes, func(v *metapb.Volume) bool {
		return slices.Contains(v.Slots, drive) || v.Move.GetTo() == drive
	})
}

// setNode writes the record of a node and makes a new view.
func (t *tx) setNode(n *metapb.Node) {
	t.replaceNode(n)
	t.newView()
}

// replaceNode writes the record of a node and makes no new view. By itself it serves changes that
// no reader of the topology goes by.
func (t *tx) replaceNode(n *metapb.Node) {
	i, found := t.mem.findNode(n.Id)
	t.mem.nodes = slices.Clone(t.mem.nodes)
	if found {
		t.mem.nodes[i] = n
	} else {
		t.mem.nodes = slices.Insert(t.mem.nodes, i, n)
	}
	t.set(keys.AppendNode(t.key(), n.Id), n)
	t.noteNode(n.Id)
}

// noteNode notes that the record of a node was changed or removed.
func (t *tx) noteNode(id uint64) {
	t.views = append(t.views, query.ViewChange{Epoch: t.mem.cluster.ViewEpoch, Node: id})
}

// registered returns the record of a node that registers: what it says of itself, and what others
// have decided and reported before, as had says, its record so far or nil. A node or drive that
// was given up is active again, since it is back. A drive that the node does not name any more,
// and that slots lie on, stays in the record as lost.
func (t *tx) registered(n, had *metapb.Node) *metapb.Node {
	n = proto.Clone(n).(*metapb.Node)
	n.State = alive(had.GetState())
	for _, d := range n.Drives {
		old := new(metapb.Drive)
		if i := slices.IndexFunc(had.GetDrives(), func(o *metapb.Drive) bool { return o.Id == d.Id }); i >= 0 {
			old = had.Drives[i]
		}
		d.State, d.Full, d.Slow, d.UsedBytes, d.FreeBytes = alive(old.State), old.Full, old.Slow, old.UsedBytes, old.FreeBytes
		d.ReconciledEra = old.ReconciledEra
	}
	for _, d := range had.GetDrives() {
		named := slices.ContainsFunc(n.Drives, func(o *metapb.Drive) bool { return o.Id == d.Id })
		if !named && t.mem.holds(d.Id) {
			d = proto.Clone(d).(*metapb.Drive)
			d.State = metapb.Life_LIFE_LOST
			n.Drives = append(n.Drives, d)
		}
	}
	return n
}

// alive returns the state that a node or drive has when it is back, given the one that it had.
func alive(l metapb.Life) metapb.Life {
	if record.IsGone(l) {
		return metapb.Life_LIFE_ACTIVE
	}
	return l
}

// setNodeState makes a node active, draining or lost. To drain it is refused, unless forced, if
// that left too few domains for the volumes that have slots there. If it is lost its sessions
// end.
func (t *tx) setNodeState(c *metapb.SetNodeState) *metapb.Result {
	i, found := t.mem.findNode(c.Node)
	switch {
	case !found:
		return noSuch("node", c.Node)
	case c.State > metapb.Life_LIFE_LOST || c.State < 0:
		return invalid("a node is active, draining or lost")
	case c.ViewEpoch != 0 && c.ViewEpoch != t.mem.cluster.ViewEpoch:
		return refuse(metapb.Refusal_REFUSAL_STALE_EPOCH)
	case t.mem.nodes[i].State == c.State:
		return &metapb.Result{}
	}
	n := proto.Clone(t.mem.nodes[i]).(*metapb.Node)
	n.State = c.State
	if c.State == metapb.Life_LIFE_DRAINING && !c.Force {
		if r := t.checkRedundancy(n); r != nil {
			return r
		}
	}
	if c.State == metapb.Life_LIFE_LOST {
		t.endSessions(c.Node)
	}
	t.setNode(n)
	return &metapb.Result{}
}

// setDriveState makes a drive active, draining, lost or failed. To drain it is refused as for a
// node.
func (t *tx) setDriveState(c *metapb.SetDriveState) *metapb.Result {
	n, d := t.mem.drive(c.Drive)
	switch {
	case d == nil:
		return noSuch("drive", c.Drive)
	case c.State > metapb.Life_LIFE_FAILED || c.State < 0:
		return invalid("there is no such state of a drive")
	case c.ViewEpoch != 0 && c.ViewEpoch != t.mem.cluster.ViewEpoch:
		return refuse(metapb.Refusal_REFUSAL_STALE_EPOCH)
	case d.State == c.State:
		return &metapb.Result{}
	}
	n, d = cloneDrive(n, c.Drive)
	d.State = c.State
	if c.State == metapb.Life_LIFE_DRAINING && !c.Force {
		if r := t.checkRedundancy(n); r != nil {
			return r
		}
	}
	t.setNode(n)
	return &metapb.Result{}
}

// cloneDrive returns a copy of a node, and the drive in it.
func cloneDrive(n *metapb.Node, drive uint64) (*metapb.Node, *metapb.Drive) {
	n = proto.Clone(n).(*metapb.Node)
	i := slices.IndexFunc(n.Drives, func(d *metapb.Drive) bool { return d.Id == drive })
	return n, n.Drives[i]
}

// endSessions ends the open sessions of a node that is not expected to come back: else its leases
// and pins would be held for ever.
func (t *tx) endSessions(node uint64) {
	for _, s := range slices.Clone(t.mem.ordered) {
		if s.rec.Node == node && s.rec.Ended == 0 {
			t.endSession(s)
		}
	}
}

// noSuch refuses a command about a node or drive that does not belong to the cluster.
func noSuch(what string, id uint64) *metapb.Result {
	return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_NO_SUCH_NODE,
		Detail: fmt.Sprintf("no %s %016x belongs to the cluster", what, id)}
}

// checkRedundancy refuses a change of a node, or of a drive of it, that would cost redundancy. It
// does so if a volume with data has a slot there that would have to move, and fewer domains would
// be left to take data than the volume has slots. Domains are nodes or, if the cluster has one
// node, drives.
func (t *tx) checkRedundancy(changed *metapb.Node) *metapb.Result {
	nodes, drives := 0, 0
	for _, n := range t.mem.nodes {
		if n.Id == changed.Id {
			n = changed
		}
		here := activeDrives(n)
		drives += here
		if here > 0 {
			nodes++
		}
	}
	domains, what := nodes, "nodes"
	if len(t.mem.nodes) == 1 {
		domains, what = drives, "drives"
	}
	for _, v := range t.mem.volumes {
		n := record.SchemeOf(v).N()
		if domains >= n || t.mem.stats(v.Id).Extents == 0 || !t.touches(v, changed) {
			continue
		}
		return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_REDUNDANCY, Detail: fmt.Sprintf(
			"%d %s would be left to take data, and volumes coded %d+%d need %d: "+
				"add one first, or force it and keep less protection",
			domains, what, v.K, v.M, n)}
	}
	return nil
}

// activeDrives returns how many drives of a node can be given slots.
func activeDrives(n *metapb.Node) (count int) {
	if n.State != metapb.Life_LIFE_ACTIVE {
		return 0
	}
	for _, d := range n.Drives {
		if d.State == metapb.Life_LIFE_ACTIVE {
			count++
		}
	}
	return count
}

// touches reports whether a volume has a slot on a drive of a node that cannot be given any.
func (t *tx) touches(v *metapb.Volume, n *metapb.Node) bool {
	return slices.ContainsFunc(n.Drives, func(d *metapb.Drive) bool {
		idle := n.State != metapb.Life_LIFE_ACTIVE || d.State != metapb.Life_LIFE_ACTIVE
		return idle && slices.Contains(v.Slots, d.Id)
	})
}

// removeNode removes a node and its drives for good. It is refused, unless forced, while the node
// is active or slots lie on its drives.
func (t *tx) removeNode(c *metapb.RemoveNode) *metapb.Result {
	i, found := t.mem.findNode(c.Node)
	if !found {
		return noSuch("node", c.Node)
	}
	n := t.mem.nodes[i]
	if !c.Force {
		if n.State == metapb.Life_LIFE_ACTIVE {
			return notDrained("the node is active: drain it first, or force its removal")
		}
		if r := t.checkEmpty("node", n.Drives...); r != nil {
			return r
		}
	}
	for _, d := range n.Drives {
		t.tombstone(d.Id, true)
	}
	t.tombstone(n.Id, false)
	t.endSessions(n.Id)
	t.mem.nodes = slices.Delete(slices.Clone(t.mem.nodes), i, i+1)
	t.del(keys.AppendNode(t.key(), n.Id))
	t.noteNode(n.Id)
	t.newView()
	return &metapb.Result{}
}

// removeDrive removes a drive for good. It is refused, unless forced, while the drive is active or
// slots lie on it.
func (t *tx) removeDrive(c *metapb.RemoveDrive) *metapb.Result {
	n, d := t.mem.drive(c.Drive)
	if d == nil {
		return noSuch("drive", c.Drive)
	}
	if !c.Force {
		if t.mem.lifeOf(d.Id) == metapb.Life_LIFE_ACTIVE {
			return notDrained("the drive is active: drain it first, or force its removal")
		}
		if r := t.checkEmpty("drive", d); r != nil {
			return r
		}
	}
	t.tombstone(d.Id, true)
	n = proto.Clone(n).(*metapb.Node)
	n.Drives = slices.DeleteFunc(n.Drives, func(o *metapb.Drive) bool { return o.Id == c.Drive })
	t.setNode(n)
	return &metapb.Result{}
}

// checkEmpty refuses if slots lie on one of the drives, or are on their way there.
func (t *tx) checkEmpty(what string, drives ...*metapb.Drive) *metapb.Result {
	slots := 0
	for _, v := range t.mem.volumes {
		for _, d := range drives {
			for _, s := range append(slices.Clone(v.Slots), v.Move.GetTo()) {
				if s == d.Id {
					slots++
				}
			}
		}
	}
	if slots == 0 {
		return nil
	}
	return notDrained(fmt.Sprintf("%d slots of volumes are still on the %s: drain it first and wait, "+
		"or force its removal and lose what lies there alone", slots, what))
}

// notDrained refuses to remove what may hold data.
func notDrained(detail string) *metapb.Result {
	return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_NOT_DRAINED, Detail: detail}
}

// tombstone records that a node or drive was removed for good: see checkRemoved.
func (t *tx) tombstone(id uint64, drive bool) {
	t.set(keys.AppendRemoved(t.key(), id), &metapb.Removed{Index: t.position, Drive: drive})
}

// checkRemoved refuses a node that was removed for good, and one with a drive that was. What lies
// there is of a time that the metadata have forgotten.
func (t *tx) checkRemoved(n *metapb.Node) *metapb.Result {
	if t.has(keys.AppendRemoved(t.key(), n.Id)) {
		return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_REMOVED, Detail: fmt.Sprintf(
			"node %016x was removed from the cluster: empty its data directories to let it join as a new node", n.Id)}
	}
	for _, d := range n.Drives {
		if t.has(keys.AppendRemoved(t.key(), d.Id)) {
			return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_REMOVED, Detail: fmt.Sprintf(
				"drive %016x was removed from the cluster: take its directory out of --data, "+
					"or empty it to use it as a new drive", d.Id)}
		}
	}
	return nil
}

// reportDrive records what a node says of a drive while it runs. It makes a new view only if
// something changed that placement goes by, and not for each byte that is written.
func (t *tx) reportDrive(c *metapb.ReportDrive) *metapb.Result {
	n, d := t.mem.drive(c.Drive)
	if d == nil {
		return noSuch("drive", c.Drive)
	}
	was := d
	n, d = cloneDrive(n, c.Drive)
	if c.Failed {
		d.State = metapb.Life_LIFE_FAILED
	}
	d.Full, d.Slow, d.UsedBytes, d.FreeBytes = c.Full, c.Slow, c.UsedBytes, c.FreeBytes
	if c.CapacityBytes != 0 {
		d.CapacityBytes = c.CapacityBytes
	}
	switch {
	case proto.Equal(was, d):
	case was.State != d.State || was.Full != d.Full || was.Slow != d.Slow || was.CapacityBytes != d.CapacityBytes:
		t.setNode(n)
	default:
		t.replaceNode(n)
	}
	return &metapb.Result{}
}
