package state

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
)

// TestObjectParts: the parts that the layout names, in pages, and nothing of what was
// made by one request.
func TestObjectParts(t *testing.T) {
	m := newMachine(t, nil)
	defer m.close()
	c := newClient(t, m, 1, 2, 1)
	multipart(t, c, 3)
	v := m.get(&metapb.GetObject{Bucket: "b", Key: "k"}).Version
	ask := func(after, most uint32) *metapb.Answer {
		return m.query(&metapb.Query{Op: &metapb.Query_ObjectParts{ObjectParts: &metapb.ObjectParts{
			ContentId: v.ContentId, After: after, Max: most}}})
	}
	for _, tc := range []struct {
		after, most uint32
		want        []uint32
		truncated   bool
	}{
		{0, 10, []uint32{1, 2, 3}, false}, {0, 2, []uint32{1, 2}, true}, {2, 2, []uint32{3}, false},
		{3, 2, nil, false}, {0, 0, nil, true}, {9999, 1, nil, false},
	} {
		a := ask(tc.after, tc.most).ObjectParts
		var got []uint32
		for _, p := range a.Parts {
			got = append(got, p.Number)
			require.NotZero(t, p.Size)
			require.Empty(t, p.Extents)
		}
		require.Equal(t, tc.want, got, tc)
		require.Equal(t, tc.truncated, a.Truncated, tc)
	}
	v = c.ok(t, put("b", "single", 9, []byte("x"))).Version
	require.Equal(t, metapb.Refusal_REFUSAL_NO_SUCH_VERSION, ask(0, 1).Refusal)
}
