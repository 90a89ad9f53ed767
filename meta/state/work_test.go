package state

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/query"
)

func TestOwnersOfExtentsAreBounded(t *testing.T) {
	c := versioned(t, versioningOff)
	p, _ := extentPart(1, 1, 1, 10)
	c.ok(t, putExtent("b", "k", 1, 1, 1, 10))
	for i := range 4 {
		cmd := putExtent("b", fmt.Sprint("k", i), 10+i, 1, 1, 10)
		cmd.GetPutObject().Extents = nil
		c.ok(t, cmd)
	}
	c.ok(t, &metapb.Command{Op: &metapb.Command_AddPin{AddPin: &metapb.AddPin{Pin: id(90), Extents: p.Extents}}})
	owners := func(limit uint32) *metapb.ExtentInfo {
		return c.m.query(&metapb.Query{Op: &metapb.Query_Extents{Extents: &metapb.GetExtents{MaxOwners: limit,
			Extents: p.Extents}}}).Extents.Extents[0]
	}
	for limit, want := range map[uint32]int{0: 0, 1: 1, 5: 5, 6: 6, 7: 6} {
		got := owners(limit)
		require.Len(t, got.Owners, want)
		require.Equal(t, want < 6, got.MoreOwners)
	}
	require.Equal(t, metapb.OwnerKind_OWNER_PIN, owners(6).Owners[5].Kind)
	require.Equal(t, id(90), owners(6).Owners[5].Id)
	many := &metapb.GetExtents{Extents: make([]*metapb.ExtentRef, query.PageMax+1)}
	require.Equal(t, metapb.Refusal_REFUSAL_INVALID, c.m.query(&metapb.Query{Op: &metapb.Query_Extents{Extents: many}}).Refusal)
}

// Open uploads of all buckets are listed by id; completed ones are not.
func TestWorkUploads(t *testing.T) {
	c := versioned(t, versioningOff)
	c.bucket(t, "c")
	for i, bucket := range []string{"b", "c", "b", "c"} {
		c.ok(t, createUpload(4-i, bucket, fmt.Sprint("k", i)))
	}
	c.ok(t, putPart(2, "b", "k2", &metapb.Part{Number: 1}, nil))
	c.ok(t, completeAll(2, 1, 0, "b", "k2"))
	var got []string
	q := &metapb.ListWork{Kind: metapb.WorkKind_WORK_UPLOADS, Max: 2}
	for more := true; more; {
		work := c.m.query(&metapb.Query{Op: &metapb.Query_ListWork{ListWork: q}}).Work
		for _, i := range work.Items {
			got = append(got, i.Bucket+"/"+i.Key)
			require.Equal(t, i.Id, i.Upload.Id)
			q.AfterId = i.Id
		}
		more = work.Truncated
	}
	require.Equal(t, []string{"c/k3", "c/k1", "b/k0"}, got)
}
