package state

import (
	"math/bits"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/shard"
)

// doLife is do for the life of nodes, drives and volumes.
func (m *model) doLife(c *metapb.Command) *metapb.Result {
	switch op := c.Op.(type) {
	case *metapb.Command_SetNodeState:
		return m.setNodeState(op.SetNodeState)
	case *metapb.Command_SetDriveState:
		return m.setDriveState(op.SetDriveState)
	case *metapb.Command_RemoveNode:
		n := m.nodes[op.RemoveNode.Node]
		if n == nil {
			return no(metapb.Refusal_REFUSAL_NO_SUCH_NODE)
		}
		if !op.RemoveNode.Force && (n.State == metapb.Life_LIFE_ACTIVE || m.slotsOn(n.Drives) > 0) {
			return no(metapb.Refusal_REFUSAL_NOT_DRAINED)
		}
		for _, d := range n.Drives {
			m.removed[d.Id] = &metapb.Removed{Index: m.index, Drive: true}
		}
		m.removed[n.Id] = &metapb.Removed{Index: m.index}
		m.endSessions(n.Id)
		delete(m.nodes, n.Id)
		return m.newView()
	case *metapb.Command_RemoveDrive:
		n, d := m.drive(op.RemoveDrive.Drive)
		if d == nil {
			return no(metapb.Refusal_REFUSAL_NO_SUCH_NODE)
		}
		idle := n.State != metapb.Life_LIFE_ACTIVE || d.State != metapb.Life_LIFE_ACTIVE
		if !op.RemoveDrive.Force && (!idle || m.slotsOn([]*metapb.Drive{d}) > 0) {
			return no(metapb.Refusal_REFUSAL_NOT_DRAINED)
		}
		m.removed[d.Id] = &metapb.Removed{Index: m.index, Drive: true}
		n.Drives = slices.DeleteFunc(n.Drives, func(o *metapb.Drive) bool { return o == d })
		return m.newView()
	case *metapb.Command_ReportDrive:
		return m.reportDrive(op.ReportDrive)
	}
	return m.doMove(c)
}

func (m *model) newView() *metapb.Result {
	m.cluster.ViewEpoch++
	return &metapb.Result{}
}

func (m *model) drive(id uint64) (*metapb.Node, *metapb.Drive) {
	for _, n := range m.nodes {
		for _, d := range n.Drives {
			if d.Id == id {
				return n, d
			}
		}
	}
	return nil, nil
}

func (m *model) slotsOn(drives []*metapb.Drive) (count int) {
	for _, v := range m.volumes {
		for _, d := range drives {
			if slices.Contains(v.Slots, d.Id) || v.Move.GetTo() == d.Id {
				count++
			}
		}
	}
	return count
}

// takes reports whether a drive takes slots.
func (m *model) takes(id uint64) bool {
	n, d := m.drive(id)
	return d != nil && n.State == metapb.Life_LIFE_ACTIVE && d.State == metapb.Life_LIFE_ACTIVE
}

func (m *model) setNodeState(c *metapb.SetNodeState) *metapb.Result {
	n := m.nodes[c.Node]
	switch {
	case n == nil:
		return no(metapb.Refusal_REFUSAL_NO_SUCH_NODE)
	case c.State > metapb.Life_LIFE_LOST:
		return no(metapb.Refusal_REFUSAL_INVALID)
	case c.ViewEpoch != 0 && c.ViewEpoch != m.cluster.ViewEpoch:
		return no(metapb.Refusal_REFUSAL_STALE_EPOCH)
	case n.State == c.State:
		return &metapb.Result{}
	}
	was := n.State
	n.State = c.State
	if c.State == metapb.Life_LIFE_DRAINING && !c.Force && !m.enough(n) {
		n.State = was
		return no(metapb.Refusal_REFUSAL_REDUNDANCY)
	}
	if c.State == metapb.Life_LIFE_LOST {
		m.endSessions(n.Id)
	}
	return m.newView()
}

