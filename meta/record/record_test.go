package record

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

// TestExtentsOf: each extent once, in the order in which it first occurs, however many
// references there are (above 32 extents a set is made).
func TestExtentsOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var refs []*metapb.ExtentRef
		var want []shard.ExtentID
		seen := map[shard.ExtentID]bool{}
		for range rapid.IntRange(0, 200).Draw(t, "references") {
			r := &metapb.ExtentRef{Volume: rapid.Uint32Range(1, 3).Draw(t, "volume"),
				Seq: rapid.Uint64Range(1, 30).Draw(t, "seq")}
			refs = append(refs, r)
			if id := ExtentID(r.Volume, r.Seq); !seen[id] {
				seen[id] = true
				want = append(want, id)
			}
		}
		require.Equal(t, fmt.Sprint(want), fmt.Sprint(ExtentsOf(refs)))
	})
}

// TestCountMissing: sums of extents are those of each, and nothing is left once all are
// taken out again: an empty record is what a volume without extents has.
func TestCountMissing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		missing := rapid.SliceOf(rapid.Uint32Range(0, 63)).Draw(t, "missing")
		s := new(metapb.VolumeStats)
		for _, m := range missing {
			CountMissing(s, m, 1)
		}
		for slot := range 6 {
			want, got := uint64(0), uint64(0)
			for _, m := range missing {
				want += uint64(m >> slot & 1)
			}
			if slot < len(s.MissingSlots) {
				got = s.MissingSlots[slot]
			}
			require.Equal(t, want, got, "slot %d of %v", slot, missing)
		}
		for _, m := range missing {
			CountMissing(s, m, -1)
		}
		require.Zero(t, proto.Size(s), "%v", s)
	})
}

func TestPartFault(t *testing.T) {
	refs := func(lengths ...uint64) (out []*metapb.ExtentRef) {
		for i, n := range lengths {
			out = append(out, &metapb.ExtentRef{Volume: 1, Seq: uint64(i + 1), Length: n})
		}
		return out
	}
	sealed := []*metapb.Envelope{{}}
	one := func(envelope uint32) []*metapb.ExtentRef {
		return []*metapb.ExtentRef{{Length: 1, Envelope: envelope}}
	}
	for name, tc := range map[string]struct {
		part *metapb.Part
		bad  bool
	}{
		"empty":                            {&metapb.Part{}, false},
		"inline":                           {&metapb.Part{Size: 2, Inline: []byte("ab")}, false},
		"inline, too few":                  {&metapb.Part{Size: 3, Inline: []byte("ab")}, true},
		"sealed inline bytes are longer":   {&metapb.Part{Size: 2, Inline: make([]byte, 18), Envelopes: sealed}, false},
		"extents":                          {&metapb.Part{Size: 5, Extents: refs(2, 3)}, false},
		"extents, too few":                 {&metapb.Part{Size: 6, Extents: refs(2, 3)}, true},
		"extents and inline bytes":         {&metapb.Part{Size: 5, Extents: refs(5), Inline: []byte("a")}, true},
		"lengths that wrap around":         {&metapb.Part{Size: 5, Extents: refs(7, ^uint64(0)-1)}, true},
		"a reference names no envelope":    {&metapb.Part{Size: 1, Extents: one(2), Envelopes: sealed}, true},
		"a reference names the envelope":   {&metapb.Part{Size: 1, Extents: one(1), Envelopes: sealed}, false},
		"a reference names none, as plain": {&metapb.Part{Size: 1, Extents: one(0)}, false},
	} {
		require.Equal(t, tc.bad, PartFault(tc.part) != "", name)
	}
}

// TestLifeOf: a drive of a node that is given up is what the node is. Else a drive that is not
// active is what it says, and an active one is what its node is.
func TestLifeOf(t *testing.T) {
	active, draining := metapb.Life_LIFE_ACTIVE, metapb.Life_LIFE_DRAINING
	lost, failed := metapb.Life_LIFE_LOST, metapb.Life_LIFE_FAILED
	for _, tc := range []struct{ node, drive, want metapb.Life }{
		{active, active, active}, {active, draining, draining}, {active, failed, failed}, {active, lost, lost},
		{draining, active, draining}, {draining, failed, failed}, {draining, draining, draining},
		{lost, active, lost}, {lost, draining, lost}, {lost, failed, lost},
	} {
		got := LifeOf(&metapb.Node{State: tc.node}, &metapb.Drive{State: tc.drive})
		require.Equal(t, tc.want, got, "%v on %v", tc.drive, tc.node)
	}
}

