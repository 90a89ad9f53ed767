package state

import (
	"fmt"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
)

// Limits of the directory. All of it lies in every node's memory.
const (
	EntriesMax      = 200_000 // Entries in all.
	WriteEntriesMax = 4096    // Checks, entries and names in one WriteEntries.
)

// Limits of an entry.
const (
	EntryNameMaxBytes  = 1024     // Of an entry's name.
	EntryValueMaxBytes = 64 << 10 // Of an entry's value.
)

// entryKindMax is the greatest kind that a key can hold. What kinds there are is
// not for the state machine to know: a newer node may write one.
const entryKindMax = 255

// entryName names an entry of the directory.
type entryName struct {
	kind metapb.EntryKind
	name string
}

// valid reports whether an entry can have the name.
func (n entryName) valid() bool {
	return n.kind > 0 && n.kind <= entryKindMax && n.name != "" && len(n.name) <= EntryNameMaxBytes
}

func (n entryName) key(dst []byte) []byte { return keys.AppendEntry(dst, uint8(n.kind), n.name) }

func (n entryName) String() string { return fmt.Sprintf("%v %q", n.kind, n.name) }

// writeEntries changes the directory, all or nothing.
func (t *tx) writeEntries(c *metapb.WriteEntries) *metapb.Result {
	if why := checkEntries(c); why != "" {
		return invalid(why)
	}
	for _, check := range c.Checks {
		n := entryName{check.Kind, check.Name}
		old := new(metapb.Entry)
		t.get(n.key(t.key()), old)
		if old.Revision != check.Revision {
			return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_ENTRY_CHANGED, Detail: n.String()}
		}
	}
	total := t.applied.Entries
	for _, e := range c.Put {
		if !t.has(entryName{e.Kind, e.Name}.key(t.key())) {
			total++
		}
	}
	var gone []entryName
	for _, d := range c.Delete {
		if n := (entryName{d.Kind, d.Name}); t.has(n.key(t.key())) {
			gone = append(gone, n)
			total--
		}
	}
	if total > EntriesMax {
		return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_TOO_MANY,
			Detail: fmt.Sprintf("the directory holds at most %d entries", EntriesMax)}
	}
	r := &metapb.Result{}
	if len(c.Put) == 0 && len(gone) == 0 {
		return r
	}
	for _, e := range c.Put {
		n := entryName{e.Kind, e.Name}
		e.Revision = t.index
		t.set(n.key(t.key()), e)
		t.directory = append(t.directory, entryChange{n, t.index})
	}
	for _, n := range gone {
		t.del(n.key(t.key()))
		t.directory = append(t.directory, entryChange{n, t.index})
	}
	t.applied.Entries, t.applied.DirectoryRevision = total, t.index
	return t.changesConfig(r)
}

// checkEntries returns what is wrong with a change of the directory; empty if
// nothing is.
func checkEntries(c *metapb.WriteEntries) string {
	if len(c.Checks)+len(c.Put)+len(c.Delete) > WriteEntriesMax {
		return fmt.Sprintf("more than %d entries in one command", WriteEntriesMax)
	}
	for _, check := range c.Checks {
		if n := (entryName{check.Kind, check.Name}); !n.valid() {
			return "an entry cannot have the name " + n.String()
		}
	}
	changed := make(map[entryName]struct{}, len(c.Put)+len(c.Delete))
	for _, e := range c.Put {
		if len(e.Value) > EntryValueMaxBytes {
			return fmt.Sprintf("the value of %v has %d bytes; at most %d are allowed",
				entryName{e.Kind, e.Name}, len(e.Value), EntryValueMaxBytes)
		}
		changed[entryName{e.Kind, e.Name}] = struct{}{}
	}
	for _, d := range c.Delete {
		changed[entryName{d.Kind, d.Name}] = struct{}{}
	}
	if len(changed) != len(c.Put)+len(c.Delete) {
		return "an entry is named twice"
	}
	for _, e := range c.Put {
		if n := (entryName{e.Kind, e.Name}); !n.valid() {
			return "an entry cannot have the name " + n.String()
		}
	}
	return ""
}

// changesBuckets notes that the command changes a bucket or its configuration.
func (t *tx) changesBuckets(r *metapb.Result) *metapb.Result {
	t.bucketsRevision = t.index
	return t.changesConfig(r)
}

// changesConfig notes that the command changes the directory, a bucket or its
// configuration.
func (t *tx) changesConfig(r *metapb.Result) *metapb.Result {
	t.applied.ConfigRevision = t.index
	r.ConfigRevision = t.index
	return r
}
