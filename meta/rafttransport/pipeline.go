package rafttransport

import (
	"time"

	"github.com/hashicorp/raft"
)

// pipeline is a pipeline of requests to append that ends when it is stuck. Raft stops
// listening for the answers of its own pipelines at the first refusal. A sender that waits
// at that moment for room in the pipeline would wait for ever; so would the replication to
// that peer, and with it the shutdown of Raft.
type pipeline struct {
	raft.AppendPipeline
	id    raft.ServerID
	limit time.Duration
}

// AppendEntriesPipeline implements raft.Transport. Errors: those of the connection.
func (t *Transport) AppendEntriesPipeline(id raft.ServerID, addr raft.ServerAddress) (raft.AppendPipeline, error) {
	p, err := t.NetworkTransport.AppendEntriesPipeline(id, addr)
	if err != nil {
		return nil, err
	}
	return &pipeline{p, id, t.limit}, nil
}

// AppendEntries implements raft.AppendPipeline. It waits while the pipeline is full. Every
// answer comes or fails within the time of one request; where no room comes in that time,
// the pipeline is closed, and AppendEntries returns an error.
func (p *pipeline) AppendEntries(args *raft.AppendEntriesRequest,
	resp *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	limitCommit(args)
	*appendTo(args) = addressee(p.id)
	stuck := time.AfterFunc(p.limit, func() { _ = p.Close() }) // Close may be called twice.
	defer stuck.Stop()
	return p.AppendPipeline.AppendEntries(args, resp)
}