// TestFields: what is read of a message is what a decoder reads, and a message that is cut
// short is a Contradiction unless it ends between two fields.
func TestFields(t *testing.T) {
	v := &metapb.Version{VersionId: "id", Order: 300, Size: 1 << 40, Etag: "tag", Owner: "me"}
	whole, err := proto.Marshal(v)
	require.NoError(t, err)
	for n := range len(whole) + 1 {
		got := new(metapb.Version)
		err := Fields(whole[:n], func(num protowire.Number, u uint64, b []byte) error {
			switch num {
			case 2:
				got.VersionId = string(b)
			case 3:
				got.Order = u
			case 5:
				got.Size = u
			case 6:
				got.Etag = string(b)
			case 12:
				got.Owner = string(b)
			}
			return nil
		})
		want := new(metapb.Version)
		if proto.Unmarshal(whole[:n], want) != nil {
			require.True(t, IsContradiction(err), "%d bytes: %v", n, err)
			continue
		}
		require.NoError(t, err)
		require.True(t, proto.Equal(want, got), "%d bytes: %v, not %v", n, got, want)
	}
}

// TestErrorsNameTheRecord: an error of a record says which one, without its key, and is told
// from one of the database.
func TestErrorsNameTheRecord(t *testing.T) {
	db, err := pebble.Open("db", &pebble.Options{FS: vfs.NewMem(), Comparer: keys.Comparer()})
	require.NoError(t, err)
	defer db.Close()
	key := keys.AppendBucket(nil, "secret-name")
	require.NoError(t, db.Set(key, []byte{0xff}, pebble.NoSync))
	_, err = Get(db, key, new(metapb.Bucket))
	require.True(t, IsContradiction(err))
	require.True(t, errs.Is(err, errs.Corrupt))
	require.ErrorContains(t, err, Name(key))
	require.NotContains(t, err.Error(), "secret-name")
	scanned := ScanKind(db, keys.KindBucket, func(_ keys.Key, v []byte) error { return Unmarshal(v, new(metapb.Bucket)) })
	require.ErrorContains(t, scanned, Name(key))
	n := 0
	require.NoError(t, Scan(db, nil, nil, func(_, _ []byte) error { n++; return ErrStop }), "the scan was ended")
	require.Equal(t, 1, n)
	found, err := Get(db, keys.AppendBucket(nil, "other"), new(metapb.Bucket))
	require.NoError(t, err)
	require.False(t, found)
	require.False(t, IsContradiction(DBError(pebble.ErrCorruption)), "the block itself is bad: this node's damage")
	require.Equal(t, errs.Corrupt, errs.KindOf(DBError(pebble.ErrCorruption)))
}

// TestOpenKind: only what the file system says of itself is no damage, and of that a file
// that is missing is.
func TestOpenKind(t *testing.T) {
	failed := func(err error) error { return &fs.PathError{Op: "read", Path: "000001.sst", Err: err} }
	for _, tc := range []struct {
		err  error
		want errs.Kind
	}{
		{pebble.ErrCorruption, errs.Corrupt},
		{errors.New("anything else"), errs.Corrupt},
		{failed(syscall.EIO), errs.Internal},
		{fmt.Errorf("a table: %w", failed(syscall.EMFILE)), errs.Internal},
		{failed(syscall.ENOENT), errs.Corrupt},
		{errors.Join(failed(syscall.EIO), pebble.ErrCorruption), errs.Corrupt},
	} {
		require.Equal(t, tc.want, OpenKind(tc.err), "%v", tc.err)
		require.Equal(t, tc.want, errs.KindOf(DBError(tc.err)), "%v", tc.err)
		require.ErrorIs(t, DBError(tc.err), tc.err)
	}
}

// TestFieldsEndWithTheirCaller: an error of whoever is given the fields ends the reading.
func TestFieldsEndWithTheirCaller(t *testing.T) {
	msg, err := proto.Marshal(&metapb.Version{VersionId: "id", Order: 300})
	require.NoError(t, err)
	n, stop := 0, errors.New("stop")
	require.Equal(t, stop, Fields(msg, func(protowire.Number, uint64, []byte) error { n++; return stop }))
	require.Equal(t, 1, n)
}

// TestEntryName: which names entries of the directory may have, to the border.
func TestEntryName(t *testing.T) {
	longest := strings.Repeat("n", EntryNameMaxBytes)
	for _, tc := range []struct {
		kind  metapb.EntryKind
		name  string
		valid bool
	}{
		{0, "n", false}, {1, "n", true}, {EntryKindMax, "n", true}, {EntryKindMax + 1, "n", false}, {-1, "n", false},
		{1, "", false}, {1, longest, true}, {1, longest + "n", false},
	} {
		require.Equal(t, tc.valid, EntryName{tc.kind, tc.name}.Valid(), "kind %d, %d bytes", tc.kind, len(tc.name))
	}
}
