package rafttransport

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
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
	d := &desk{Rules: Rules{Self: self, Votes: func() bool { return false }, Last: func() uint64 { return 0 },
		Peers: OpenPeers(vfs.NewMem(), "", nil), Agrees: func(raft.ServerID) error { return nil }}, ending: make(chan struct{})}
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

// TestVoteOfAnother: who disagrees gets no vote, and gives none that counts.
func TestVoteOfAnother(t *testing.T) {
	const self, other = raft.ServerID("1"), raft.ServerID("2")
	disagree := func(id raft.ServerID) error {
		if id == other {
			return errs.Newf("test", errs.Denied, "they disagree")
		}
		return nil
	}
	d := &desk{Rules: Rules{Self: self, First: true, Votes: func() bool { return true }, Last: func() uint64 { return 0 },
		Peers: OpenPeers(vfs.NewMem(), "", nil), Agrees: disagree}, ending: make(chan struct{})}
	ask := func(from raft.ServerID) error {
		r := &raft.RequestVoteRequest{RPCHeader: raft.RPCHeader{ID: []byte(from)}}
		*voteTo(r) = addressee(self)
		return d.admit(&raft.RPC{Command: r, RespChan: make(chan raft.RPCResponse, 1)})
	}
	require.True(t, errs.Is(ask(other), errs.Denied))
	require.NoError(t, ask("3"))
	tr := &Transport{desk: d}
	for id, counts := range map[raft.ServerID]bool{other: false, "3": true} {
		resp := &raft.RequestVoteResponse{Granted: true, Peers: appendStanding(0)}
		require.Equal(t, !counts, tr.checkVote(id, resp) != nil)
		require.Equal(t, counts, resp.Granted)
	}
	d.close()
}
