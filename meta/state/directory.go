package state

import (
	"fmt"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/query"
	"github.com/cairnstore/cairn/meta/record"
)

// Limits of the directory, which every node holds in memory as a whole.
const (
	EntriesMax      = 200_000 // Entries in all.
	WriteEntriesMax = 4096    // Checks, entries and names in one WriteEntries.
)

// writeEntries changes the directory, all or nothing. It is refused if an entry that the change
// was decided on has another revision now (0: it is not there), or if the directory would be
// too large.
func (t *tx) writeEntries(c *metapb.WriteEntries) *metapb.Result {
	if why := checkEntries(c); why != "" {
		return invalid(why)
	}
	for _, check := range c.Checks {
		n := record.EntryName{Kind: check.Kind, Name: check.Name}
		old := new(metapb.Entry)
		t.get(n.Key(t.key()), old)
		if old.Revision != check.Revision {
			return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_ENTRY_CHANGED, Detail: n.String()}
		}
	}
	total := t.applied.Entries
	for _, e := range c.Put {
		if !t.has(record.EntryName{Kind: e.Kind, Name: e.Name}.Key(t.key())) {
			total++
		}
	}
	var gone []record.EntryName
	for _, d := range c.Delete {
		if n := (record.EntryName{Kind: d.Kind, Name: d.Name}); t.has(n.Key(t.key())) {
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
		n := record.EntryName{Kind: e.Kind, Name: e.Name}
		e.Revision = t.position
		t.set(n.Key(t.key()), e)
		t.directory = append(t.directory, query.EntryChange{EntryName: n, Revision: t.position})
	}
	for _, n := range gone {
		t.del(n.Key(t.key()))
		t.directory = append(t.directory, query.EntryChange{EntryName: n, Revision: t.position})
	}
	t.applied.Entries, t.applied.DirectoryRevision = total, t.position
	return t.changesConfig(r)
}

// checkEntries says what is wrong with a change of the directory, whatever the directory is; it
// returns "" if nothing is.
func checkEntries(c *metapb.WriteEntries) string {
	if len(c.Checks)+len(c.Put)+len(c.Delete) > WriteEntriesMax {
		return fmt.Sprintf("more than %d entries in one command", WriteEntriesMax)
	}
	for _, check := range c.Checks {
		if n := (record.EntryName{Kind: check.Kind, Name: check.Name}); !n.Valid() {
			return "an entry cannot have the name " + n.String()
		}
	}
	changed := make(map[record.EntryName]struct{}, len(c.Put)+len(c.Delete))
	for _, e := range c.Put {
		if len(e.Value) > record.EntryValueMaxBytes {
			return fmt.Sprintf("the value of %v has %d bytes; at most %d are allowed",
				record.EntryName{Kind: e.Kind, Name: e.Name}, len(e.Value), record.EntryValueMaxBytes)
		}
		changed[record.EntryName{Kind: e.Kind, Name: e.Name}] = struct{}{}
	}
	for _, d := range c.Delete {
		changed[record.EntryName{Kind: d.Kind, Name: d.Name}] = struct{}{}
	}
	if len(changed) != len(c.Put)+len(c.Delete) {
		return "an entry is named twice"
	}
	for _, e := range c.Put {
		if n := (record.EntryName{Kind: e.Kind, Name: e.Name}); !n.Valid() {
			return "an entry cannot have the name " + n.String()
		}
	}
	return ""
}

// changesBuckets notes that the command changes or deletes a bucket. It returns r.
func (t *tx) changesBuckets(r *metapb.Result) *metapb.Result {
	t.bucketsRevision = t.position
	return t.changesConfig(r)
}

// changesConfig notes that the command changes the directory, a bucket or a bucket's
// configuration. It returns r.
func (t *tx) changesConfig(r *metapb.Result) *metapb.Result {
	t.applied.ConfigRevision = t.position
	r.ConfigRevision = t.position
	return r
}
