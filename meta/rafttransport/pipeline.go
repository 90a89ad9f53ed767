package rafttransport

import (
	"time"

	"github.com/hashicorp/raft"
)

// pipeline ends a pipeline of appends that is stuck. Raft's own stops listening for
// answers at the first refusal; a sender that waits at that moment for the answer
// before it then waits for ever, with it the replication to that peer, and with
// that the shutdown of Raft.
type pipeline struct {
	raft.AppendPipeline
	id    raft.ServerID
	limit time.Duration
}

// AppendEntriesPipeline implements raft.Transport.
func (t *Transport) AppendEntriesPipeline(id raft.ServerID, target raft.ServerAddress) (raft.AppendPipeline, error) {
	p, err := t.NetworkTransport.AppendEntriesPipeline(id, target)
	if err != nil {
		return nil, err
	}
	return &pipeline{p, id, t.limit}, nil
}

// AppendEntries implements raft.AppendPipeline. It waits for earlier answers, each
// of which comes or fails within the time of one request.
func (p *pipeline) AppendEntries(args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	limitCommit(args)
	*appendTo(args) = addressee(p.id)
	stuck := time.AfterFunc(p.limit, func() { _ = p.Close() }) // Close may be called twice.
	defer stuck.Stop()
	return p.AppendPipeline.AppendEntries(args, resp)
}