func (m *model) setDriveState(c *metapb.SetDriveState) *metapb.Result {
	n, d := m.drive(c.Drive)
	switch {
	case d == nil:
		return no(metapb.Refusal_REFUSAL_NO_SUCH_NODE)
	case c.State > metapb.Life_LIFE_FAILED:
		return no(metapb.Refusal_REFUSAL_INVALID)
	case c.ViewEpoch != 0 && c.ViewEpoch != m.cluster.ViewEpoch:
		return no(metapb.Refusal_REFUSAL_STALE_EPOCH)
	case d.State == c.State:
		return &metapb.Result{}
	}
	was := d.State
	d.State = c.State
	if c.State == metapb.Life_LIFE_DRAINING && !c.Force && !m.enough(n) {
		d.State = was
		return no(metapb.Refusal_REFUSAL_REDUNDANCY)
	}
	return m.newView()
}

// enough reports whether there are domains for the slots of all volumes with data on idle
// drives of n.
func (m *model) enough(n *metapb.Node) bool {
	places := 0
	for _, o := range m.nodes {
		if here := slices.IndexFunc(o.Drives, func(d *metapb.Drive) bool { return m.takes(d.Id) }); here >= 0 {
			places++
		}
	}
	if len(m.nodes) == 1 {
		places = 0
		for _, d := range n.Drives {
			if m.takes(d.Id) {
				places++
			}
		}
	}
	sums := m.volumeStats()
	for _, v := range m.volumes {
		for _, d := range n.Drives {
			if !m.takes(d.Id) && slices.Contains(v.Slots, d.Id) && sums[v.Id].Extents > 0 && places < len(v.Slots) {
				return false
			}
		}
	}
	return true
}

func (m *model) reportDrive(c *metapb.ReportDrive) *metapb.Result {
	_, d := m.drive(c.Drive)
	if d == nil {
		return no(metapb.Refusal_REFUSAL_NO_SUCH_NODE)
	}
	was := proto.Clone(d).(*metapb.Drive)
	if c.Failed {
		d.State = metapb.Life_LIFE_FAILED
	}
	if c.CapacityBytes != 0 {
		d.CapacityBytes = c.CapacityBytes
	}
	d.Full, d.Slow = c.Full, c.Slow
	if !proto.Equal(was, d) {
		m.cluster.ViewEpoch++
	}
	d.UsedBytes, d.FreeBytes = c.UsedBytes, c.FreeBytes
	return &metapb.Result{}
}

func (m *model) doMove(c *metapb.Command) *metapb.Result {
	switch op := c.Op.(type) {
	case *metapb.Command_StartMove:
		s := op.StartMove
		v := m.volume(s.Volume)
		switch {
		case v == nil:
			return no(metapb.Refusal_REFUSAL_NO_SUCH_VOLUME)
		case v.Epoch != s.Epoch:
			return no(metapb.Refusal_REFUSAL_STALE_EPOCH)
		case v.Move != nil:
			return no(metapb.Refusal_REFUSAL_MOVING)
		case s.Slot > 2 || slices.Contains(v.Slots, s.To) || !m.takes(s.To):
			return no(metapb.Refusal_REFUSAL_INVALID)
		case s.Rebuild && !m.canDoWithout(v, s.Slot):
			return no(metapb.Refusal_REFUSAL_NOT_REBUILDABLE)
		}
		v.Move = &metapb.Move{Slot: s.Slot, To: s.To, Rebuild: s.Rebuild, Started: m.index}
		return m.newView()
	case *metapb.Command_FinishMove:
		f := op.FinishMove
		v := m.volume(f.Volume)
		switch {
		case v == nil:
			return no(metapb.Refusal_REFUSAL_NO_SUCH_VOLUME)
		case v.Move == nil || v.Move.Slot != f.Slot || v.Move.To != f.To || v.Epoch != f.Epoch:
			return no(metapb.Refusal_REFUSAL_NO_MOVE)
		case v.Move.LastNew > f.SeenIndex || v.Move.Started > f.SeenIndex:
			return no(metapb.Refusal_REFUSAL_MOVE_BEHIND)
		case v.Move.Rebuild && !m.canDoWithout(v, f.Slot):
			return no(metapb.Refusal_REFUSAL_NOT_REBUILDABLE)
		}
		m.rememberFormer(v)
		v.Epoch++
		if v.SlotEpochs == nil {
			v.SlotEpochs = make([]uint32, 3)
		}
		v.SlotEpochs[f.Slot], v.Slots[f.Slot], v.Move = v.Epoch, f.To, nil
		return m.newView()
	case *metapb.Command_CancelMove:
		v := m.volume(op.CancelMove.Volume)
		if v == nil || v.Move == nil || v.Move.Slot != op.CancelMove.Slot || v.Move.To != op.CancelMove.To {
			return no(metapb.Refusal_REFUSAL_NO_MOVE)
		}
		v.Move = nil
		return m.newView()
	}
	panic("the model does not know this command")
}

