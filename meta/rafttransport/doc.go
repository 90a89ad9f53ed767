// Package rafttransport carries Raft's messages between voters, and keeps the rules that
// hashicorp/raft leaves out: docs/decisions/0008-rules-of-the-raft-transport.md tells what
// else there was.
//
// It is not the group: it knows neither the log nor the state. What it must know of them it
// is told by Rules, and by the notes that a Peers keeps.
//
// A Transport implements raft.Transport over connections that its caller makes secure.
// Admit, NewRaft and Serve come in this order; Close ends the listener and every
// connection, and Wait returns when the last one has ended. All methods but these may be
// called by many goroutines.
//
// # Rules
//
// The numbers are those of meta/group, which lists what the group as a whole promises.
//
//	G1 Heartbeats pass through the follower's main loop. On the fast path of
//	   hashicorp/raft they race with it (its issue 695).
//	G3 It knows, of each peer, when the newest request was sent that the peer has
//	   answered in a term (Tick, Answered). So a leader can confirm that it led at
//	   some time after a read began.
//	G7 A request to append commits nothing beyond its own last entry, or beyond the
//	   entry before them where it has none.
//	G8 A request says which server it is meant for, and no other server answers it.
//	   A vote that is asked of this server, or given to it, does not count where the
//	   other one's log ends before what it had applied once, or where the states of
//	   the two differ. A server without a vote is not made the leader.
//
// And a pipeline of requests to append that is stuck is ended: Raft's own would wait for
// ever.
//
// Refusals are errors of kind Denied. Raft takes each for a request that failed, and asks
// again later.
//
// # Format of what is added to messages
//
// Messages are those of hashicorp/raft, protocol 3, in MessagePack. Three fields that this
// protocol does not read any more carry what the rules need:
//
//	AppendEntriesRequest.Leader, RequestVoteRequest.Candidate, InstallSnapshotRequest.Leader
//	offset  bytes
//	0       3     "to "
//	3       …     id of the server that is meant
//
//	RequestVoteResponse.Peers
//	offset  bytes
//	0       4     "log "
//	4       8     index of the voter's last entry, big endian
//
// Releases before incarnations add nothing. What comes without an addressee is answered by
// the first incarnation of a node alone; an answer without the last entry is not looked at.
//
// # The file peers.json
//
// It holds a JSON object of server ids with the entries they had applied, after a line with
// its checksum (meta/files). It may be older than the truth, and may be lost: the others
// tell it again.
package rafttransport
