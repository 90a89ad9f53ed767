//go:build !race

package drive

const raced = false
