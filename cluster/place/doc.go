// Package place decides which drives hold the slots of volumes.
//
// It is pure: the same view, loads and seed give the same answer on every machine;
// it reads no clock, no randomness and no map order. It knows neither schemes nor
// liveness: the caller says how many slots a list needs and which drives may be
// used (registered, alive, not full, not draining).
//
// # Rules, the first that tells two drives apart wins
//
//  1. A drive is used once in a list.
//  2. The node with the fewest slots of the list: so slots lie on distinct nodes
//     where there are enough, and evenly over the nodes where there are not.
//  3. The zone with the fewest slots of the list: so n slots over z zones put at
//     most ceil(n/z) into one, unless the other zones have no drives left.
//  4. The least filled drive: slots held and planned, by capacity; drives within
//     one slot of the least filled one count as equal.
//  5. The highest weighted rendezvous hash of (seed, list, drive).
//
// Rule 4 keeps drives balanced, rule 5 mixes the sets, so that the drives that
// share volumes with a lost one are many and its rebuilding is fast.
package place