// canDoWithout reports whether a slot may be taken from its drive though nothing is
// copied. The bound is that of the volume's sums: what is wrong for each extent alone
// is wrong for it too (TestLawOfMoves).
func (m *model) canDoWithout(v *metapb.Volume, slot uint32) bool {
	if _, d := m.drive(v.Slots[slot]); d == nil {
		return true
	}
	s := m.volumeStats()[v.Id]
	if s.Extents == 0 {
		return true
	}
	lost, partly := 0, 0
	for i, d := range v.Slots {
		switch {
		case uint32(i) == slot || m.isGone(d):
			lost++
		case i < len(s.MissingSlots) && s.MissingSlots[i] > 0:
			partly++
		}
	}
	return lost+min(partly, len(s.Missing)) <= int(v.M)
}

// isGone reports whether what lies on a drive is given up.
func (m *model) isGone(id uint64) bool {
	n, d := m.drive(id)
	given := func(l metapb.Life) bool { return l >= metapb.Life_LIFE_LOST }
	return d == nil || given(n.State) || given(d.State)
}

// rememberFormer notes where the slot was whose rebuild is finished, and forgets those
// of slots that miss nothing.
func (m *model) rememberFormer(v *metapb.Volume) {
	s := m.volumeStats()[v.Id]
	v.Former = slices.DeleteFunc(v.Former, func(f *metapb.Former) bool {
		return int(f.Slot) >= len(s.MissingSlots) || s.MissingSlots[f.Slot] == 0 || f.Drive == v.Move.To
	})
	if n, _ := m.drive(v.Slots[v.Move.Slot]); n != nil && v.Move.Rebuild {
		v.Former = append(v.Former, &metapb.Former{Slot: v.Move.Slot, Drive: v.Slots[v.Move.Slot], Node: n.Id})
	}
	v.Former = v.Former[max(0, len(v.Former)-formersMax):]
}

// mustStay reports whether a drive must keep a shard of an extent that exists: one that
// is not in its place may go where the extent lacks nothing.
func (m *model) mustStay(drive uint64, id shard.ExtentID, slot int) bool {
	v := m.volumes[id.Volume-1]
	if v.Slots[slot] == drive || v.Move.GetTo() == drive && int(v.Move.GetSlot()) == slot {
		return true
	}
	return m.extents[id].Missing != 0 || slices.ContainsFunc(v.Slots, m.isGone)
}

func (m *model) volume(id uint32) *metapb.Volume {
	if id == 0 || int(id) > len(m.volumes) {
		return nil
	}
	return m.volumes[id-1]
}

// stayed returns the slots of a volume that have not moved since an epoch.
func (m *model) stayed(volume, epoch uint32) uint32 {
	set := uint32(7)
	for i, e := range m.volumes[volume-1].SlotEpochs {
		if e > epoch {
			set &^= 1 << i
		}
	}
	return set
}

