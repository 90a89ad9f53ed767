// Package notify is event notifications: what a bucket's rules ask for, how an event
// is told, and the targets outside the cluster that are told.
//
// The queue is not here: the state machine queues events (metapb.Event) with the
// change that they tell of, and upkeep on the leader takes them to their targets, in
// order, until each has taken them. So a target hears of every change at least once;
// a sequencer lets it order what it hears, and drop what it heard before.
package notify
