package group

import (
	"testing"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
)

// A later incarnation answers what is meant for it, and nothing that is meant for what its
// node was. It gives its vote to whoever asks it by name, though it has not learned yet
// that it has one: a leader that made it a voter and stopped before it knew needs that
// vote to lead again.
func TestAdmit(t *testing.T) {
	const self, before = raft.ServerID("1.b"), raft.ServerID("1.a")
	d := &desk{self: self, votes: func() bool { return false }, last: func() uint64 { return 0 }, peers: &peers{}, agrees: func(raft.ServerID) error { return nil }, ending: make(chan struct{})}
	vote := func(to raft.ServerID) any {
		r := &raft.RequestVoteRequest{RPCHeader: raft.RPCHeader{ID: []byte("2")}}
		*voteTo(r) = addressee(to)
		return r
	}
	appended := func(to raft.ServerID) any {
		r := &raft.AppendEntriesRequest{}
		*appendTo(r) = addressee(to)
		return r
	}
	for _, test := range []struct {
		name    string
		command any
		refused bool
	}{
		{"a vote of this server", vote(self), false},
		{"a vote of what the node was", vote(before), true},
		{"a vote of nobody in particular", &raft.RequestVoteRequest{}, true},
		{"entries for this server", appended(self), false},
		{"entries for what the node was", appended(before), true},
		{"entries for nobody in particular", &raft.AppendEntriesRequest{}, true},
		{"a pre-vote", &raft.RequestPreVoteRequest{}, false},
		{"the lead", &raft.TimeoutNowRequest{}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := d.admit(&raft.RPC{Command: test.command, RespChan: make(chan raft.RPCResponse, 1)})
			require.Equal(t, test.refused, errs.Is(err, errs.Denied), "%v", err)
		})
	}
	d.close()
}
