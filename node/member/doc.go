// Package member is how a node finds, begins, joins and re-joins its cluster, and how it
// finds out that it is no longer a member, or not fit to be one.
//
// Upkeep on the leader decides who votes, and package group keeps what a server has
// promised. Gossip tells who is there; this package decides what follows from that.
// Everything about data is elsewhere.
//
// # Two types
//
// Peers are the other nodes, as far as this one knows them without asking anybody. They
// must exist first: TLS asks Peers.Check who may connect, and the metadata ask Peers for
// addresses. Self is this node. Its methods must be called in this order:
//
//	Handler       tells others who this node is
//	Compare       begins to compare this node with the others
//	Join          forms or finds the cluster, and registers
//	Watch         checks that the node stays a member
//	AwaitVoters   waits until a new cluster has its voters
//	AwaitClock    waits until the clock was compared
//
// Then the node serves. If something later shows that it must not go on, Config.Fail ends
// it, with a sentence that tells an operator what to do.
//
// # Forming a cluster
//
// A node that belongs to no cluster and has no metadata looks at what gossip tells, and
// looks again with each change:
//
//  1. If a node that it found belongs to a cluster, this is its own cluster from now on. If
//     the nodes belong to two clusters, it ends. So a node never begins a second cluster
//     beside one that it can see.
//  2. Otherwise, if as many nodes as it expects (Config.Expect) are alive and expect as
//     many, the one with the lowest id begins the cluster: it makes the group of the metadata
//     with itself as the only voter. The others find the leader by asking all nodes that
//     gossip knows. Two nodes could both begin only if neither saw the other while each saw
//     enough others. That is a partition of more than Config.Expect nodes.
//  3. The first node that proposes FormCluster names the cluster. All others learn the name
//     when they register. Each writes it into its home and on its drives before it serves.
//  4. Upkeep adds voters. Requests wait until they are there (Formed), because what is
//     acknowledged before would be on too few nodes.
//
// # Joining
//
// Every start goes through the same steps, whether the node is new or returns. A refusal
// for good is Denied and ends the node; anything else is tried again.
//
//  1. The era: if the metadata of the node are of an earlier era than the others', the node
//     does not go on, because its vote could take back what was restored since. A node
//     without metadata takes over the era.
//  2. Certificates: if all members that answer refuse them, the node does not go on.
//  3. The clock of a new node: Apply ends retentions by the times that nodes propose, so a
//     node whose clock is far from the median of the others is not let in. A member with a
//     wrong clock is let in, because it may hold what nobody else does. It changes nothing
//     until its clock is right, and hands over the lead.
//  4. Another process with this node's id: a copy of the node's directories is refused while
//     the first process can be reached. The two would answer for one vote and for one set
//     of drives.
//  5. Settings that must be equal on every node: they are compared by keyed digests
//     (Digests). A new node must have a value that some member has. A member may come back
//     with a value that nobody has, because an operator changes settings in this way. Two
//     settings are vital and must be equal even then: otherwise nobody could open what is
//     sealed.
//  6. RegisterNode tells the cluster the node's addresses, drives, release and incarnation.
//     Apply refuses a node of another cluster, of a release that does not fit, with a drive
//     of another node, or one that was removed.
//  7. The node opens its session, which ends the sessions of earlier processes with its id.
//     If one of these still runs, it checks who has registered, and ends (CheckOnlyRun).
//
// A voter that returns with less than it promised is another incarnation. It registers as
// such, without a vote, and gets a vote again when it has caught up (see package group). If
// it finds this out only from what the others remember of it, it notes it and ends; the next
// start is the new incarnation.
//
// # What is compared while it runs
//
// Every node asks every other node about itself (GET /node/v1/about), every ten seconds and
// at once if it must know. It asks how far the other's clock is ahead; how far the other's
// server has applied the log, and how far, as that knows, the asker's server had applied it;
// digests of settings; and what the other's state has refused. This has four uses:
//
//   - A node changes nothing while its clock is far from those of most voters.
//   - A node ends if its log ends before what others know that it had applied.
//   - A node that disagrees with most voters about what was refused has damaged metadata. It
//     disowns them and ends.
//   - Metrics and health tell of settings that differ and of clocks that are apart.
//
// # Concurrency and durability
//
// Peers and Self are safe for concurrent use. Config.Go runs all goroutines, and they end
// with the context of the method that started them. The cluster and the era are durable in
// the home before gossip tells them to anybody.
package member
