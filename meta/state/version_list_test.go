package state

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/meta/metapb"
)

func TestListVersionsMarkers(t *testing.T) {
	c := versioned(t, versioningEnabled)
	for i, p := range [][2]string{{"a", "1"}, {"a", "2"}, {"a", "3"}, {"d/x", "4"}, {"d/y", "5"}, {"d/y", "6"}, {"z", "7"}} {
		c.ok(t, putVersion(p[0], p[1], i))
	}
	c.ok(t, deleteVersion("d/x", "", "8"))
	for _, tc := range []struct {
		q    *metapb.ListVersions
		want string
	}{
		{&metapb.ListVersions{MaxKeys: 100}, "a=3* a=2 a=1 d/x=8*! d/x=4 d/y=6* d/y=5 z=7*"},
		{&metapb.ListVersions{MaxKeys: 2}, "a=3* a=2 ..."},
		{&metapb.ListVersions{MaxKeys: 2, KeyMarker: "a", VersionMarker: "3"}, "a=2 a=1 ..."},
		{&metapb.ListVersions{MaxKeys: 1, KeyMarker: "a", VersionMarker: "2"}, "a=1 ..."},
		{&metapb.ListVersions{MaxKeys: 1, KeyMarker: "a", VersionMarker: "1"}, "d/x=8*! ..."},
		{&metapb.ListVersions{MaxKeys: 1, KeyMarker: "a", VersionMarker: "gone"}, "a=3* ..."},
		{&metapb.ListVersions{MaxKeys: 1, KeyMarker: "a"}, "d/x=8*! ..."},
		{&metapb.ListVersions{MaxKeys: 100, Delimiter: "/"}, "a=3* a=2 a=1 d/ z=7*"},
		{&metapb.ListVersions{MaxKeys: 100, Delimiter: "/", KeyMarker: "d/"}, "z=7*"},
		{&metapb.ListVersions{MaxKeys: 100, Delimiter: "/", KeyMarker: "d/x", VersionMarker: "8"}, "z=7*"},
		{&metapb.ListVersions{MaxKeys: 100, Prefix: "d/", Delimiter: "/"}, "d/x=8*! d/x=4 d/y=6* d/y=5"},
		{&metapb.ListVersions{MaxKeys: 100, Prefix: "d/y"}, "d/y=6* d/y=5"},
		{&metapb.ListVersions{MaxKeys: 100, KeyMarker: "z"}, ""},
	} {
		require.Equal(t, tc.want, c.show(tc.q), "%v", tc.q)
	}
	require.Empty(t, c.m.query(&metapb.Query{Op: &metapb.Query_ListVersions{ListVersions: &metapb.ListVersions{Bucket: "b"}}}).Versions.Entries)
}

// What only delete markers hide under a prefix makes no common prefix of objects.
func TestListObjectsPassesHiddenKeys(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := versioned(t, versioningEnabled)
		var names []string
		for i := range rapid.IntRange(0, 12).Draw(rt, "names") {
			key := rapid.SampledFrom([]string{"a", "d/1", "d/2", "d/2/3", "e/", "f"}).Draw(rt, "name")
			if rapid.Bool().Draw(rt, "delete") {
				c.ok(t, deleteKeys("b", key))
				names = slices.DeleteFunc(names, func(n string) bool { return n == key })
			} else {
				c.ok(t, putVersion(key, "", i))
				if !slices.Contains(names, key) {
					names = append(names, key)
				}
			}
		}
		for _, after := range []string{"", "d/", "d/1"} {
			for _, delimiter := range []string{"", "/"} {
				q := &metapb.ListObjects{Bucket: "b", Delimiter: delimiter, After: after,
					MaxKeys: uint32(rapid.IntRange(1, 6).Draw(rt, "max"))}
				want, truncated := listPlainly(names, q)
				a := list(c.m, q)
				require.Equal(rt, want, entryNames(a))
				require.Equal(rt, truncated, a.Truncated)
			}
		}
	})
}
