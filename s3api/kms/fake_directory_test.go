package kms

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

type place struct {
	kind metapb.EntryKind
	name string
}

// fakeDirectory is a directory of one node.
type fakeDirectory struct {
	mu       sync.Mutex
	entries  map[place]*metapb.Entry
	revision uint64
	writes   int
	before   func() // Called once, before the next write.
}

func newFakeDirectory() *fakeDirectory { return &fakeDirectory{entries: make(map[place]*metapb.Entry)} }

func (f *fakeDirectory) Get(kind metapb.EntryKind, name string) *metapb.Entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.entries[place{kind, name}]
}

func (f *fakeDirectory) List(kind metapb.EntryKind) []*metapb.Entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := slices.Collect(maps.Values(f.entries))
	all = slices.DeleteFunc(all, func(e *metapb.Entry) bool { return e.Kind != kind })
	slices.SortFunc(all, func(a, b *metapb.Entry) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func (f *fakeDirectory) Write(_ context.Context, checks []*metapb.EntryCheck, put []*metapb.Entry, remove []*metapb.EntryName) error {
	f.mu.Lock()
	before := f.before
	f.before = nil
	f.mu.Unlock()
	if before != nil {
		before()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes++
	for _, c := range checks {
		if f.entries[place{c.Kind, c.Name}].GetRevision() != c.Revision {
			return errs.Newf("fake.Write", errs.Precondition, "%s changed", c.Name)
		}
	}
	f.revision++
	for _, e := range put {
		e = proto.Clone(e).(*metapb.Entry)
		e.Revision = f.revision
		f.entries[place{e.Kind, e.Name}] = e
	}
	for _, n := range remove {
		delete(f.entries, place{n.Kind, n.Name})
	}
	return nil
}

// edit changes a key's record without the service.
func (f *fakeDirectory) edit(id string, change func(*metapb.MasterKey)) {
	e := f.Get(metapb.EntryKind_ENTRY_MASTER_KEY, id)
	k := new(metapb.MasterKey)
	if err := proto.Unmarshal(e.Value, k); err != nil {
		panic(err)
	}
	change(k)
	value, err := proto.Marshal(k)
	if err != nil {
		panic(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.revision++
	f.entries[place{e.Kind, e.Name}] = &metapb.Entry{Kind: e.Kind, Name: e.Name, Value: value, Revision: f.revision}
}
