// Package gossip tells who is alive, by memberlist behind a small interface.
//
// It is a hint, never truth: who belongs to the cluster, and where volumes lie, is
// for the metadata to decide. A live node can look down for a while (a partition,
// a starved machine), a dead one alive until it is found out.
//
// A member is
//
//   - Alive while it answers somebody;
//   - Suspect when this node's own last probe of it went unanswered, directly and
//     through others: avoid it where there is a choice;
//   - Down when nobody got an answer for the suspicion time, or it left.
//
// Everything is encrypted with a key from the cluster key (package identity);
// whoever has another key is neither heard nor believed, and reported.
//
// Gossip keeps joining by itself: the seeds until it knows them alive, members
// that are down in turn, so that the halves of a healed partition find each other,
// and a peer that takes this node's new address for somebody else's. Start returns
// at once, whether a seed answers or not.
//
// Nothing is durable. All methods are safe for concurrent use. Close ends all
// goroutines of this package and waits for them; a probe of memberlist's that is under
// way ends by itself, within seconds, which tests in a bubble must let pass.
package gossip
