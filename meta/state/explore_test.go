package state

import (
	"cmp"
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

	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/shard"
)

// The explorer runs a few actors against the real state machine in every order. It goes
// from situation to situation, breadth first, and in each of them it tries the next step
// of every actor. A situation is what the database holds (a world), what lies on the
// drives, and what each actor remembers (a memo). There is no second model of the state
// machine: what must hold is said of worlds (needs) and of situations (holds).
//
// Two situations count as the same if they differ only in their log indexes, as long as
// these have the same order, and in what sessions keep for repeats, since no command is
// repeated here.
//
// A step depends on the world, on the memo of its actor, on the shards that it looks for,
// and on nothing else. So its outcome is kept, and used again where all of these are the
// same.
type explorer struct {
	t *testing.T
	m *machine
	s *State // m's.

	writes  int               // How many records were written since the database was made.
	numbers map[string]uint32 // The number of each record, by its key and value.
	records []bareRecord      // By number.
	worlds  []world
	same    map[[16]byte]uint32 // The first of the worlds that differ in indexes alone, by their hash.
	at      uint32              // The world that the database holds, if asIs is true.
	asIs    bool                // No command was applied since.
	buf     []byte

	actors   []actor
	memos    []memo
	memoOf   map[memo]uint32
	outcomes map[outcomeKey][]outcome

	// Situations are numbered. These say, by number, how each was reached.
	from  []uint32 // From which situation.
	by    []uint32 // By which step: its number in told.
	told  []string
	tells map[string]uint32
	seen  map[uint64]struct{} // Hashes of situations. Of 10^7, two collide in one of 10^5 explorations.
	steps int
	tried int // How many steps were taken on the database.
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

// bareRecord is a record, and what it is without its log indexes, which are kept apart.
type bareRecord struct {
	key, value string
	bare       []byte
	indexes    []uint64
}

// world is what the database holds: the numbers of its records, in the order of their keys.
type world struct {
	records []uint32
	indexes []uint64 // The log indexes in it and 0, each once, ascending.
	alike   uint32   // The first world that differs from it in indexes alone.
	needs   []need
}

// need is what must lie on the drives, because an extent is known.
type need struct {
	extent shard.ExtentID
	slots  []disks       // The bit of each slot's shard.
	drives []uint64      // The drive of each slot.
	lost   shard.SlotSet // The slots whose shards are counted as missing.
	k      int           // How many shards a reader needs.
}

// situation is a situation from which the exploration is to go on.
type situation struct {
	number uint32
	world  uint32
	disks  disks
	memos  []uint32 // The number of each actor's memo.
}

// outcomeKey holds what a step depends on, besides the shards that it looks for.
type outcomeKey struct {
	world, memo uint32
	actor       int
}

// outcome is what a step came to.
type outcome struct {
	looked, there disks // Which shards it looked for, and which of them were there.
	none          bool  // The actor had no step.

	world, memo uint32
	put, gone   disks
	said        uint32
}

// trace tells the steps that led to a situation, one a line.
func (e *explorer) trace(n uint32) string {
	var steps []string
	for ; n != 0; n = e.from[n] {
		steps = append(steps, e.told[e.by[n]])
	}
	slices.Reverse(steps)
	return strings.Join(steps, "\n")
}

// scene is a situation while an actor takes its step.
type scene struct {
	e      *explorer
	memo   memo
	before disks // What lay on the drives before the step.
	looked disks
	put    disks
	gone   disks
	said   []string // What it did, for the trace.
	wrong  string   // What it saw that must not be.
}

// has reports whether a shard lies on a drive.
func (w *scene) has(x shard.ExtentID, slot int, drive uint64) bool {
	b := bit(x, slot, drive)
	w.looked |= b
	return (w.before&^w.gone|w.put)&b != 0
}

func (w *scene) write(x shard.ExtentID, slot int, drive uint64) {
	w.put |= bit(x, slot, drive)
	w.gone &^= bit(x, slot, drive)
}

func (w *scene) remove(x shard.ExtentID, slot int, drive uint64) {
	w.gone |= bit(x, slot, drive)
	w.put &^= bit(x, slot, drive)
}

// on calls f for each shard on a drive.
func (w *scene) on(drive uint64, f func(x shard.ExtentID, slot int)) {
	for _, x := range exploredExtents {
		for slot := range exploredSlots {
			if w.has(x, slot, drive) {
				f(x, slot)
			}
		}
	}
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
	w.e.asIs = false
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

// newExplorer returns an explorer whose database holds what prepare has made.
func newExplorer(t *testing.T, actors []actor, prepare func(*machine)) *explorer {
	m := newMachine(t, &dropLimits{listSteps: 100})
	prepare(m)
	t.Cleanup(func() { m.close() })
	return &explorer{t: t, m: m, s: m.s, actors: actors, numbers: map[string]uint32{}, same: map[[16]byte]uint32{},
		memoOf: map[memo]uint32{}, outcomes: map[outcomeKey][]outcome{}, tells: map[string]uint32{}, seen: map[uint64]struct{}{}}
}

// explore goes on until there is no new situation, and returns true, or until it has seen most
// of them. there says what lies on the drives at first.
func (e *explorer) explore(there disks, most int) (all bool) {
	first := situation{world: e.read(0), disks: there, memos: make([]uint32, len(e.actors))}
	e.memo(memo{})
	e.reach(first, 0, "")
	for next := []situation{first}; len(next) > 0; {
		// Those of the same world are taken together, so that the database need not change.
		slices.SortStableFunc(next, func(a, b situation) int { return cmp.Compare(a.world, b.world) })
		now := next
		next = nil
		for at := range now {
			for i := range e.actors {
				if n, ok := e.take(&now[at], i); ok {
					next = append(next, n)
				}
			}
			now[at].memos = nil
			if len(e.seen) >= most {
				return false
			}
		}
	}
	return true
}

// take takes the next step of an actor. It reports false if there is none, or if the step leads
// to a situation that was reached before.
func (e *explorer) take(s *situation, i int) (n situation, ok bool) {
	o := e.outcome(s, i)
	if o.none {
		return n, false
	}
	e.steps++
	n = situation{world: o.world, disks: s.disks&^o.gone | o.put, memos: slices.Clone(s.memos)}
	n.memos[i] = o.memo
	e.normalize(&n)
	h := e.hash(&n)
	if _, old := e.seen[h]; old {
		return n, false
	}
	return e.reach(n, s.number, e.told[o.said]), true
}

// reach gives a new situation its number, and proves what must hold of it.
func (e *explorer) reach(n situation, from uint32, by string) situation {
	e.seen[e.hash(&n)] = struct{}{}
	n.number = uint32(len(e.from))
	e.from, e.by = append(e.from, from), append(e.by, e.tell(by))
	e.holds(&n)
	return n
}

// outcome returns what the next step of an actor comes to, as kept or as tried.
func (e *explorer) outcome(s *situation, i int) outcome {
	key := outcomeKey{s.world, s.memos[i], i}
	for _, o := range e.outcomes[key] {
		if s.disks&o.looked == o.there {
			return o
		}
	}
	o := e.try(s, i)
	e.outcomes[key] = append(e.outcomes[key], o)
	return o
}

// try takes the next step of an actor on the database.
func (e *explorer) try(s *situation, i int) outcome {
	e.tried++
	e.enter(s.world)
	w := &scene{e: e, memo: e.memos[s.memos[i]], before: s.disks}
	step := e.actors[i].step(w)
	by := e.actors[i].name + ": " + strings.Join(w.said, ", ")
	if w.wrong != "" {
		e.t.Fatalf("%s\nafter:\n%s\n%s", w.wrong, e.trace(s.number), by)
	}
	o := outcome{looked: w.looked, there: s.disks & w.looked, none: !step, world: s.world}
	if !e.asIs {
		o.world = e.read(s.number)
	}
	if step {
		o.put, o.gone, o.memo, o.said = w.put, w.gone, e.memo(w.memo), e.tell(by)
	}
	return o
}

// memo returns the number of a memo.
func (e *explorer) memo(m memo) uint32 {
	n, known := e.memoOf[m]
	if !known {
		n = uint32(len(e.memos))
		e.memoOf[m] = n
		e.memos = append(e.memos, m)
	}
	return n
}

// tell returns the number of a step's description.
func (e *explorer) tell(step string) uint32 {
	n, known := e.tells[step]
	if !known {
		n = uint32(len(e.told))
		e.tells[step] = n
		e.told = append(e.told, step)
	}
	return n
}

// read returns the number of the world that the database holds. from is the situation that it
// was reached from. If the world is new, it proves what must hold of it.
func (e *explorer) read(from uint32) uint32 {
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
	w := world{records: held, indexes: []uint64{0}}
	for _, n := range held {
		w.indexes = append(w.indexes, e.records[n].indexes...)
	}
	slices.Sort(w.indexes)
	w.indexes = slices.Compact(w.indexes)
	e.at, e.asIs = uint32(len(e.worlds)), true
	b := e.buf[:0]
	for _, n := range held {
		b = append(b, e.records[n].bare...)
		for _, index := range e.records[n].indexes {
			at, _ := slices.BinarySearch(w.indexes, index)
			b = append(b, byte(at))
		}
	}
	e.buf = b
	sum := sha256.Sum256(b)
	first, known := e.same[[16]byte(sum[:16])]
	if known {
		if slices.Equal(e.worlds[first].records, held) {
			e.at = first
			return first
		}
		w.alike, w.needs = first, e.worlds[first].needs
	} else {
		w.alike = e.at
		e.same[[16]byte(sum[:16])] = e.at
		w.needs = e.needs(from)
	}
	e.worlds = append(e.worlds, w)
	return e.at
}

// normalize replaces the world of a situation by the first one that differs from it in indexes
// alone, and the indexes that actors remember by those that they correspond to. It leaves the
// situation as it is if a remembered index corresponds to none.
func (e *explorer) normalize(s *situation) {
	old := &e.worlds[s.world]
	if old.alike == s.world {
		return
	}
	like := &e.worlds[old.alike]
	last, lastLike := old.indexes[len(old.indexes)-1], like.indexes[len(like.indexes)-1]
	memos := slices.Clone(s.memos)
	for i, n := range memos {
		m := e.memos[n]
		if m.index == 0 {
			continue
		}
		at, found := slices.BinarySearch(old.indexes, m.index)
		switch {
		case found:
			m.index = like.indexes[at]
		case m.index == last+1:
			m.index = lastLike + 1
		default:
			return
		}
		memos[i] = e.memo(m)
	}
	s.world, s.memos = old.alike, memos
}

// enter makes the database hold a world, by writing what differs.
func (e *explorer) enter(to uint32) {
	if e.at == to {
		return
	}
	held, want := e.worlds[e.at].records, e.worlds[to].records
	if e.writes > renewAfter {
		held = e.renew()
	}
	b := e.s.db.NewBatch()
	i, j := 0, 0
	for i < len(held) || j < len(want) {
		order := 0
		switch {
		case i == len(held):
			order = 1
		case j == len(want):
			order = -1
		default:
			order = strings.Compare(e.records[held[i]].key, e.records[want[j]].key)
		}
		if order < 0 {
			require.NoError(e.t, b.Delete([]byte(e.records[held[i]].key), nil))
		} else if order > 0 || held[i] != want[j] {
			r := &e.records[want[j]]
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
	e.at, e.asIs = to, true
}

// renewAfter is how many records are written before the database is made anew. It keeps what was
// overwritten for a while, and a scan has to go past it.
const renewAfter = 1000

// renew makes an empty database. It returns the records in it: none.
func (e *explorer) renew() []uint32 {
	e.m.close()
	e.m.fs = vfs.NewCrashableMem()
	e.m.open()
	e.s, e.writes = e.m.s, 0
	return nil
}

// indexFields are the fields that hold log indexes.
var indexFields = map[protoreflect.Name]bool{"index": true, "gc_index": true, "order": true, "opened": true, "ended": true,
	"started": true, "last_new": true, "config_revision": true, "directory_revision": true}

// bare takes the log indexes out of a record.
func bare(t *testing.T, key, value []byte) bareRecord {
	r := bareRecord{key: string(key), value: string(value)}
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
	m := record.New(k.Kind)
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

// hash returns what tells situations apart. Of log indexes only their order counts.
func (e *explorer) hash(s *situation) uint64 {
	w := &e.worlds[s.world]
	var remembered [2]uint64 // Room for those that actors remember and that lie between the world's.
	between := remembered[:0]
	place := func(index uint64) int {
		at, found := slices.BinarySearch(w.indexes, index)
		if found {
			return 2 * at
		}
		if !slices.Contains(between, index) {
			between = append(between, index)
		}
		return 2*at - 1
	}
	b := binary.BigEndian.AppendUint32(e.buf[:0], w.alike)
	b = binary.BigEndian.AppendUint64(b, uint64(s.disks))
	for _, n := range s.memos {
		m := &e.memos[n]
		if m.index == 0 {
			b = binary.BigEndian.AppendUint32(b, n)
			continue
		}
		// What the actor remembers besides.
		but := *m
		but.index = 0
		b = binary.BigEndian.AppendUint32(b, e.memo(but))
		b = binary.BigEndian.AppendUint32(b, 1<<31|uint32(place(m.index)))
	}
	// In which order those are that lie between the same two indexes of the world.
	for i, x := range between {
		for _, y := range between[:i] {
			b = append(b, byte(1+cmp.Compare(x, y)))
		}
	}
	e.buf = b
	sum := sha256.Sum256(b)
	return binary.BigEndian.Uint64(sum[:])
}

// needs proves what must hold of every world:
//
//   - the records agree with each other, and sums and usage equal a recount (Check);
//   - every key can be read as a whole.
//
// It returns what must lie on the drives.
func (e *explorer) needs(from uint32) (needs []need) {
	fail := func(format string, args ...any) {
		e.t.Fatalf("%s\none step after:\n%s", fmt.Sprintf(format, args...), e.trace(from))
	}
	if err := e.s.Check(); err != nil {
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
	err := record.ScanKind(e.s.db, keys.KindExtent, func(k keys.Key, value []byte) error {
		x := new(metapb.Extent)
		if err := record.Unmarshal(value, x); err != nil {
			return err
		}
		v := e.s.mem.volume(k.Extent.Volume)
		n := need{extent: k.Extent, drives: v.Slots, lost: shard.SlotSet(x.Missing), k: int(v.K)}
		for slot, drive := range v.Slots {
			n.slots = append(n.slots, bit(k.Extent, slot, drive))
		}
		needs = append(needs, n)
		return nil
	})
	if err != nil {
		fail("%v", err)
	}
	return needs
}

// holds proves what must hold of every situation: every extent that is known can be made whole,
// and each of its shards is where its volume says, or is counted as missing. So nothing refers to
// what was swept, and nothing ever will: only an extent that is known can be referred to.
func (e *explorer) holds(s *situation) {
	for _, n := range e.worlds[s.world].needs {
		there := 0
		for slot, b := range n.slots {
			if s.disks&b != 0 {
				there++
			} else if !n.lost.Has(slot) {
				e.t.Fatalf("shard %d of extent %s is not on drive %d and not counted as missing\nafter:\n%s",
					slot, n.extent, n.drives[slot], e.trace(s.number))
			}
		}
		if there < n.k {
			e.t.Fatalf("%d shards are left of extent %s\nafter:\n%s", there, n.extent, e.trace(s.number))
		}
	}
}

// disks says which shards lie on which drives: one bit for each of the few pairs that there are.
type disks uint64

// The extents and drives of an exploration.
var exploredExtents = []shard.ExtentID{{Volume: 1, Seq: 1}, {Volume: 2, Seq: 1}, {Volume: 1, Seq: 2}, {Volume: 1, Seq: 257}}

const (
	exploredDrive  = 100 // The id of the first drive. Slots are on three of them; one is spare.
	exploredDrives = 4
	exploredSlots  = 3
)

// bit returns the bit of a shard on a drive.
func bit(x shard.ExtentID, slot int, drive uint64) disks {
	at := slices.Index(exploredExtents, x)*exploredSlots + slot
	return 1 << (at*exploredDrives + int(drive-exploredDrive))
}

// TestExplore: see explorer. Some actors at a time are explored to the end, and all of
// them at once as far as seconds go; with CAIRN_TEST_LONG, further. CAIRN_EXPLORE says how
// many situations there may be of each set of actors.
func TestExplore(t *testing.T) {
	effort.SkipLessened(t)
	most := 20_000
	if effort.Long() {
		most = 1_000_000
	}
	sets := [][]string{
		{"writer 1", "writer 2", "reader", "trimmer", "gc", "deleter of shards"},
		{"writer 1", "writer 2", "mover", "session end", "sweeper of 100", "sweeper of 103"},
		{"writer 2", "copier", "session end", "trimmer", "gc", "deleter of shards"},
		{"restorer", "reader", "deletion", "trimmer", "copier"},
		{"writer 1", "mover", "gc", "deleter of shards", "trimmer", "sweeper of 100"},
		nil, // All.
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
			t.Logf("%d situations and %d steps, of which %d were taken on the database, in %v; to the end: %v",
				len(e.seen), e.steps, e.tried, time.Since(began).Round(time.Millisecond), all)
		})
	}
}
