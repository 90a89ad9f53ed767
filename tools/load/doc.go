// Package load works on a bucket as many clients at once do, remembers what was
// acknowledged, and judges what it reads by that, byte for byte.
//
// Every client has keys of its own, so what a key must hold is known without
// ordering requests of different clients. A write whose outcome was not told may
// have taken effect, may do so later, or never: its key may hold what it held
// before or what was written, and nobody writes it again. So is a key that took
// more than one attempt, for the first one may still be under way; what it holds
// is known all the same, as each attempt writes the same.
//
// What clients do is decided by a seed and the outcomes of what they did before.
// Bytes are functions of a number and an offset, so a model of gigabytes takes
// kilobytes.
package load
