// Package member is how a node finds, begins, joins and re-joins its cluster, and how it
// finds out that it is no member any more, or not fit to be one.
//
// It is not the group of the metadata: who votes is decided by upkeep on the leader, and
// what a server has promised is kept by package group. It is not gossip either, which tells
// who is there; here is decided what follows from that. Everything about data is elsewhere.
//
// # Two types
//
// Peers are the other nodes, as far as this one knows without asking anybody. They are
// there first: TLS asks Peers.Check who may connect, and the metadata ask them for
// addresses. Self is this node. Its methods are called in this order:
//
//	Handler       answers others who this node is
//	Compare       begins to compare this node with the others
//	Join          forms or finds the cluster, and registers
//	Watch         looks whether the node stays a member
//	AwaitVoters   waits until a new cluster has its voters
//	AwaitClock    waits until the clock was compared
//
// Then the node serves. Whatever shows later that it must not go on, ends it by Config.Fail,
// with a sentence that tells an operator what to do.
//
// # Forming a cluster
//
// A node that belongs to no cluster and has no metadata looks at what gossip tells, again
// with each change:
//
//  1. If a node that it found belongs to a cluster, that is its own from now on; if they
//     belong to two, it ends. So a node never begins a second cluster beside one that it can
//     see.
//  2. Else, if as many nodes as it expects (Config.Expect) are alive and expect as many, the
//     one with the lowest id begins the cluster: it makes the group of the metadata with
//     itself as the single voter. The others find the leader by asking all that gossip
//     knows. Two nodes could both begin only if neither saw the other while each saw enough
//     others, which is a partition of more than Config.Expect nodes.
//  3. The first node that proposes FormCluster names the cluster. All others learn the name
//     when they register. Each writes it into its home and on its drives before it serves.
//  4. Upkeep adds voters. Requests wait until they are there (Formed): before that, what is
//     acknowledged would lie on too few nodes.
//
// # Joining
//
// Every start goes through the same steps, of a new node and of one that returns. What is
// refused for good is Denied and ends the node; all else is tried again.
//
//  1. The era: a node whose metadata are of an earlier era than the others' does not go on,
//     for its vote could take back what was restored since. Without metadata it takes over
//     the era.
//  2. Certificates: where all members that answer refuse them, the node does not go on.
//  3. The clock, of a new node: Apply ends retentions by the times that nodes propose. So
//     none is let in whose clock is far from the median of others. A member with a wrong
//     clock is let in, for it may hold what nobody else does; it changes nothing until its
//     clock is right, and hands over the lead.
//  4. Another process with this node's id: a copy of its directories is refused while the
//     first process can be reached. The two would answer for one vote and one set of drives.
//  5. Settings that must be equal on every node are compared by keyed digests (Digests). A
//     new node must have a value that some member has. A member may come back with one that
//     nobody has, since that is how an operator changes it; two settings are vital, and must
//     be equal even then: without them, what is sealed could not be opened.
//  6. RegisterNode tells the cluster addresses, drives, release and incarnation. Apply
//     refuses a node of another cluster, of a release that does not fit, with a drive of
//     another node, or one that was removed.
//  7. The node opens its session, which ends the sessions of earlier processes with its id.
//     If one of these still runs, it looks who has registered, and ends (CheckOnlyRun).
//
// A voter that returns with less than it promised is another incarnation: it registers as
// that, without a vote, and gets one back when it has caught up (see package group). Where
// it finds that out only from what the others remember of it, it notes so and ends; the
// next start is the new incarnation.
//
// # What is compared while it runs
//
// Every node asks every other about itself (GET /node/v1/about) every ten seconds, and at
// once where it must know: how far its clock is ahead, how far its server has applied the
// log and how far it knows the asker's to have come, digests of settings, and what its
// state has refused. From that follow:
//
//   - A node changes nothing while its clock is far from those of most voters.
//   - A node whose log ends before what others know that it had applied, ends.
//   - A node that disagrees with most voters about what was refused has damaged metadata,
//     disowns them, and ends.
//   - Settings that differ and clocks that are apart are told to metrics and to health.
//
// # Concurrency and durability
//
// Peers and Self are safe for concurrent use. Goroutines are started by Config.Go, and end
// with the context of the method that started them. The cluster and the era are durable in
// the home before gossip tells them to anybody.
package member
