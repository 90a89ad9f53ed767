package keys

import (
	"bytes"
	"strings"
)

// Escaping of names: 00 becomes 00 ff, and 00 01 ends the name. The terminator
// sorts before every escaped byte and before 00 ff, so a name sorts before all
// names that it begins.
const (
	escByte    = 0x00
	escEscaped = 0xff
	escEnd     = 0x01
)

// appendName appends a name, escaped, and its terminator.
func appendName(dst []byte, name string) []byte {
	return append(appendEscaped(dst, name), escByte, escEnd)
}

func appendEscaped(dst []byte, name string) []byte {
	for {
		i := strings.IndexByte(name, escByte)
		if i < 0 {
			return append(dst, name...)
		}
		dst = append(append(dst, name[:i]...), escByte, escEscaped)
		name = name[i+1:]
	}
}

// nameEnd returns the length of the escaped name and terminator that b begins
// with; -1 where there is no terminator.
func nameEnd(b []byte) int {
	i := bytes.Index(b, []byte{escByte, escEnd})
	if i < 0 {
		return -1
	}
	return i + 2
}

// appendUnescaped appends the name in b (without its terminator) and reports
// whether it was escaped rightly.
func appendUnescaped(dst, b []byte) ([]byte, bool) {
	for {
		i := bytes.IndexByte(b, escByte)
		if i < 0 {
			return append(dst, b...), true
		}
		if i+1 >= len(b) || b[i+1] != escEscaped {
			return dst, false
		}
		dst = append(append(dst, b[:i]...), escByte)
		b = b[i+2:]
	}
}
