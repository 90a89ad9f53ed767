// Package group runs the metadata's Raft group: it applies the log to the state, takes and
// restores snapshots, lets any node propose commands and read linearizably, and changes who
// votes.
//
// It is not the meaning of the metadata (meta/state), nor the log (meta/raftlog), the
// snapshots' files (meta/snapshot) or the messages between voters (meta/rafttransport).
//
// Every node that may become a voter opens a Group. A Group without a Raft configuration in
// its log answers and never campaigns: it is idle until Bootstrap makes a new cluster of it,
// or a leader adds it. A Client reaches the leader from any node, voter or not, and
// implements meta.Client. A Group and a Client may be used by many goroutines.
//
// # Directory
//
//	log/                   the Raft log (meta/raftlog)
//	state/<n>/      the state (meta/state); the file state/CURRENT holds the n in force
//	snapshots/      its snapshots (meta/snapshot)
//	promise.json    what this voter has promised; each drive has a copy
//	peers.json      how far the others have applied the log (meta/rafttransport)
//	disowned/<id>/  log, state and snapshots of a server that was found to be wrong
//
// promise.json is a Promise as JSON, after a line with its checksum (meta/files).
//
// # Durability
//
// The state is not synced as it is written: the Raft log is its write-ahead log. Before a
// snapshot is taken the state is flushed, and only a snapshot allows the log to be cut. So
// the state and the log together always hold everything that was acknowledged. Restoring a
// snapshot builds a new state directory, syncs it and then renames CURRENT: a crash leaves
// the old state or the new one in force.
//
// # Damage
//
// A damaged log is refused when the group is opened (meta/raftlog), and so is a state that
// cannot be opened. A state that is merely older than it was is brought up to date: the
// snapshot and the log hold all that it lacks. A damaged snapshot is neither restored nor
// sent. Nor is a state put in force that is not as of the entry that its snapshot names.
//
// # Incarnations
//
// Raft rests on voters that do not forget what they have voted and acknowledged. So a voter
// notes a Promise beside its log and on its drives. It says as which server the voter takes
// part, and which term and index it must find when it starts. A node may find less: no log,
// an older copy of it, or one that has lost its end. From then on such a node takes part as
// another server.
//
// The id of a server is the node and its incarnation. Nobody has given the new server a
// vote, and requests name the server that they are meant for (G8), so it does not answer
// for the old one. The old server stays among the voters and never votes. A leader that has
// a majority without it takes it out and lets the new server catch up and vote (Expel,
// AddVoter). If a majority of the voters has forgotten, nobody is elected: lost metadata are
// not served as if there had never been any.
//
// A whole machine may be put back to an earlier day, its drives included. Then nothing on it
// knows better, but the other servers do: each remembers how far the others have applied the
// log, and a vote by or for a server whose log ends before that does not count. When the
// machine is told so, it notes what it should have (Distrust) and ends. When it starts
// again, it finds less than it promised.
//
// # Safety
//
// What the group promises, and where hashicorp/raft alone would not. Issues are those of
// hashicorp/raft.
//
//	G1 All requests of a leader pass through the follower's main loop; the fast
//	   path of heartbeats is off (issue 695).
//	G2 A write to the log that fails or hangs ends the process (issues 503, 614).
//	G3 A leader serves reads only after a barrier in its term. It reads first, and
//	   then has a quorum answer requests that it sent after the read.
//	G4 Shutdown hands leadership over. So does HandOver, which ends the process if
//	   it leaves a leader that refuses writes (issue 696).
//	G5 An entry at or below the state's applied index is never applied again.
//	G6 An entry whose outcome is not known is reported as unknown, never as failed.
//	G7 A request to append commits nothing beyond its own last entry, as in the
//	   Raft paper (figure 2). hashicorp/raft v1.8.0 commits to the end of the
//	   receiver's log, so a leader that was cut off would apply entries that it
//	   never replicated.
//	G8 A request is answered only by the server, that is node and incarnation, that
//	   it is meant for. Who has an earlier incarnation of a node among its voters
//	   gets no vote from a later one. Who asks the later one by its name has a
//	   configuration in which it votes, even if the later one does not know it yet.
//	G9 Before a node answers anybody, it is durable as which server it takes part:
//	   in its metadata's directory and on a drive.
package group
