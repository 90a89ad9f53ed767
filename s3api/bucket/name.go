package bucket

import (
	"net/netip"
	"strings"
)

// Lengths of a bucket's name.
const (
	minName = 3
	maxName = 63
)

// ValidName reports whether a name follows S3's rules: 3 to 63 lower-case letters, digits, dots and
// hyphens. Between dots there is at least one character, and no hyphen next to a dot or at an end.
// An IP address is no name.
func ValidName(name string) bool {
	if len(name) < minName || len(name) > maxName {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	_, err := netip.ParseAddr(name)
	return err != nil
}
