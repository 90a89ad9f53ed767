// Package testbed runs clusters of real `cairn server` processes on one machine, for the programs and
// tests below tools/. It starts, kills and stops nodes, and looks inside them. It knows nothing of
// package testing: it returns errors.
//
// A process dies with the program that started it. A Cluster may be used by several goroutines: one
// kills nodes while others load them.
package testbed
