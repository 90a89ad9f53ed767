package main

import "fmt"

// plural returns a number of things, as people say it: 1 drive, 2 drives. The word takes an s.
func plural[N int | uint32 | uint64](n N, thing string) string {
	if n == 1 {
		return fmt.Sprintf("1 %s", thing)
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
