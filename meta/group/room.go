package group

import (
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// Refused says which commands a leader refuses for want of room.
type Refused uint8

// The values of Refused.
const (
	RefuseNone   Refused = iota
	RefuseGrowth         // Commands that make the metadata or the data grow: see Grows.
	RefuseAll
)

// refuse returns nil where all commands may be proposed. Otherwise it returns, for each command
// that must not be, the result that says so, and nil for the others. A result and not an error,
// since one command of a request that carries several must not fail the others.
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

// grows is Grows of a marshalled command; false for one that this release cannot decode.
func grows(data []byte) bool {
	cmd := new(metapb.Command)
	return proto.Unmarshal(data, cmd) == nil && Grows(cmd)
}

// Grows reports whether a command makes the metadata or the data on the drives grow. Such
// commands are refused first. All others free something, or are needed to keep what is there. A
// delete marker is a record as well, but it lets go of others, so it is not refused.
func Grows(cmd *metapb.Command) bool {
	switch cmd.Op.(type) {
	case *metapb.Command_CreateVolumes, *metapb.Command_LeaseExtents, *metapb.Command_CreateBucket,
		*metapb.Command_PutObject, *metapb.Command_CreateUpload, *metapb.Command_PutPart,
		*metapb.Command_CompleteUpload, *metapb.Command_TransitionVersion:
		return true
	}
	return false
}

// noRoom returns the error of a command that a leader has refused for want of room: NoSpace, or
// Unknown where maybe says that an earlier try of the command may have been applied.
func noRoom(r *metapb.Result, maybe bool) error {
	kind := errs.NoSpace
	if maybe {
		kind = errs.Unknown
	}
	return errs.Newf("group.Propose", kind, "%s", r.Detail)
}
