package state

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

// The explorer runs a few actors against the real state machine in every order: it
// goes from situation to situation, breadth first, and in each takes the next step of
// every actor. A situation is what the database holds, what lies on the drives and
// what each actor remembers. There is no second model of the state machine: what must
// hold is said of the situations (see holds).
//
// Two situations are the same if they differ only in the log indexes, as long as these
// are in the same order, and in what sessions keep for repeats: no command is repeated
// here.
type explorer struct {
	t *testing.T
	m *machine
	s *State // m's.

	writes  int               // Records written since the database was made.
	numbers map[string]uint32 // Of records, by what they are.
	records []record
	held    []uint32 // What the database holds, by key.
	buf     []byte

	actors []actor
	seen   map[[16]byte]struct{}
	steps  int
}

// actor takes one step after the other. step reports whether it has one now; it may
// change the database by commands, the drives, and what it remembers.
type actor struct {
	name string
	step func(*scene) bool
}

// memo is what an actor remembers.
type memo struct {
	phase int
	index uint64 // A log index.
	epoch uint32
	saw   string
}

// record is a key and its value, and both without log indexes, which follow apart.
type record struct {
	key, value string
	bare       []byte
	indexes    []uint64
}

// situation is what was reached by a number of steps.
type situation struct {
	records []uint32 // Nil once it was gone on from; likewise memos.
	disks   disks
	memos   []memo
	from    *situation
	by      string
}

// trace tells the steps to a situation.
func (s *situation) trace() string {
	var steps []string
	for ; s.from != nil; s = s.from {
		steps = append(steps, s.by)
	}
	slices.Reverse(steps)
	return strings.Join(steps, "\n")
}

// scene is a situation with an actor in it.
type scene struct {
	e     *explorer
	memo  memo
	disks disks
	said  []string // What it did, for the trace.
	wrong string   // What it saw that must not be.
}

// do applies a command of a session; it must not be one that no proposer without a bug
// sends.
func (w *scene) do(session []byte, c *metapb.Command) *metapb.Result {
	if len(session) > 0 {
		c.Session, c.Seq, c.Floor, c.TimeMs = session, 1, 1, 1000
		if s := w.e.s.mem.sessions[keys.ID(session)]; s != nil {
			c.Seq, c.Floor = s.rec.Floor+1, s.rec.Floor+1
		}
	}
	b, err := proto.Marshal(c)
	require.NoError(w.e.t, err)
	rs, err := w.e.s.Apply([]Entry{{Index: w.e.s.applied.Index + 1, Term: 1, Command: b}})
	if err != nil {
		w.wrong = err.Error()
		return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_INVALID}
	}
	if rs[0].Refusal == metapb.Refusal_REFUSAL_INVALID {
		w.wrong = rs[0].Detail
	}
	w.say("%v", rs[0].Refusal)
	w.e.held = nil   // The database has changed.
	w.e.writes += 20 // About.
	return rs[0]
}

func (w *scene) ask(q *metapb.Query) *metapb.Answer {
	a, err := w.e.s.Query(q)
	if err != nil {
		w.wrong = err.Error()
		return &metapb.Answer{Refusal: metapb.Refusal_REFUSAL_INVALID}
	}
	return a
}

func (w *scene) volume(id uint32) *metapb.Volume { return w.e.s.mem.volumes[id-1] }

func (w *scene) say(format string, args ...any) {
	w.said = append(w.said, fmt.Sprintf(format, args...))
}

// newExplorer starts from what prepare does.
func newExplorer(t *testing.T, actors []actor, prepare func(*machine)) *explorer {
	m := newMachine(t, &dropLimits{listSteps: 100})
	prepare(m)
	t.Cleanup(m.close)
	return &explorer{t: t, m: m, s: m.s, numbers: map[string]uint32{}, actors: actors, seen: map[[16]byte]struct{}{}}
}

// explore goes on until there is no new situation or there are most of them, which it
// reports.
func (e *explorer) explore(disks disks, most int) (all bool) {
	first := &situation{records: e.read(), disks: disks, memos: make([]memo, len(e.actors))}
	e.seen[e.hash(first)] = struct{}{}
	e.holds(first)
	next := []*situation{first}
	for len(next) > 0 {
		now := next
		next = nil
		for _, s := range now {
			for i := range e.actors {
				if n := e.take(s, i); n != nil {
					next = append(next, n)
				}
			}
			s.records, s.memos = nil, nil
			if len(e.seen) >= most {
				return false
			}
		}
	}
	return true
}

// take takes the next step of an actor; nil if there is none, or it leads to where one
// led before.
func (e *explorer) take(s *situation, i int) *situation {
	e.enter(s)
	w := &scene{e: e, memo: s.memos[i], disks: s.disks}
	if !e.actors[i].step(w) {
		require.Empty(e.t, w.wrong, "%s\n%s", s.trace(), e.actors[i].name)
		return nil
	}
	e.steps++
	n := &situation{disks: w.disks, memos: slices.Clone(s.memos), from: s, by: e.actors[i].name + ": " + strings.Join(w.said, ", ")}
	n.memos[i] = w.memo
	if w.wrong != "" {
		e.t.Fatalf("%s\nafter:\n%s", w.wrong, n.trace())
	}
	n.records = e.read()
	h := e.hash(n)
	if _, old := e.seen[h]; old {
		return nil
	}
	e.seen[h] = struct{}{}
	e.holds(n)
	return n
}

