package admin

import (
	"context"
	"fmt"
	"slices"

	"github.com/dustin/go-humanize"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/place"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/shard"
)

// subjectOf is what is to be drained or removed: a node with all its drives, or one of its drives.
type subjectOf struct {
	node  *cluster.Node
	drive *cluster.Drive // Nil: it is the node.
}

// has reports whether a drive is the subject or belongs to it. No drive belongs to a nil subject.
func (s *subjectOf) has(d cluster.DriveID) bool {
	if s == nil {
		return false
	}
	if s.drive != nil {
		return s.drive.ID == d
	}
	for i := range s.node.Drives {
		if s.node.Drives[i].ID == d {
			return true
		}
	}
	return false
}

// ShowPlan implements AdminService.
func (s *service) ShowPlan(ctx context.Context, r *adminpb.PlanRequest) (*adminpb.Plan, error) {
	plan, _, err := s.planNow(ctx, r)
	return plan, err
}

// planNow makes the plan of ShowPlan. It also returns the epoch of the view that the plan is made on, so
// that a change can be refused if another came between. Errors: Invalid, NotFound, and those of the
// metadata.
func (s *service) planNow(ctx context.Context, r *adminpb.PlanRequest) (*adminpb.Plan, uint64, error) {
	p, err := s.lookWhole(ctx)
	if err != nil {
		return nil, 0, err
	}
	of := &subjectOf{}
	switch {
	case r.Remove && r.Undrain:
		return nil, 0, errs.Newf("admin.ShowPlan", errs.Invalid, "to remove or to use again, not both")
	case r.Node != "" && r.Drive != "":
		return nil, 0, errs.Newf("admin.ShowPlan", errs.Invalid, "a node or a drive, not both")
	case r.Drive != "":
		of.node, of.drive, err = findDrive(p.topo, r.Drive)
	default:
		of.node, err = findNode(p.topo, r.Node)
	}
	if err != nil {
		return nil, 0, err
	}
	if r.Undrain {
		return p.planUndrain(of), p.topo.View.Epoch, nil
	}
	return p.plan(of, r.Remove), p.topo.View.Epoch, nil
}

// plan says what it would mean to drain or remove the subject, and whether that is refused without
// force. A removal is refused while the subject is active or has slots, because it moves nothing: what
// lies there would be lost. A drain is refused if fewer failure domains would be left than a volume has
// slots, or if volumes could lose less than now afterwards (outlook). Slots that no other drive can take
// are no reason to refuse a drain: they stay where they are, and the plan says so.
func (p *picture) plan(of *subjectOf, remove bool) *adminpb.Plan {
	out := p.planOf(of)
	out.Remove = remove
	stats := p.stats
	var unreadable, endangered, narrow, stuck int
	var lost uint64
	domains, spares := p.domainsWithout(of), spares{view: p.topo.View, of: of}
	for id, v := range p.topo.Volumes {
		here := 0
		for i, d := range v.Slots {
			if !of.has(d) {
				continue
			}
			here++
			out.Bytes += stats[id].GetPlainBytes() / uint64(v.Scheme.K)
			if v.Move != nil && v.Move.Slot == i {
				out.Moving++
			}
		}
		out.Slots += uint32(here)
		if staying := spares.staying(v); staying > 0 && !remove {
			out.Staying += uint32(staying)
			stuck++
		}
		if here == 0 || stats[id].GetExtents() == 0 {
			continue
		}
		if v.Scheme.N() > domains {
			narrow++
		}
		switch missing := p.goneWithout(v, of); {
		case missing > int(v.Scheme.M):
			unreadable, lost = unreadable+1, lost+stats[id].GetPlainBytes()
		case missing == int(v.Scheme.M):
			endangered++
		}
	}
	worse := p.outlook(of, out, remove)
	switch {
	case remove && out.Life == cluster.Active.String():
		out.Refused, out.Why = true, "it is active: drain it first"
	case remove && out.Slots > 0:
		out.Refused, out.Why = true, fmt.Sprintf("%s not moved away yet", plural(int(out.Slots), "slot is", "slots are"))
	case !remove && narrow > 0:
		out.Refused = true
		out.Why = fmt.Sprintf("%s would be left, fewer than %s slots: add nodes first", plural(domains, "failure domain", "failure domains"),
			plural(narrow, "volume has", "volumes have"))
	case worse != "":
		out.Refused, out.Why = true, worse
	}
	if remove {
		out.Losses = losses(unreadable, endangered, lost)
	} else if stuck > 0 {
		out.Losses = []string{stays(out, stuck)}
	}
	return out
}