func (m *model) setMissing(op *metapb.SetMissing) *metapb.Result {
	for _, e := range op.Add {
		if rec := m.extents[record.ExtentID(e.Volume, e.Seq)]; rec != nil {
			rec.Missing |= e.Slots & m.stayed(e.Volume, e.Epoch)
		}
	}
	for _, e := range op.Remove {
		if rec := m.extents[record.ExtentID(e.Volume, e.Seq)]; rec != nil {
			was := rec.Missing
			rec.Missing &^= e.Slots & m.stayed(e.Volume, e.Epoch)
			m.arrived(e.Volume, was&^rec.Missing)
		}
	}
	return &metapb.Result{}
}

func (m *model) arrived(volume, slots uint32) {
	if v := m.volumes[volume-1]; v.Move != nil && slots>>v.Move.Slot&1 != 0 {
		v.Move.LastNew = m.index
	}
}

// register merges what a node says of itself with what others decided.
func (m *model) register(n *metapb.Node) *metapb.Result {
	if m.removed[n.Id] != nil || slices.ContainsFunc(n.Drives, func(d *metapb.Drive) bool { return m.removed[d.Id] != nil }) {
		return no(metapb.Refusal_REFUSAL_REMOVED)
	}
	old := m.nodes[n.Id]
	back := func(l metapb.Life) metapb.Life {
		if l == metapb.Life_LIFE_DRAINING {
			return l
		}
		return metapb.Life_LIFE_ACTIVE
	}
	n.State = back(old.GetState())
	for i, d := range n.Drives {
		d.State = metapb.Life_LIFE_ACTIVE
		if _, had := m.drive(d.Id); had != nil {
			c := proto.Clone(had).(*metapb.Drive)
			c.State, c.CapacityBytes = back(had.State), d.CapacityBytes
			n.Drives[i] = c
		}
	}
	for _, d := range old.GetDrives() {
		if !slices.ContainsFunc(n.Drives, func(o *metapb.Drive) bool { return o.Id == d.Id }) && m.slotsOn([]*metapb.Drive{d}) > 0 {
			c := proto.Clone(d).(*metapb.Drive)
			c.State = metapb.Life_LIFE_LOST
			n.Drives = append(n.Drives, c)
		}
	}
	if old == nil || !proto.Equal(old, n) {
		m.nodes[n.Id] = n
		m.cluster.ViewEpoch++
	}
	return &metapb.Result{ClusterId: m.cluster.Id}
}

// volumeStats counts afresh what every volume holds.
func (m *model) volumeStats() map[uint32]*metapb.VolumeStats {
	all := map[uint32]*metapb.VolumeStats{}
	for _, v := range m.volumes {
		all[v.Id] = &metapb.VolumeStats{}
	}
	bump := func(list *[]uint64, i int) {
		for len(*list) <= i {
			*list = append(*list, 0)
		}
		(*list)[i]++
	}
	for id, e := range m.extents {
		s := all[uint32(id.Volume)]
		s.Extents++
		s.PlainBytes += e.PlainBytes
		if e.Missing != 0 {
			bump(&s.Missing, bits.OnesCount32(e.Missing)-1)
		}
		for slot := range 3 {
			if e.Missing>>slot&1 != 0 {
				bump(&s.MissingSlots, slot)
			}
		}
	}
	return all
}

func (m *model) dumpLife(add func(k keys.Key, rec proto.Message)) {
	for id, s := range m.volumeStats() {
		if proto.Size(s) > 0 {
			add(keys.Key{Kind: keys.KindVolumeStats, Volume: shard.VolumeID(id)}, s)
		}
	}
	for id, r := range m.removed {
		add(keys.Key{Kind: keys.KindRemoved, Node: id}, r)
	}
}

// allDrives is every drive that these tests name; one is of no node.
var allDrives = []uint64{10, 11, 12, 20, 21, 30, 99}