// read returns what the database holds.
func (e *explorer) read() []uint32 {
	if e.held != nil {
		return e.held
	}
	var held []uint32
	require.NoError(e.t, e.s.records(func(key, value []byte) error {
		e.buf = binary.AppendUvarint(e.buf[:0], uint64(len(key)))
		e.buf = append(append(e.buf, key...), value...)
		n, known := e.numbers[string(e.buf)]
		if !known {
			n = uint32(len(e.records))
			e.numbers[string(e.buf)] = n
			e.records = append(e.records, bare(e.t, key, value))
		}
		held = append(held, n)
		return nil
	}))
	e.held = held
	return held
}

// enter makes the database hold what it does in a situation.
func (e *explorer) enter(s *situation) {
	held := e.read()
	if slices.Equal(held, s.records) && e.s.broken == nil {
		return
	}
	if e.writes > renewAfter {
		held = e.renew()
	}
	b := e.s.db.NewBatch()
	i, j := 0, 0
	for i < len(held) || j < len(s.records) {
		order := 0
		switch {
		case i == len(held):
			order = 1
		case j == len(s.records):
			order = -1
		default:
			order = strings.Compare(e.records[held[i]].key, e.records[s.records[j]].key)
		}
		if order < 0 {
			require.NoError(e.t, b.Delete([]byte(e.records[held[i]].key), nil))
		} else if order > 0 || held[i] != s.records[j] {
			r := &e.records[s.records[j]]
			require.NoError(e.t, b.Set([]byte(r.key), []byte(r.value), nil))
		}
		if order <= 0 {
			i++
		}
		if order >= 0 {
			j++
		}
	}
	e.writes += int(b.Count())
	require.NoError(e.t, b.Commit(pebble.NoSync))
	e.s.broken = nil
	require.NoError(e.t, e.s.load())
	e.held = s.records
}

// renewAfter is after how many writes the database is made anew: it keeps what was
// overwritten, and a scan goes past it.
const renewAfter = 1000

// renew goes on with an empty database.
func (e *explorer) renew() []uint32 {
	e.m.close()
	e.m.fs = vfs.NewCrashableMem()
	e.m.open()
	e.s, e.writes = e.m.s, 0
	return nil
}

// Fields that hold log indexes.
var indexFields = map[protoreflect.Name]bool{"index": true, "gc_index": true, "order": true, "opened": true, "ended": true,
	"last_new": true, "config_revision": true, "directory_revision": true}

// bare takes the log indexes out of a record.
func bare(t *testing.T, key, value []byte) record {
	r := record{key: string(key), value: string(value)}
	k, err := keys.Decode(key)
	require.NoError(t, err)
	if k.Kind == keys.KindResult {
		return r
	}
	for _, at := range []*uint64{&k.Index, &k.Order} {
		if k.Kind != keys.KindRestore || at == &k.Order { // That of a restore is a time.
			r.indexes = append(r.indexes, *at)
			*at = 0
		}
	}
	r.bare = k.Append(nil)
	m := newRecord(k.Kind)
	if m == nil {
		r.bare = append(r.bare, value...)
		return r
	}
	require.NoError(t, proto.Unmarshal(value, m))
	if s, ok := m.(*metapb.Session); ok {
		s.Floor = 0
	}
	takeIndexes(m.ProtoReflect(), &r.indexes)
	r.bare, err = proto.MarshalOptions{Deterministic: true}.MarshalAppend(r.bare, m)
	require.NoError(t, err)
	return r
}

func takeIndexes(m protoreflect.Message, to *[]uint64) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch {
		case indexFields[f.Name()] && f.Kind() == protoreflect.Uint64Kind:
			*to = append(*to, m.Get(f).Uint())
			m.Clear(f)
		case f.Message() != nil && f.IsList():
			for j := range m.Get(f).List().Len() {
				takeIndexes(m.Get(f).List().Get(j).Message(), to)
			}
		case f.Message() != nil && !f.IsMap() && m.Has(f):
			takeIndexes(m.Mutable(f).Message(), to)
		}
	}
}

// hash tells situations apart.
func (e *explorer) hash(s *situation) [16]byte {
	var indexes []uint64
	for _, n := range s.records {
		indexes = append(indexes, e.records[n].indexes...)
	}
	for _, m := range s.memos {
		indexes = append(indexes, m.index)
	}
	ranks := slices.Compact(slices.Sorted(slices.Values(append(indexes, 0))))
	var b bytes.Buffer
	rank := func(index uint64) {
		at, _ := slices.BinarySearch(ranks, index)
		b.WriteByte(byte(at))
	}
	for _, n := range s.records {
		r := &e.records[n]
		b.Write(r.bare)
		for _, index := range r.indexes {
			rank(index)
		}
	}
	for _, m := range s.memos {
		fmt.Fprintf(&b, "|%d %d %s", m.phase, m.epoch, m.saw)
		rank(m.index)
	}
	_ = binary.Write(&b, binary.BigEndian, uint64(s.disks))
	sum := sha256.Sum256(b.Bytes())
	return [16]byte(sum[:16])
}

