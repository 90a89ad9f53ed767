package state

import (
	"bytes"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// sharedLog returns the commands of a log in entries of several: sizes tells of how many the
// next one is. Each element is one entry.
func sharedLog(log []Entry, sizes func() int) (entries [][]Entry) {
	for len(log) > 0 {
		n := min(sizes(), len(log))
		var entry []Entry
		for i, e := range log[:n] {
			e.Index, e.Part, e.More = uint64(len(entries)+1), i, i < n-1
			entry = append(entry, e)
		}
		entries, log = append(entries, entry), log[n:]
	}
	return entries
}

// recordsBut returns all records but the one of how far the state is.
func recordsBut(t require.TestingT, db *pebble.DB, without []byte) (records [][2]string) {
	it, err := db.NewIter(nil)
	require.NoError(t, err)
	for ok := it.First(); ok; ok = it.Next() {
		if !bytes.Equal(it.Key(), without) {
			records = append(records, [2]string{string(it.Key()), string(it.Value())})
		}
	}
	require.NoError(t, it.Close())
	return records
}

// checkShared feeds the commands of the log to another State, several in an entry, with crashes
// in between: it ends up with the same records, as no command is of another position.
func checkShared(t *rapid.T, machine *machine, limits dropLimits, g *generator) {
	other := newMachine(t, &limits)
	defer func() { other.close() }()
	entries := sharedLog(machine.log, func() int { return 1 + g.int("shared", 5) })
	for from := 0; from < len(entries); {
		var batch []Entry
		to := min(from+1+g.int("entries", 6), len(entries))
		for _, e := range entries[max(from-g.int("overlap", 3), 0):to] {
			batch = append(batch, e...)
		}
		_, err := other.s.Apply(batch)
		require.NoError(t, err)
		from = to
		if g.chance("crash", 20) {
			other.crash(uint64(g.int("seed", 100)), pick(g, "percent", []int{0, 50, 100}))
			index, _ := other.s.Applied()
			from = int(index)
		}
	}
	require.NoError(t, other.s.Check())
	own := keys.AppendApplied(nil)
	require.Equal(t, recordsBut(t, machine.s.db, own), recordsBut(t, other.s.db, own))
	want, got := proto.Clone(machine.s.applied).(*metapb.Applied), proto.Clone(other.s.applied).(*metapb.Applied)
	require.Equal(t, uint64(len(machine.log)), record.Position(got))
	require.Equal(t, uint64(len(entries)), got.Index)
	want.Index, want.Ahead, got.Index, got.Ahead = 0, 0, 0, 0
	require.True(t, proto.Equal(want, got), "%v and %v", want, got)
}

// TestPositions: a position is the index of the entry, or one more than the position before it
// where entries have carried several commands. Entries of Raft's own have none, and what comes
// after they have caught up with the positions is at its index again.
func TestPositions(t *testing.T) {
	m := newMachine(t, nil)
	c := newClient(t, m, 1, 1, 0)
	c.bucket(t, "b")
	at, _ := m.s.Applied()
	marshal := func(cmd *metapb.Command) []byte {
		b, err := proto.Marshal(c.stamp(cmd))
		require.NoError(t, err)
		return b
	}
	n := 0
	for _, row := range []struct {
		name     string
		index    uint64 // After at.
		commands int    // 0: an entry of Raft's own.
		want     []uint64
	}{
		{"an entry of one", 1, 1, []uint64{1}},
		{"an entry of three", 2, 3, []uint64{2, 3, 4}},
		{"the next one goes on behind it", 3, 1, []uint64{5}},
		{"an entry of Raft's own that is behind", 4, 0, nil},
		{"and the next one goes on", 5, 2, []uint64{6, 7}},
		{"an entry of Raft's own that is ahead", 20, 0, nil},
		{"and the next one is at its index", 21, 2, []uint64{21, 22}},
		{"an index that was not reached before", 30, 1, []uint64{30}},
	} {
		t.Run(row.name, func(t *testing.T) {
			entries := []Entry{{Index: at + row.index, Term: 2}}
			for i := 1; i < row.commands; i++ {
				entries = append(entries, entries[0])
			}
			for i := range row.commands {
				n++
				entries[i].Command = marshal(put("b", "k", n, nil))
				entries[i].Part, entries[i].More = i, i < row.commands-1
			}
			results, err := m.s.Apply(entries)
			require.NoError(t, err)
			for i, want := range row.want {
				require.Equal(t, at+want, results[i].Index)
			}
			index, term := m.s.Applied()
			require.Equal(t, [2]uint64{at + row.index, 2}, [2]uint64{index, term})
			require.NoError(t, m.s.Check())
			a := m.query(&metapb.Query{Op: &metapb.Query_Status{Status: &metapb.GetStatus{}}})
			require.Equal(t, record.Position(m.s.applied), a.Status.AppliedIndex)
		})
	}
	m.close()
}

// TestCutInAnEntry: where the commands of an entry are committed one by one, since one of them
// met a contradiction, a crash between two of them loses and repeats none.
func TestCutInAnEntry(t *testing.T) {
	const commands = 6
	for cut := range commands {
		var hashes [][32]byte
		for _, crash := range []bool{false, true} {
			m := newMachine(t, nil)
			c := newClient(t, m, 1, 1, 0)
			c.bucket(t, "b")
			index, term := m.s.Applied()
			var entry []Entry
			for i := range commands {
				e := Entry{Index: index + 1, Term: term, Part: i, More: i < commands-1, Command: []byte{0xff}}
				if i%2 == 0 { // The others cannot be decoded.
					b, err := proto.Marshal(c.stamp(put("b", string(rune('a'+i)), 1+i, nil)))
					require.NoError(t, err)
					e.Command = b
				}
				entry = append(entry, e)
			}
			if crash {
				// As it is when the process ends after the first commands of applyEach.
				_, err := m.s.applyEach(entry[:cut])
				require.NoError(t, err)
				applied, refused := m.s.Contradictions()
				require.Equal(t, index, applied)
				require.Equal(t, uint64(cut/2), refused.Count)
				require.NoError(t, m.s.Check())
				require.NoError(t, m.s.Flush())
				m.crash(1, 0)
				at, _ := m.s.Applied()
				require.Equal(t, index, at)
			}
			results, err := m.s.Apply(entry)
			require.NoError(t, err)
			for i, r := range results {
				require.Equal(t, crash && i < cut, r == nil, "command %d, cut at %d", i, cut)
			}
			at, _ := m.s.Applied()
			require.Equal(t, index+1, at)
			require.NoError(t, m.s.Check())
			_, refused := m.s.Contradictions()
			require.Equal(t, uint64(commands/2), refused.Count)
			for _, r := range refused.Latest {
				require.Equal(t, index+1, r.Index, "it names the entry, in which the command is")
			}
			h, err := m.s.Hash()
			require.NoError(t, err)
			hashes = append(hashes, h)
			m.close()
		}
		require.Equal(t, hashes[0], hashes[1], "cut at %d", cut)
	}
}
