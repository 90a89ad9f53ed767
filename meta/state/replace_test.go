package state

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
)

// TestReplaceIsBoundInBytes: an extent with few owners, whose records are large, is
// replaced in several commands. Each writes what it may and one record more, at most,
// and between them both extents are there.
func TestReplaceIsBoundInBytes(t *testing.T) {
	const owners, refs, most = 9, 300, 10_000
	m := newMachine(t, &dropLimits{replaceBytes: most})
	defer m.close()
	c := newClient(t, m, 1, 2, 1)
	c.bucket(t, "b")
	c.ok(t, createUpload(1, "b", "k"))
	record := 0
	for n := range owners {
		p := &metapb.Part{Number: uint32(n + 1), Size: refs * 3, Etag: "e"}
		for i := range refs {
			p.Extents = append(p.Extents, &metapb.ExtentRef{Volume: 1, Seq: 1, Offset: uint64(i % 7), Length: 3})
		}
		var fresh []*metapb.NewExtent
		if n == 0 {
			fresh = []*metapb.NewExtent{{Volume: 1, Seq: 1, Extent: &metapb.Extent{PlainBytes: 10, Crc64: 5}}}
		}
		record = proto.Size(p)
		c.ok(t, putPart(1, "b", "k", p, fresh))
	}
	require.Greater(t, owners*record, 2*most, "the test is of nothing")
	commands, served := 0, 0
	for more := true; more; commands++ {
		r := c.ok(t, &metapb.Command{Op: &metapb.Command_ReplaceExtent{ReplaceExtent: &metapb.ReplaceExtent{OldVolume: 1, OldSeq: 1,
			Extent: &metapb.NewExtent{Volume: 1, Seq: 2, Extent: &metapb.Extent{PlainBytes: 10, Crc64: 5}}}}})
		more = r.More
		now := 0
		a := m.query(&metapb.Query{Op: &metapb.Query_Extents{Extents: &metapb.GetExtents{MaxOwners: 100,
			Extents: []*metapb.ExtentRef{{Volume: 1, Seq: 1}, {Volume: 1, Seq: 2}}}}}).Extents.Extents
		require.Len(t, append(a[0].Owners, a[1].Owners...), owners)
		now = len(a[1].Owners)
		require.Greater(t, now, served, "every command gets on")
		require.LessOrEqual(t, (now-served-1)*record, most)
		served = now
		require.NoError(t, m.s.Check())
	}
	require.Equal(t, owners, served)
	require.Greater(t, commands, 2)
}

// One command looks at replaceMax owners of an extent, and knows whether there are more.
func TestOwnersAreBounded(t *testing.T) {
	m := newMachine(t, nil)
	defer m.close()
	e := shard.ExtentID{Volume: 1, Seq: 7}
	for _, c := range []struct {
		owners, want int
		more         bool
	}{
		{0, 0, false}, {replaceMax - 1, replaceMax - 1, false}, {replaceMax, replaceMax, false},
		{replaceMax + 1, replaceMax, true},
	} {
		x := m.s.begin()
		for i := range c.owners {
			x.setBytes(keys.AppendRef(x.key(), e, keys.Owner{ID: keys.ID(id(1)), Number: uint32(i + 1)}), nil)
		}
		other := shard.ExtentID{Volume: 1, Seq: 8} // Of another extent.
		x.setBytes(keys.AppendRef(x.key(), other, keys.Owner{Pin: true, ID: keys.ID(id(2))}), nil)
		owners, more := x.ownersOf(e)
		require.NoError(t, x.err)
		require.Equal(t, c.want, len(owners)) // Not Len, whose report names thousands.
		require.Equal(t, c.more, more)
		for i, o := range owners {
			require.Equal(t, keys.Owner{ID: keys.ID(id(1)), Number: uint32(i + 1)}, o)
		}
		x.close()
	}
}