// planOf returns a plan that only names the subject and its life.
func (p *picture) planOf(of *subjectOf) *adminpb.Plan {
	out := &adminpb.Plan{Node: of.node.ID.String(), Life: of.node.State.String()}
	if of.drive != nil {
		out.Drive, out.Life = of.drive.ID.String(), p.topo.View.StateOf(of.drive.ID).String()
	}
	return out
}

// planUndrain says what it would mean to use the subject again. That is never refused.
func (p *picture) planUndrain(of *subjectOf) *adminpb.Plan {
	out := p.planOf(of)
	for _, v := range p.topo.Volumes {
		for _, d := range v.Slots {
			if of.has(d) {
				out.Slots++
			}
		}
	}
	p.undrained(of, out)
	return out
}

// stays says in words what becomes of slots that no other drive can take.
func stays(p *adminpb.Plan, volumes int) string {
	what := "node"
	if p.Drive != "" {
		what = "drive"
	}
	return fmt.Sprintf("%s of %s nowhere to go and will stay: every drive that could take them is full, or on a node that has a slot of the same volume. "+
		"Their data is as safe as before while the %s runs, and each volume is a slot short once it is gone; they move when nodes or drives are added",
		plural(int(p.Staying), "slot", "slots"), plural(volumes, "volume has", "volumes have"), what)
}

// spares finds out, from the metadata alone, which slots other drives can take. It serves one plan: a
// drive that was chosen for a slot counts as having that slot when the next one is looked at.
type spares struct {
	view   *cluster.View
	of     *subjectOf
	drives map[bool]*place.Drives // Cold ones (true) and others; each is made when it is first needed.
}

// staying returns how many slots of a volume lie on the subject and can be taken by no other drive. A
// slot that is moving already has its drive.
func (s *spares) staying(v *shard.Volume) (n int) {
	var drives *place.Drives
	slots := slices.Clone(v.Slots)
	for i, d := range v.Slots {
		if !s.of.has(d) || v.Move != nil && v.Move.Slot == i {
			continue
		}
		if drives == nil {
			drives = s.takers(s.view.AnyCold(v.Slots))
		}
		to, err := place.SpareFor(drives, place.Vacancy{Slots: slots, Slot: i, Spare: int(v.Scheme.M), Held: true, Seed: uint64(v.ID)})
		if err != nil {
			n++
			continue
		}
		slots[i] = to
	}
	return n
}

// takers returns the drives, cold or others, that can take slots now: they are active, not full, and not
// the subject's.
func (s *spares) takers(cold bool) *place.Drives {
	if s.drives[cold] == nil {
		takes := func(d cluster.DriveID) bool {
			return s.view.StateOf(d) == cluster.Active && !s.view.Drive(d).Full && !s.of.has(d) && s.view.Cold(d) == cold
		}
		if s.drives == nil {
			s.drives = map[bool]*place.Drives{}
		}
		s.drives[cold] = place.NewDrives(s.view, takes, nil)
	}
	return s.drives[cold]
}

// losses says in words what a removal by force would cost.
func losses(unreadable, endangered int, lost uint64) (out []string) {
	if unreadable > 0 {
		out = append(out, fmt.Sprintf("%s could not be read any more: %s of data would be lost for good", plural(unreadable, "volume", "volumes"), humanize.IBytes(lost)))
	}
	if endangered > 0 {
		out = append(out, fmt.Sprintf("%s could bear no other loss until they are rebuilt", plural(endangered, "volume", "volumes")))
	}
	return out
}

// domainsWithout returns how many failure domains are left to take slots without a subject.
func (p *picture) domainsWithout(of *subjectOf) int {
	return place.Domains(p.topo.View, func(d cluster.DriveID) bool {
		return p.topo.View.StateOf(d) == cluster.Active && !of.has(d)
	})
}

// goneWithout returns how many slots of a volume could not be reached without a subject. A node that
// does not answer counts as dead, as for gone.
func (p *picture) goneWithout(v *shard.Volume, of *subjectOf) (n int) {
	for _, d := range v.Slots {
		if of.has(d) || p.slot(d) != slotOK || p.silent(d) {
			n++
		}
	}
	return n
}

// silent reports whether the node of a drive has not answered, or is not in the view.
func (p *picture) silent(d cluster.DriveID) bool {
	n := p.topo.View.NodeOf(d)
	return n == nil || p.reports[n.ID] == nil || p.reports[n.ID].NodeReport == nil
}
