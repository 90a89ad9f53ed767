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

// EntryKindMax is the greatest kind that a key can hold. The metadata do not know which
// kinds there are: a newer node may write one that this release has no name for.
const EntryKindMax = 255

// EntryName names an entry of the directory.
type EntryName struct {
	Kind metapb.EntryKind
	Name string
}

// Valid reports whether an entry may have that name. Key may be called only then.
func (n EntryName) Valid() bool {
	return n.Kind > 0 && n.Kind <= EntryKindMax && n.Name != "" && len(n.Name) <= EntryNameMaxBytes
}

// Key appends the key of the entry's record to dst.
func (n EntryName) Key(dst []byte) []byte { return keys.AppendEntry(dst, uint8(n.Kind), n.Name) }

func (n EntryName) String() string { return fmt.Sprintf("%v %q", n.Kind, n.Name) }

// Compare orders names as the directory is ordered: by kind, then by name.
func (n EntryName) Compare(m EntryName) int {
	return cmp.Or(cmp.Compare(n.Kind, m.Kind), strings.Compare(n.Name, m.Name))
}
