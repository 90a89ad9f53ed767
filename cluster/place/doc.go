// Package place decides which drives hold the slots of volumes.
//
// It is pure: the same view, loads and seed give the same answer on every machine. It reads no
// clock, no randomness and no map order. It knows neither schemes nor which nodes are alive. The
// caller says how many slots a list needs, how many of them may be lost, and which drives may be
// used (registered, alive, not full, not draining).
//
// # Rules, the first that tells two drives apart wins
//
//  1. A drive is used once in a list.
//  2. A zone takes no more than its share, if a list that keeps to the shares
//     survives the loss of any zone. The share is the least number of slots per zone
//     with which the list finds room: ceil(n/z) for n slots over z zones that have
//     enough drives, and more where a zone has too few.
//  3. The node with the fewest slots of the list: so slots lie on distinct nodes
//     where there are enough, and evenly over the nodes where there are not.
//  4. The zone with the fewest slots of the list: so zones get no more than their
//     share unless rule 3 costs it.
//  5. The least filled drive: slots held and planned, by capacity; drives within
//     one slot of the least filled one count as equal.
//  6. The highest weighted rendezvous hash of (seed, list, drive).
//
// Rules 2 and 3 contradict each other only where a zone has fewer nodes than its share. Zones come
// first there if the list then survives the loss of a zone. A node of the small zone holds two
// slots or more in that case, but never more than may be lost. If the loss of a zone could not be
// survived anyway, two slots on a node would cost something and gain nothing.
//
// Rule 5 keeps drives balanced. Rule 6 mixes the sets of drives, so that many drives share volumes
// with one that is lost, and its shards are rebuilt fast.
package place
