//go:build invariants

package buf

const invariants = true
