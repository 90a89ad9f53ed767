// Package notify is event notifications: what a bucket's rules ask for, the form of an event, and
// the targets outside the cluster that get events.
//
// The queue is not here. The state machine queues events (metapb.Event) with the change that they
// tell of, and upkeep on the leader hands them to their targets, in order, until each has taken
// them. So a target hears of every change at least once. A sequencer lets it put what it hears into
// order, and drop what it has heard before.
package notify
