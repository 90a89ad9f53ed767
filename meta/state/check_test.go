package state

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/check"
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// rawRecord is a record.
type rawRecord struct{ key, value []byte }

// rawRecords returns all records of a state, in order.
func rawRecords(t *testing.T, m *machine) (all []rawRecord) {
	t.Helper()
	eachRecord(t, m, func(key, value []byte) { all = append(all, rawRecord{key, value}) })
	return all
}

// checkOf checks records, which need not be in order.
func checkOf(all []rawRecord) error {
	sorted := slices.SortedFunc(slices.Values(all), func(a, b rawRecord) int { return bytes.Compare(a.key, b.key) })
	return check.Records(func(f func(key, value []byte) error) error {
		for _, r := range sorted {
			if err := f(r.key, r.value); err != nil {
				return err
			}
		}
		return nil
	})
}

// TestCheckFindsChanges: whichever field of whichever record is changed, and whichever record
// is lost or there twice, Check finds it. What
// it cannot see, since no other record says anything of it, stands in a golden file; behind
// it, whether that is so of every record.
func TestCheckFindsChanges(t *testing.T) {
	seen, unseen := map[string]bool{}, map[string]bool{}
	for _, m := range []*machine{golden(t), checked(t)} {
		defer m.close()
		all := rawRecords(t, m)
		require.NoError(t, checkOf(all))
		look := func(what string, changed []rawRecord) {
			if err := checkOf(changed); err == nil {
				unseen[what] = true
			} else {
				require.True(t, errs.Is(err, errs.Corrupt), "%s: %v", what, err)
				seen[what] = true
			}
		}
		for i, r := range all {
			look(fmt.Sprintf("%q is lost", r.key[0]), slices.Delete(slices.Clone(all), i, i+1))
			for at := range r.key[1:] {
				key := slices.Clone(r.key)
				key[at+1] ^= 1
				if !slices.ContainsFunc(all, func(o rawRecord) bool { return bytes.Equal(o.key, key) }) {
					look(fmt.Sprintf("%q is there under another key, too", r.key[0]),
						append(slices.Clone(all), rawRecord{key, r.value}))
				}
			}
			message := record.New(keys.Kind(r.key[0]))
			if message == nil {
				continue
			}
			require.NoError(t, proto.Unmarshal(r.value, message))
			name := string(message.ProtoReflect().Descriptor().Name())
			changes(message.ProtoReflect(), name, func(what string) {
				value, err := proto.Marshal(message)
				require.NoError(t, err)
				changed := slices.Clone(all)
				changed[i].value = value
				look(what, changed)
			})
		}
	}
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(unseen)) {
		b.WriteString(what)
		if seen[what] {
			b.WriteString(" (of some)")
		}
		b.WriteString("\n")
	}
	const file = "testdata/unseen.golden"
	if rewriting() {
		require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String(), "of %d changes", len(seen))
}

// changes changes one field of m after the other, in every way, calls f with the name of the
// field and of the change, and takes the change back.
func changes(m protoreflect.Message, name string, f func(what string)) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() { // Texts that are not there are left out: nothing refers to them.
		fd := fields.Get(i)
		if m.Has(fd) || fd.IsList() || fd.Message() != nil || fd.Kind() == protoreflect.StringKind ||
			fd.Kind() == protoreflect.BytesKind {
			continue
		}
		for how, v := range others(fd, m.Get(fd)) {
			if how != " is less" { // Than none.
				m.Set(fd, v)
				f(fmt.Sprintf("%s.%s%s", name, fd.Name(), how))
			}
		}
		m.Clear(fd)
	}
	m.Range(func(fd protoreflect.FieldDescriptor, old protoreflect.Value) bool {
		at := fmt.Sprintf("%s.%s", name, fd.Name())
		switch {
		case fd.IsList():
			changesOfList(m, fd, at, f)
		case fd.Message() != nil:
			changes(old.Message(), at, f)
			m.Clear(fd)
			f(at + " is none")
			m.Set(fd, old)
		default:
			for how, v := range others(fd, old) {
				m.Set(fd, v)
				f(at + how)
			}
			m.Set(fd, old)
		}
		return true
	})
}

