// Package notify is event notifications: what the rules of a bucket ask for, the form of an event,
// and the targets outside the cluster to which events are sent.
//
// The queue is not here. The state machine queues an event (metapb.Event) together with the change
// that it tells of. Upkeep on the leader sends the events to their targets, in order, until each
// target has taken them. So a target hears of every change at least once. By its sequencer it can
// put the events of a key into order, and drop those that it has heard before.
package notify
