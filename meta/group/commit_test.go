package group

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/rafttransport"
)

// A leader that was cut off holds entries that nobody else has. The new leader's first
// request may match its log and carry no entries, and yet name a commit index beyond:
// Raft reads that after it has chosen what to send. It must not commit the old entries
// (G7).
func TestRequestCommitsOnlyItsEntries(t *testing.T) {
	for _, pipelined := range []bool{false, true} {
		t.Run(fmt.Sprintf("pipelined=%t", pipelined), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { requestCommitsOnlyItsEntries(t, pipelined) })
		})
	}
}

func requestCommitsOnlyItsEntries(t *testing.T, pipelined bool) {
	c := &testCluster{t: t, net: newNetwork(), voters: 1}
	n := &testNode{number: 0, id: 1, fs: newMem()}
	c.nodes = []*testNode{n}
	c.start(n)
	defer c.close()
	leader := rafttransport.New(rafttransport.Options{Addr: "leader:1", Listener: c.net.listen(1, "leader:1"),
		Dial: testTransport{c.net, 1}.Dial, Timeout: FastTiming().RPC, Logger: &logger{events: Events{}.withDefaults()}})
	defer leader.Close()

	// send sends a request as the leader of a term and wants it to succeed.
	send := func(args raft.AppendEntriesRequest) {
		t.Helper()
		args.RPCHeader = raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte("leader"), Addr: []byte("leader:1")}
		resp := new(raft.AppendEntriesResponse)
		if pipelined {
			p, err := leader.AppendEntriesPipeline(n.group.id, raft.ServerAddress(n.raftAddr()))
			require.NoError(t, err)
			defer p.Close()
			f, err := p.AppendEntries(&args, resp)
			require.NoError(t, err)
			require.NoError(t, f.Error())
		} else {
			require.NoError(t, leader.AppendEntries(n.group.id, raft.ServerAddress(n.raftAddr()), &args, resp))
		}
		require.True(t, resp.Success)
		require.Equal(t, args.Term, resp.Term)
	}
	entry := func(index, term uint64, value string) *raft.Log {
		data, err := proto.Marshal(setRegister("r", value))
		require.NoError(t, err)
		return &raft.Log{Index: index, Term: term, Type: raft.LogCommand, Data: data}
	}

	send(raft.AppendEntriesRequest{Term: 1, Entries: []*raft.Log{
		entry(1, 1, "shared"), entry(2, 1, "shared"), entry(3, 1, "of the old leader"), entry(4, 1, "of the old leader")}})
	require.Zero(t, n.group.raft.CommitIndex())
	// After the last entry that both have, without entries,
	send(raft.AppendEntriesRequest{Term: 2, PrevLogEntry: 2, PrevLogTerm: 1, LeaderCommitIndex: 4})
	require.EqualValues(t, 2, n.group.raft.CommitIndex())
	// or with that one alone.
	send(raft.AppendEntriesRequest{Term: 2, PrevLogEntry: 1, PrevLogTerm: 1, LeaderCommitIndex: 4,
		Entries: []*raft.Log{entry(2, 1, "shared")}})
	require.EqualValues(t, 2, n.group.raft.CommitIndex())

	send(raft.AppendEntriesRequest{Term: 2, PrevLogEntry: 2, PrevLogTerm: 1, LeaderCommitIndex: 4,
		Entries: []*raft.Log{entry(3, 2, "of the new leader"), entry(4, 2, "of the new leader")}})
	time.Sleep(time.Second) // The entries are applied.
	d := n.data()
	require.EqualValues(t, 4, d.Index)
	require.Contains(t, d.Hashes[3], "in term 2")
	require.Contains(t, d.Hashes[4], "in term 2")
}
