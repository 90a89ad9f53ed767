// Package place decides which drives hold the slots of volumes.
//
// It is pure: the same view, loads and seed give the same answer on every machine;
// it reads no clock, no randomness and no map order. It knows neither schemes nor
// liveness: the caller says how many slots a list needs, how many of them may be lost
// and which drives may be used (registered, alive, not full, not draining).
//
// # Rules, the first that tells two drives apart wins
//
//  1. A drive is used once in a list.
//  2. A zone takes no more than its share, where a list that keeps to the shares
//     survives the loss of any zone. The share is the least number of slots a zone
//     that the list can do with: ceil(n/z) for n slots over z zones with drives
//     enough, more where a zone has too few of them.
//  3. The node with the fewest slots of the list: so slots lie on distinct nodes
//     where there are enough, and evenly over the nodes where there are not.
//  4. The zone with the fewest slots of the list: so zones get no more than their
//     share unless rule 3 costs it.
//  5. The least filled drive: slots held and planned, by capacity; drives within
//     one slot of the least filled one count as equal.
//  6. The highest weighted rendezvous hash of (seed, list, drive).
//
// Rules 2 and 3 differ only where a zone has fewer nodes than its share. Zones come
// first there if that buys the loss of a zone: a node of the small zone then holds
// two slots or more, but never more than may be lost. Where a zone's loss could not be
// survived anyway, sharing a node would cost something and buy nothing.
//
// Rule 5 keeps drives balanced, rule 6 mixes the sets, so that the drives that
// share volumes with a lost one are many and its rebuilding is fast.
package place
