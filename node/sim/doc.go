// Package sim runs whole clusters in one process: complete nodes on crashable
// memory file systems and a scripted network, in a testing/synctest bubble whose
// clock they share. Hours of failures take seconds, and the choices of a run come
// from one seed.
//
// What is simulated: the network (cuts in one or both directions, delay, loss,
// hosts that vanish), drives (a power cut keeps what was synced, and a random
// share of the rest), who is thought alive. What is real: everything else,
// Raft and Pebble included. What is not deterministic: the order of goroutines;
// so a failing seed is run again some times, or with tools/replay, which takes what is
// left of chance and of real time out of the runtime.
package sim
