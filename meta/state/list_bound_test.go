package state

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/meta/metapb"
)

// TestListPassesOverHiddenKeysInSteps: whatever a page may look at, the pages are the
// list, nothing twice and nothing missing, with a delimiter and without.
func TestListPassesOverHiddenKeysInSteps(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := versioned(t, versioningEnabled)
		var names []string
		for i := range rapid.IntRange(0, 30).Draw(rt, "keys") {
			key := fmt.Sprintf("%s%02d", rapid.SampledFrom([]string{"", "a/", "b/", "b/c/"}).Draw(rt, "under"), i)
			c.ok(t, putVersion(key, fmt.Sprint("v", i), i))
			if rapid.IntRange(0, 2).Draw(rt, "hide") > 0 {
				c.ok(t, deleteVersion(key, "", fmt.Sprint("m", i)))
			} else {
				names = append(names, key)
			}
		}
		slices.Sort(names)
		c.m.s.limits.listSteps = rapid.IntRange(1, 5).Draw(rt, "steps")
		for _, delimiter := range []string{"", "/"} {
			q := &metapb.ListObjects{Bucket: "b", Delimiter: delimiter, MaxKeys: uint32(rapid.IntRange(1, 4).Draw(rt, "page"))}
			want, _ := listPlainly(names, &metapb.ListObjects{Delimiter: delimiter, MaxKeys: 1000})
			var got []string
			for range 200 {
				a := list(c.m, q)
				require.LessOrEqual(rt, len(a.Entries), int(q.MaxKeys))
				got = append(got, entryNames(a)...)
				if !a.Truncated {
					require.Empty(rt, a.Next)
					break
				}
				require.NotEqual(rt, q.After, a.Next, "no progress")
				q.After, q.Exact = a.Next, a.Exact
			}
			require.Equal(rt, want, got, "with delimiter %q", delimiter)
		}
	})
}

// TestPagesCostWhatTheyReturn: a page of ten costs the same among a hundred and among
// thousands: of versions and delete markers of one key, of uploads of one key, of parts,
// of keys, and of keys that a common prefix stands for. Of objects the records that a
// page may look at are limited to about as many; records of the others are decoded, so
// the memory that a page allocates tells how many it looked at.
func TestPagesCostWhatTheyReturn(t *testing.T) {
	effort.SkipLessened(t)
	const few, many, page = 100, 5000, 10
	cost := func(n int) map[string]float64 {
		c := versioned(t, versioningEnabled)
		for i := range n {
			c.m.append(c.stamp(putVersion("versions", fmt.Sprintf("v%05d", i), i)))
			c.m.append(c.stamp(deleteVersion("versions", "", fmt.Sprintf("m%05d", i))))
			c.m.append(c.stamp(putVersion(fmt.Sprintf("below/%05d", i), fmt.Sprintf("v%05d", i), n+i)))
			c.m.append(c.stamp(createUpload(i+1, "b", "uploads")))
			c.m.append(c.stamp(createUpload(n+i+1, "b", fmt.Sprintf("below/%05d", i))))
			c.m.append(c.stamp(putPart(1, "b", "uploads", &metapb.Part{Number: uint32(i + 1), Size: 1, Inline: []byte{1}}, nil)))
			if i%100 == 99 {
				c.m.catchUp()
			}
		}
		c.ok(t, putVersion("z", "vz", 2*n))
		c.m.s.limits.listSteps = page + 3
		for _, of := range []struct {
			q    *metapb.ListObjects
			want []string
		}{
			{&metapb.ListObjects{Delimiter: "/"}, []string{"prefix below/", "z"}},
			{&metapb.ListObjects{After: "versions"}, []string{"z"}},
			{&metapb.ListObjects{After: "u"}, []string{"z"}}, // Past the versions of a key.
			{&metapb.ListObjects{Prefix: "below/", After: fmt.Sprintf("below/%05d", n-3)}, []string{fmt.Sprintf("below/%05d", n-2), fmt.Sprintf("below/%05d", n-1)}},
		} {
			of.q.Bucket, of.q.MaxKeys = "b", page
			a := list(c.m, of.q)
			require.Equal(t, of.want, entryNames(a))
			require.False(t, a.Truncated)
		}
		versions := func(q *metapb.ListVersions) *metapb.Query {
			q.Bucket, q.MaxKeys = "b", page
			return &metapb.Query{Op: &metapb.Query_ListVersions{ListVersions: q}}
		}
		uploads := func(q *metapb.ListUploads) *metapb.Query {
			q.Bucket, q.MaxUploads = "b", page
			return &metapb.Query{Op: &metapb.Query_ListUploads{ListUploads: q}}
		}
		out := map[string]float64{}
		for name, q := range map[string]*metapb.Query{
			"versions":                  versions(&metapb.ListVersions{Prefix: "versions"}),
			"versions after one":        versions(&metapb.ListVersions{KeyMarker: "versions", VersionMarker: fmt.Sprintf("m%05d", n/2)}),
			"versions after all":        versions(&metapb.ListVersions{KeyMarker: "versions"}),
			"versions by common prefix": versions(&metapb.ListVersions{Delimiter: "/"}),
			"uploads":                   uploads(&metapb.ListUploads{Prefix: "uploads"}),
			"uploads after one":         uploads(&metapb.ListUploads{KeyMarker: "uploads", UploadIdMarker: id(n / 2)}),
			"uploads after all":         uploads(&metapb.ListUploads{KeyMarker: "uploads"}),
			"uploads by common prefix":  uploads(&metapb.ListUploads{Delimiter: "/"}),
			"parts": {Op: &metapb.Query_ListParts{ListParts: &metapb.ListParts{Bucket: "b", Key: "uploads", UploadId: id(1),
				After: uint32(n / 2), MaxParts: page}}},
		} {
			out[name] = testing.AllocsPerRun(20, func() { c.m.query(q) })
		}
		return out
	}
	small, large := cost(few), cost(many)
	if invariants || effort.Raced { // Then Pebble itself looks at more, or allocates at random.
		return
	}
	for name, allocs := range large {
		require.Less(t, allocs, 2*small[name], name)
	}
}
