// Package testbed runs clusters of real `cairn server` processes on one machine
// for the programs and tests below tools/: start, kill -9, stop, look inside. It
// knows nothing of package testing and returns errors.
//
// A process dies with the program that started it. Cluster is safe for concurrent
// use: load goes on while another goroutine kills.
package testbed
