package group

import (
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// Refused is which commands a leader refuses for want of room.
type Refused uint8

// What may be refused.
const (
	RefuseNone   Refused = iota
	RefuseGrowth         // What makes the metadata, or the cluster's data, grow.
	RefuseAll
)

// refuse splits commands into those to propose and those that are refused now. It answers
// with a result, which nothing was applied for, so that one command of a request that
// gathers many does not fail the others.
func (g *Group) refuse(commands [][]byte) (refused []*metapb.Result) {
	what, why := RefuseNone, error(nil)
	if g.cfg.Refuse != nil {
		what, why = g.cfg.Refuse()
	}
	if what == RefuseNone && g.cfg.Room != nil {
		size := int64(0)
		for _, c := range commands {
			size += int64(len(c))
		}
		if err := g.cfg.Room.Admit(size); err != nil {
			what, why = RefuseAll, err
		}
	}
	if what == RefuseNone {
		return nil
	}
	refused = make([]*metapb.Result, len(commands))
	for i, c := range commands {
		if what == RefuseAll || grows(c) {
			refused[i] = &metapb.Result{Refusal: metapb.Refusal_REFUSAL_NO_ROOM, Detail: why.Error()}
		}
	}
	return refused
}

// grows reports whether a command is one of those that are refused first. One that this
// version cannot read is not for it to refuse.
func grows(data []byte) bool {
	cmd := new(metapb.Command)
	return proto.Unmarshal(data, cmd) == nil && Grows(cmd)
}

// Grows reports whether a command makes the metadata grow, or writes what makes the drives
// fuller. All others free something, or are what the cluster needs to keep what it has: a
// delete marker is a record too, but it is how versions of a bucket are let go.
func Grows(cmd *metapb.Command) bool {
	switch cmd.Op.(type) {
	case *metapb.Command_CreateVolumes, *metapb.Command_LeaseExtents, *metapb.Command_CreateBucket, *metapb.Command_PutObject,
		*metapb.Command_CreateUpload, *metapb.Command_PutPart, *metapb.Command_CompleteUpload, *metapb.Command_TransitionVersion:
		return true
	}
	return false
}

// noRoom is the error of a command that a leader refused for want of room. maybe says that
// an earlier try of the same command may be applied.
func noRoom(r *metapb.Result, maybe bool) error {
	kind := errs.NoSpace
	if maybe {
		kind = errs.Unknown
	}
	return errs.Newf("group.Propose", kind, "%s", r.Detail)
}
