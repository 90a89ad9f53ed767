package record

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
)

// Limits of an entry.
const (
	EntryNameMaxBytes  = 1024     // Of an entry's name.
	EntryValueMaxBytes = 64 << 10 // Of an entry's value.
)

// EntryKindMax is the greatest kind that a key can hold. What kinds there are is
// not for the state machine to know: a newer node may write one.
const EntryKindMax = 255

// EntryName names an entry of the directory.
type EntryName struct {
	Kind metapb.EntryKind
	Name string
}

// Valid reports whether an entry can have the name.
func (n EntryName) Valid() bool {
	return n.Kind > 0 && n.Kind <= EntryKindMax && n.Name != "" && len(n.Name) <= EntryNameMaxBytes
}

// Key appends the key of the entry to dst.
func (n EntryName) Key(dst []byte) []byte { return keys.AppendEntry(dst, uint8(n.Kind), n.Name) }

func (n EntryName) String() string { return fmt.Sprintf("%v %q", n.Kind, n.Name) }

// Compare is the order of the directory.
func (n EntryName) Compare(m EntryName) int {
	return cmp.Or(cmp.Compare(n.Kind, m.Kind), strings.Compare(n.Name, m.Name))
}
