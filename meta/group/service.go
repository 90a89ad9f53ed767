package group

import (
	"context"
	"errors"
	"net/http"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/rpc"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/metapb/metapbconnect"
)

// Handler returns the MetaService of this node, for the internode listener: other nodes reach
// the group through it when this node leads.
func (g *Group) Handler() (path string, h http.Handler) {
	return metapbconnect.NewMetaServiceHandler(service{g}, rpc.ConnectOptions()...)
}

// service implements MetaService.
type service struct{ g *Group }

var _ metapbconnect.MetaServiceHandler = service{}

// Propose implements MetaService. A node that does not lead answers who does.
func (s service) Propose(ctx context.Context, req *metapb.ProposeRequest) (*metapb.ProposeResponse, error) {
	outcomes, err := s.g.propose(ctx, req.Commands)
	if errors.Is(err, errNotLeader) {
		return &metapb.ProposeResponse{NotLeader: s.notLeader()}, nil
	}
	if err != nil {
		return nil, err
	}
	resp := &metapb.ProposeResponse{Outcomes: make([]*metapb.ProposeOutcome, len(outcomes))}
	for i, o := range outcomes {
		p := &metapb.ProposeOutcome{Unknown: o.unknown != nil}
		if o.result != nil {
			if p.Result, err = proto.Marshal(o.result); err != nil {
				return nil, errs.New("group.Propose", errs.Unknown, err)
			}
		}
		resp.Outcomes[i] = p
	}
	return resp, nil
}

// Read implements MetaService. A node that does not lead answers who does.
func (s service) Read(ctx context.Context, req *metapb.ReadRequest) (*metapb.ReadResponse, error) {
	if req.Query == nil {
		return nil, errs.New("group.Read", errs.Invalid, errors.New("no query"))
	}
	a, err := s.g.read(ctx, req.Query)
	if errors.Is(err, errNotLeader) {
		return &metapb.ReadResponse{NotLeader: s.notLeader()}, nil
	}
	if err != nil {
		return nil, err
	}
	return &metapb.ReadResponse{Answer: a}, nil
}

// notLeader names the leader, or nobody. A leader that is not ready yet names itself; a client
// waits then, and asks again.
func (s service) notLeader() *metapb.NotLeader {
	return &metapb.NotLeader{Leader: uint64(s.g.Leader())}
}

// Members implements MetaService. Any node answers, as it sees the group.
func (s service) Members(context.Context, *metapb.MembersRequest) (*metapb.MembersResponse, error) {
	members, leader := s.g.Members()
	stats := s.g.Stats()
	resp := &metapb.MembersResponse{Leader: uint64(leader), Term: stats.Term, CommitIndex: stats.CommitIndex,
		AppliedIndex: stats.AppliedIndex}
	for _, m := range members {
		resp.Members = append(resp.Members, &metapb.Member{Node: uint64(m.Node), RaftAddr: m.RaftAddr, Voter: m.Voter,
			Incarnation: m.Incarnation})
	}
	return resp, nil
}
