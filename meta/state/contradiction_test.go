package state

import (
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// TestContradiction: a command that meets a record that contradicts another, or cannot be
// decoded, is refused as if it had never begun. What comes before and after it in the same
// batch is applied, and the answer is the same however entries are batched.
func TestContradiction(t *testing.T) {
	for name, spoil := range map[string]func(db *pebble.DB, key []byte) error{
		"missing":     func(db *pebble.DB, key []byte) error { return db.Delete(key, pebble.NoSync) },
		"undecodable": func(db *pebble.DB, key []byte) error { return db.Set(key, []byte{0xff, 0xff, 0xff}, pebble.NoSync) },
	} {
		t.Run(name, func(t *testing.T) {
			var dumps []string
			var answers [][]*metapb.Result
			for _, batch := range []int{1, 2, 5} {
				met := 0
				m := newMachine(t, nil)
				c := newClient(t, m, 1, 1, 0)
				c.bucket(t, "b")
				upload := id(7)
				c.ok(t, &metapb.Command{Op: &metapb.Command_CreateUpload{CreateUpload: &metapb.CreateUpload{
					Upload: &metapb.Upload{Id: upload, Bucket: "b", Key: "k", Initiator: "me", Attributes: &metapb.Attributes{}}}}})
				parsed, ok := keys.ParseID(upload)
				require.True(t, ok)
				require.NoError(t, spoil(m.s.db, keys.AppendUploadState(nil, parsed)))
				m.s.events.Contradiction = func(uint64, string, error) { met++ }
				part := &metapb.Command{Op: &metapb.Command_PutPart{PutPart: &metapb.PutPart{UploadId: upload, Bucket: "b", Key: "k",
					Part: &metapb.Part{Number: 1, Size: 3, Etag: "e", Inline: []byte("abc")}}}}
				cmds := []*metapb.Command{put("b", "before", 1, []byte("x")), part, put("b", "after", 2, []byte("y")), deleteKeys("b", "before"),
					{Op: &metapb.Command_AbortUpload{AbortUpload: &metapb.AbortUpload{UploadId: upload, Bucket: "b", Key: "k"}}}}
				at, term := m.s.Applied()
				var entries []Entry
				for i, cmd := range cmds {
					b, err := proto.Marshal(c.stamp(cmd))
					require.NoError(t, err)
					entries = append(entries, Entry{Index: at + 1 + uint64(i), Term: term, Command: b})
				}
				var got []*metapb.Result
				for i := 0; i < len(entries); i += batch {
					r, err := m.s.Apply(entries[i:min(i+batch, len(entries))])
					require.NoError(t, err)
					got = append(got, r...)
				}
				require.Equal(t, 2, met)
				for i, want := range []metapb.Refusal{0, metapb.Refusal_REFUSAL_CONTRADICTION, 0, 0, metapb.Refusal_REFUSAL_CONTRADICTION} {
					require.Equal(t, want, got[i].Refusal, "%d: %s", i, got[i].Detail)
				}
				// Asked again, it says the same.
				again := entries[len(entries)-1]
				again.Index = at + 10
				r, err := m.s.Apply([]Entry{again})
				require.NoError(t, err)
				require.Equal(t, metapb.Refusal_REFUSAL_CONTRADICTION, r[0].Refusal)
				require.Contains(t, r[0].Detail, record.Name(keys.AppendUploadState(nil, parsed)), "it names the record")
				applied, refused := m.s.Contradictions()
				require.Equal(t, at+10, applied)
				require.Equal(t, uint64(2), refused.Count)
				for i, index := range []uint64{at + 2, at + 5} {
					require.Equal(t, index, refused.Latest[i].Index)
					require.Equal(t, keys.AppendUploadState(nil, parsed), refused.Latest[i].Record)
				}
				require.NotEqual(t, refused.Latest[0].Digest, refused.Latest[1].Digest)
				require.NoError(t, m.s.Flush())
				h, err := m.s.Hash()
				require.NoError(t, err)
				dumps = append(dumps, string(h[:]))
				answers = append(answers, got)
				m.close()
			}
			for i := range dumps {
				require.Equal(t, dumps[0], dumps[i])
				for j := range answers[i] {
					require.True(t, proto.Equal(answers[0][j], answers[i][j]))
				}
			}
		})
	}
}

// TestUndecodableCommand: what no release can decode is refused, and the log goes on.
func TestUndecodableCommand(t *testing.T) {
	m := newMachine(t, nil)
	c := newClient(t, m, 1, 1, 0)
	c.bucket(t, "b")
	var told []uint64
	m.s.events.Contradiction = func(index uint64, _ string, _ error) { told = append(told, index) }
	at, term := m.s.Applied()
	next, err := proto.Marshal(c.stamp(put("b", "k", 1, []byte("x"))))
	require.NoError(t, err)
	r, err := m.s.Apply([]Entry{{Index: at + 1, Term: term, Command: []byte{0xff, 0xff}}, {Index: at + 2, Term: term, Command: next}})
	require.NoError(t, err)
	require.Equal(t, metapb.Refusal_REFUSAL_CONTRADICTION, r[0].Refusal)
	require.Equal(t, metapb.Refusal_REFUSAL_NONE, r[1].Refusal)
	require.Equal(t, []uint64{at + 1}, told)
	_, refused := m.s.Contradictions()
	require.Equal(t, metapb.ContradictionKind_CONTRADICTION_COMMAND, refused.Latest[0].Kind)
	m.close()
}

// TestContradictionsAreBounded: the latest refusals are remembered, across a restart too,
// and the digest is that of all.
func TestContradictionsAreBounded(t *testing.T) {
	m := newMachine(t, nil)
	at, term := m.s.Applied()
	const n = record.ContradictionsKept + 10
	for i := range uint64(n) {
		_, err := m.s.Apply([]Entry{{Index: at + 1 + i, Term: term, Command: []byte{0xff}}})
		require.NoError(t, err)
		if i == n/2 {
			m.close()
			m.open()
		}
	}
	_, refused := m.s.Contradictions()
	require.Equal(t, uint64(n), refused.Count)
	require.Len(t, refused.Latest, record.ContradictionsKept)
	require.Equal(t, at+n, refused.Latest[record.ContradictionsKept-1].Index)
	require.NoError(t, m.s.Check())

	// One refusal fewer at the beginning, and all digests differ.
	other := newMachine(t, nil)
	for i := range uint64(n) {
		e := Entry{Index: at + 1 + i, Term: term, Command: []byte{0xff}}
		if i == 0 {
			e.Command = nil
		}
		_, err := other.s.Apply([]Entry{e})
		require.NoError(t, err)
	}
	_, fewer := other.s.Contradictions()
	for i := range record.ContradictionsKept {
		require.Equal(t, refused.Latest[i].Index, fewer.Latest[i].Index)
		require.NotEqual(t, refused.Latest[i].Digest, fewer.Latest[i].Digest)
	}
	m.close()
	other.close()
}

// TestWhatStopsApply: a record that every command needs stops this voter where memory is
// made anew, and the error names it.
func TestWhatStopsApply(t *testing.T) {
	m := newMachine(t, nil)
	c := newClient(t, m, 1, 1, 0)
	c.bucket(t, "b")
	key := keys.AppendLease(nil, 1, 1<<40) // Of no session.
	lost := id(99)
	rec, err := proto.Marshal(&metapb.Lease{Session: lost})
	require.NoError(t, err)
	require.NoError(t, m.s.db.Set(key, rec, pebble.NoSync))
	// Memory is made anew by the first refusal, and meets it.
	at, term := m.s.Applied()
	_, err = m.s.Apply([]Entry{{Index: at + 1, Term: term, Command: []byte{0xff}}})
	require.True(t, record.IsContradiction(err), "%v", err)
	require.ErrorContains(t, err, record.Name(key))
	_, again := m.s.Apply([]Entry{{Index: at + 1, Term: term}})
	require.Equal(t, err, again, "nothing is applied any more")
	index, _ := m.s.Applied()
	require.Equal(t, at, index)
	require.NoError(t, m.s.db.Delete(key, pebble.NoSync))
	m.close()
}

// TestOpenRefusesContradictions: a state whose records contradict each other, or cannot be
// decoded, is not opened, and the error names the record.
func TestOpenRefusesContradictions(t *testing.T) {
	encode := func(m proto.Message) []byte {
		b, err := proto.Marshal(m)
		require.NoError(t, err)
		return b
	}
	lost, own, junk := keys.ID(id(99)), keys.ID(id(1)), []byte{0xff}
	for name, c := range map[string]struct{ key, value []byte }{
		"a lease of no session":      {keys.AppendLease(nil, 1, 1<<40), encode(&metapb.Lease{Session: id(99)})},
		"a lease of no id":           {keys.AppendLease(nil, 1, 1<<40), encode(&metapb.Lease{})},
		"a pin of no session":        {keys.AppendPin(nil, lost), encode(&metapb.Pin{Session: id(99)})},
		"a result of no session":     {keys.AppendResult(nil, lost, 1), nil},
		"a gap in the volumes":       {keys.AppendVolume(nil, 7), encode(&metapb.Volume{Id: 7})},
		"lease blocks of no volume":  {keys.AppendNextBlock(nil, 7), make([]byte, 8)},
		"lease blocks of no number":  {keys.AppendNextBlock(nil, 1), make([]byte, 7)},
		"a lease, undecodable":       {keys.AppendLease(nil, 1, 1<<40), junk},
		"a pin, undecodable":         {keys.AppendPin(nil, lost), junk},
		"a node, undecodable":        {keys.AppendNode(nil, 1), junk},
		"a volume, undecodable":      {keys.AppendVolume(nil, 1), junk},
		"a volume's sums":            {keys.AppendVolumeStats(nil, 1), junk},
		"a session, undecodable":     {keys.AppendSession(nil, own), junk},
		"a bucket, undecodable":      {keys.AppendBucket(nil, "b"), junk},
		"the cluster, undecodable":   {keys.AppendCluster(nil), junk},
		"the refusals, undecodable":  {keys.AppendRefused(nil), junk},
		"the end of a session":       {keys.AppendSession(nil, own), encode(&metapb.Session{Ended: 9})},
		"a session that is no more":  {keys.AppendSession(nil, own), nil},
		"a volume that is no more":   {keys.AppendVolume(nil, 1), nil},
		"no sums of volumes at all":  {keys.AppendVolumeStats(nil, 9), encode(&metapb.VolumeStats{Extents: 1})},
		"a lease that nobody can be": {[]byte{byte(keys.KindLease), 1}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, nil)
			newClient(t, m, 1, 2, 1).bucket(t, "b")
			if c.value == nil && (name == "a session that is no more" || name == "a volume that is no more") {
				require.NoError(t, m.s.db.Delete(c.key, pebble.NoSync))
			} else {
				require.NoError(t, m.s.db.Set(c.key, c.value, pebble.NoSync))
			}
			require.NoError(t, m.s.Flush())
			_ = m.s.Close() // It may have met the record already.
			s, err := Open(Options{FS: m.fs, Dir: m.dir, CacheBytes: m.cache})
			if err == nil {
				_ = s.Close()
			}
			require.True(t, record.IsContradiction(err), "%v", err)
		})
	}
}