func changesOfList(m protoreflect.Message, fd protoreflect.FieldDescriptor, at string, f func(what string)) {
	list := m.Mutable(fd).List()
	for i := range list.Len() {
		if fd.Message() != nil {
			changes(list.Get(i).Message(), at, f)
			continue
		}
		old := list.Get(i)
		for how, v := range others(fd, old) {
			list.Set(i, v)
			f(at + how)
		}
		list.Set(i, old)
	}
	n := list.Len()
	last := list.Get(n - 1)
	list.Append(last)
	f(at + " has one twice")
	list.Truncate(n - 1)
	f(at + " has one less")
	list.Append(last)
}

// others returns values that a field could have instead, by what they are.
func others(fd protoreflect.FieldDescriptor, old protoreflect.Value) map[string]protoreflect.Value {
	switch v := old.Interface().(type) {
	case bool:
		return map[string]protoreflect.Value{" is another": protoreflect.ValueOf(!v)}
	case string:
		return map[string]protoreflect.Value{" is another": protoreflect.ValueOf(v + "x")}
	case []byte:
		return map[string]protoreflect.Value{" is another": protoreflect.ValueOf(append([]byte{^v[0]}, v[1:]...))}
	case protoreflect.EnumNumber:
		return map[string]protoreflect.Value{" is another": protoreflect.ValueOf(v ^ 1)}
	case uint32:
		return numbers(v)
	case uint64:
		return numbers(v)
	case int32:
		return numbers(v)
	case int64:
		return numbers(v)
	}
	panic(fmt.Sprintf("a field of kind %s", fd.Kind()))
}

func numbers[T uint32 | uint64 | int32 | int64](v T) map[string]protoreflect.Value {
	return map[string]protoreflect.Value{" is less": protoreflect.ValueOf(v - 1), " is more": protoreflect.ValueOf(v + 1),
		" is far more": protoreflect.ValueOf(v + 1<<30)}
}

// checked makes a state that has what the golden one has not: a multipart object, a warm copy,
// a change of class under way, extents that miss shards, a move under way and one that was made.
func checked(t *testing.T) *machine {
	m, c := law(t)
	c.ok(t, createUpload(20, "b", "parts"))
	for n := range 3 {
		p, fresh := extentPart(uint32(n+1), 1, uint64(20+n), 10)
		c.ok(t, putPart(20, "b", "parts", p, fresh))
	}
	v := c.ok(t, completeAll(20, 3, 10, "b", "parts")).Version
	require.EqualValues(t, 3, v.Parts)
	c.ok(t, createUpload(21, "b", "open"))
	for n := range 2 {
		p, fresh := extentPart(uint32(n+1), 1, uint64(30+n), 10)
		c.ok(t, putPart(21, "b", "open", p, fresh))
	}
	c.ok(t, putPart(21, "b", "open", &metapb.Part{Number: 3, Size: 3, Inline: []byte("abc")}, nil))
	c.ok(t, update(copyOf(22, 40, 10, 900)))
	c.ok(t, putExtent("b", "cooling", 23, 1, 50, 10))
	p, fresh := extentPart(1, 1, 51, 10)
	c.ok(t, &metapb.Command{Op: &metapb.Command_TransitionVersion{TransitionVersion: &metapb.TransitionVersion{
		Bucket: "b", Key: "cooling", VersionId: "null", ContentId: id(23), StorageClass: "GLACIER",
		NewContentId: id(24), Parts: []*metapb.Part{p}, Extents: fresh}}})
	require.NotNil(t, m.get(&metapb.GetObject{Bucket: "b", Key: "cooling"}).Version.Transition)
	first := m.firstVolume()
	c.ok(t, &metapb.Command{Op: &metapb.Command_SetMissing{SetMissing: &metapb.SetMissing{
		Add: []*metapb.ExtentSlots{{Volume: 1, Seq: 20, Slots: 2, Epoch: first.Epoch}}}}})
	for slot, to := range spare {
		c.ok(t, &metapb.Command{Op: &metapb.Command_StartMove{StartMove: &metapb.StartMove{
			Volume: 1, Epoch: m.firstVolume().Epoch, Slot: uint32(slot), To: to}}})
		if slot == 0 {
			c.ok(t, &metapb.Command{Op: &metapb.Command_FinishMove{FinishMove: &metapb.FinishMove{
				Volume: 1, Epoch: m.firstVolume().Epoch, To: to, SeenIndex: 1 << 40}}})
		}
	}
	return m
}
