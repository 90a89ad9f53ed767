// Package sim runs whole clusters in one process: complete nodes, on file systems in memory that can
// crash and on a scripted network, in a testing/synctest bubble whose clock they share. Hours of
// failures take seconds, and the choices of a run come from one seed.
//
// Three things are simulated. The network can cut links in one direction or both, delay and lose what
// is sent, and let hosts vanish. A drive keeps what was synced over a power cut, and a random share of
// the rest. A stand-in for gossip says who is thought alive. All else is real, Raft and Pebble
// included.
//
// The order of goroutines is not deterministic. So a seed that has failed is run again several times,
// or with tools/replay, which takes what is left of chance and of real time out of the runtime.
package sim
