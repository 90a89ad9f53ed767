package state

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

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