// holds says what must be of every situation:
//
//   - the records agree with each other, and sums and usage equal a recount (Check);
//   - every extent that is known can be made whole, and each of its shards is where its
//     volume says, or is counted as missing: whatever was swept is referred to by
//     nothing, now or later, since an extent that is known may be referred to again;
//   - every key can be read as a whole.
func (e *explorer) holds(s *situation) {
	fail := func(format string, args ...any) {
		e.t.Fatalf("%s\nafter:\n%s", fmt.Sprintf(format, args...), s.trace())
	}
	if err := e.s.Check(); err != nil {
		fail("%v", err)
	}
	err := scanKind(e.s.db, keys.KindExtent, func(k keys.Key, value []byte) error {
		x := new(metapb.Extent)
		if err := unmarshal(value, x); err != nil {
			return err
		}
		v, there := e.s.mem.volume(k.Extent.Volume), 0
		for slot, drive := range v.Slots {
			here := s.disks.has(k.Extent, slot, drive)
			if here {
				there++
			}
			if !here && !shard.SlotSet(x.Missing).Has(slot) {
				fail("shard %d of extent %s is not on drive %d and not counted as missing", slot, k.Extent, drive)
			}
		}
		if there < int(v.K) {
			fail("%d shards are left of extent %s", there, k.Extent)
		}
		return nil
	})
	if err != nil {
		fail("%v", err)
	}
	for _, key := range []string{"k", "copy"} {
		for _, restored := range []bool{false, true} {
			a, err := e.s.Query(&metapb.Query{Op: &metapb.Query_Object{Object: &metapb.GetObject{Bucket: "b", Key: key, Restored: restored}}})
			if err != nil || a.Refusal == metapb.Refusal_REFUSAL_NONE && a.Object.Content.GetLength() != a.Object.Version.Size {
				fail("%s cannot be read: %v", key, err)
			}
		}
	}
}

// disks is which shards lie on which drives: a bit each, of the few that there are.
type disks uint64

// The extents and drives of an exploration.
var exploredExtents = []shard.ExtentID{{Volume: 1, Seq: 1}, {Volume: 2, Seq: 1}, {Volume: 1, Seq: 2}, {Volume: 1, Seq: 257}}

const (
	exploredDrive  = 100 // The first; slots are on three of them, and one is spare.
	exploredDrives = 4
	exploredSlots  = 3
)

func bit(x shard.ExtentID, slot int, drive uint64) disks {
	at := slices.Index(exploredExtents, x)*exploredSlots + slot
	return 1 << (at*exploredDrives + int(drive-exploredDrive))
}

func (d disks) has(x shard.ExtentID, slot int, drive uint64) bool { return d&bit(x, slot, drive) != 0 }

// on calls f for each shard on a drive.
func (d disks) on(drive uint64, f func(x shard.ExtentID, slot int)) {
	for _, x := range exploredExtents {
		for slot := range exploredSlots {
			if d.has(x, slot, drive) {
				f(x, slot)
			}
		}
	}
}

// TestExplore: see explorer. Some actors at a time are explored to the end, or as far as
// seconds go; with CAIRN_TEST_LONG, further, and then all of them at once.
// CAIRN_EXPLORE says how many situations there may be of each set of actors.
func TestExplore(t *testing.T) {
	most := 4000
	sets := [][]string{
		{"writer 1", "writer 2", "reader", "trimmer", "gc", "deleter of shards"},
		{"writer 1", "writer 2", "mover", "session end", "sweeper of 100", "sweeper of 103"},
		{"writer 2", "copier", "session end", "trimmer", "gc", "deleter of shards"},
		{"restorer", "reader", "deletion", "trimmer", "copier"},
		{"writer 1", "mover", "gc", "deleter of shards", "trimmer", "sweeper of 100"},
	}
	if os.Getenv("CAIRN_TEST_LONG") != "" {
		most = 200_000
		sets = append(sets, nil)
	}
	if n, err := strconv.Atoi(os.Getenv("CAIRN_EXPLORE")); err == nil {
		most = n
	}
	for _, set := range sets {
		name := strings.Join(set, ", ")
		if set == nil {
			name = "all"
		}
		t.Run(name, func(t *testing.T) {
			var actors []actor
			for _, a := range everyActor() {
				if set == nil || slices.Contains(set, a.name) {
					actors = append(actors, a)
				}
			}
			var there disks
			e := newExplorer(t, actors, func(m *machine) { there = prepareExplored(t, m) })
			began := time.Now()
			all := e.explore(there, most)
			t.Logf("%d situations, %d steps in %v; to the end: %v", len(e.seen), e.steps, time.Since(began), all)
		})
	}
}
