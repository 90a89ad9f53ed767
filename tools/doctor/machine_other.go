//go:build !linux

package doctor

import "errors"

// Machine looks at this machine. It knows Linux alone.
func Machine(dirs []string) []Finding {
	return []Finding{unknown("machine", "everything", errors.New("only Linux machines can be looked at"))}
}