// lifeOp draws a command about nodes, drives and moves.
func (g *generator) lifeOp() *metapb.Command {
	node, drive := uint64(1+g.int("node", 4)), pick(g, "drive", allDrives)
	life, force := metapb.Life(g.int("life", 4)), g.chance("force", 3)
	switch g.int("life op", 16) {
	case 0:
		return &metapb.Command{Op: &metapb.Command_SetNodeState{SetNodeState: &metapb.SetNodeState{Node: node, State: life, Force: force, ViewEpoch: g.viewEpoch()}}}
	case 1:
		return &metapb.Command{Op: &metapb.Command_SetDriveState{SetDriveState: &metapb.SetDriveState{Drive: drive, State: life, Force: force, ViewEpoch: g.viewEpoch()}}}
	case 2:
		if g.chance("remove", 3) {
			return &metapb.Command{Op: &metapb.Command_RemoveNode{RemoveNode: &metapb.RemoveNode{Node: node, Force: force}}}
		}
		return &metapb.Command{Op: &metapb.Command_RemoveDrive{RemoveDrive: &metapb.RemoveDrive{Drive: drive, Force: force}}}
	case 3:
		return &metapb.Command{Op: &metapb.Command_ReportDrive{ReportDrive: &metapb.ReportDrive{Drive: drive, Failed: g.chance("failed", 4),
			Full: g.chance("full", 2), UsedBytes: uint64(g.int("used", 3)), CapacityBytes: uint64(g.int("capacity", 2))}}}
	case 4, 5, 6:
		n := &metapb.Node{Id: node, Zone: pick(g, "zone", []string{"", "z"})}
		for _, id := range map[uint64][]uint64{1: {10, 11, 12}, 2: {10}, 3: {20, 21}, 4: {30}}[node] {
			if !g.chance("absent", 6) {
				n.Drives = append(n.Drives, &metapb.Drive{Id: id, State: life}) // What it says of states counts for nothing.
			}
		}
		return &metapb.Command{Op: &metapb.Command_RegisterNode{RegisterNode: &metapb.RegisterNode{Node: n}}}
	}
	return g.moveOp(drive)
}

// viewEpoch draws the epoch of the view that something was decided on: none, this one or
// the one before.
func (g *generator) viewEpoch() uint64 {
	now := g.m.cluster.ViewEpoch
	return []uint64{0, now, max(1, now) - 1}[g.int("view epoch", 3)]
}

func (g *generator) moveOp(drive uint64) *metapb.Command {
	v := g.m.volumes[g.int("volume", 2)]
	epoch := v.Epoch - uint32(min(g.int("stale", 6)/5, int(v.Epoch)))
	if v.Move == nil || g.chance("again", 6) {
		return &metapb.Command{Op: &metapb.Command_StartMove{StartMove: &metapb.StartMove{Volume: v.Id, Epoch: epoch,
			Slot: uint32(g.int("slot", 3+g.int("bad slot", 8)/7)), To: drive, Rebuild: g.chance("rebuild", 2)}}}
	}
	slot, to := v.Move.Slot, v.Move.To
	if g.chance("other", 8) {
		slot = uint32(g.int("slot", 3))
	}
	if g.chance("cancel", 6) {
		return &metapb.Command{Op: &metapb.Command_CancelMove{CancelMove: &metapb.CancelMove{Volume: v.Id, Slot: slot, To: to}}}
	}
	return &metapb.Command{Op: &metapb.Command_FinishMove{FinishMove: &metapb.FinishMove{Volume: v.Id, Epoch: epoch, Slot: slot, To: to,
		SeenIndex: g.m.index - uint64(min(g.int("seen", 4), int(g.m.index)))}}}
}

// epoch draws the epoch of a volume as somebody may know it.
func (g *generator) epoch(volume uint32) uint32 {
	v := g.m.volume(volume)
	if v == nil {
		return 0
	}
	return v.Epoch - min(uint32(g.int("behind", 3)), v.Epoch)
}
