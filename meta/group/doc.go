// Package group runs the metadata's Raft group: the state machine and its
// snapshots, proposals and linearizable reads from any node, and membership.
//
// It is not the meaning of the metadata (meta/state) and not the log (meta/raftlog).
//
// Every node that may become a voter opens a Group. Without a configuration in its
// log Raft is a silent follower: it answers but never campaigns, so a Group is idle
// until it bootstraps a new cluster or a leader adds it. A Client reaches the
// leader from any node, voter or not, and implements meta.Client.
//
// # Directory
//
//	log/                   the Raft log (meta/raftlog)
//	state/<n>/             the state machine; a marker file names the current n
//	snapshots/<n>/state/   a checkpoint of the state: hard links, not a copy
//	snapshots/<n>/meta     written last; a snapshot without it never existed
//	promise.json           what this voter has promised; a copy is on every drive
//	peers.json             how far the others were known to be
//
// # Durability
//
// The state is not synced as it is written: the log is its write-ahead log. A
// snapshot flushes the state first and only a snapshot allows the log to be cut,
// so state and log together are always whole. Restoring builds a new state
// directory, syncs it and moves the marker; a crash leaves the old or the new one.
//
// # Damage
//
// A damaged log is refused (meta/raftlog). A state that is older than it was is
// brought up to date from the snapshot and the log, which hold all that it lacks; one
// that cannot be opened is refused. Of a snapshot the meta file has the checksums of
// all files but the tables, whose blocks have their own: a damaged one is neither
// restored nor sent, and a state that is not as of the entry its snapshot names is
// never put in force.
//
// # Incarnations
//
// Raft rests on voters that do not forget. So what a voter has promised lies beside its
// log and on its drives (Promise): as which server it takes part, and a term and an index
// that it must find when it starts. A node that finds less (no log, an older copy of it,
// or one that has lost its end) is another server from then on: a server's id in the
// group is the node and its incarnation. Nobody has given that one a vote; requests say
// which server they are meant for (G8), so it does not answer those for the old one. The
// old server counts among the voters, and never votes, until a leader that has a majority
// without it takes it out and lets the new one catch up and vote (Expel, AddVoter). A
// majority of such voters elects nobody: metadata that are gone are not served as if there
// had never been any.
//
// Where a whole machine was put back to an earlier day, its drives know no better, but
// the others do (peers): each server remembers how far the others had applied the log, and
// a vote by or for one whose log ends before that does not count. Told so, it notes what
// it should have, and ends; when it starts again it finds less than it promised.
//
// # Safety
//
//	G1 The heartbeat fast path of hashicorp/raft is off (its issue 695): all
//	   requests of a leader pass through the follower's main loop.
//	G2 A log write that fails or hangs ends the process (issues 503 and 614).
//	G3 A leader serves reads only after a barrier in its term; it reads, then
//	   confirms by a quorum of answers to requests sent after the read.
//	G4 Leadership is handed over by Shutdown, and by HandOver, which ends the
//	   process where that leaves a leader that refuses writes (issue 696).
//	G5 Entries at or below the state's applied index are never applied again.
//	G6 An entry whose outcome is not known is reported so, never as failed.
//	G7 A request to append commits nothing beyond its own last entry, as in the
//	   Raft paper (figure 2). hashicorp/raft v1.8.0 commits to the end of the
//	   receiver's log; a leader that was cut off would apply what it had not
//	   replicated.
//	G8 A request is answered only by the server, node and incarnation, that it is
//	   meant for. So nobody who has an earlier incarnation of a node among its
//	   voters gets a vote from a later one, and whoever asks the later one by its
//	   name has a configuration in which it votes, whether or not that has reached it.
//	G9 As which server a node takes part is durable in its metadata's directory and
//	   on a drive before it answers anybody.
package group
