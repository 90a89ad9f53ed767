// Package load works on a bucket as many clients at once do, remembers what was
// acknowledged, and judges what it reads by that, byte for byte.
//
// Every client has keys of its own, so what a key must hold is known without ordering requests of
// different clients. A write whose outcome was not told may have taken effect, may do so later, or
// never. Its key may hold what it held before or what was written, and nobody writes it again.
// A key whose write took more than one attempt is not written again either, because the first
// attempt may still be under way. What it holds is known all the same: each attempt writes the same.
//
// What clients do is decided by a seed and the outcomes of what they did before.
// Bytes are functions of a number and an offset, so a model of gigabytes takes
// kilobytes.
package load
