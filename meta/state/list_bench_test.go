package state

import (
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/meta/metapb"
)

// listDirectories is how many common prefixes the keys of BenchmarkList lie below.
const listDirectories = 2000

// listKey is key i of n, in order.
func listKey(i, n int) string {
	return fmt.Sprintf("all/%04d/%07d", i/max(1, n/listDirectories), i)
}

// BenchmarkList lists pages of a bucket of 1 thousand, 100 thousand and, with
// CAIRN_TEST_LONG=1, 1 and 5 million keys, on a file system of the machine: pages of keys from
// their middle, of common prefixes that stand for n/2000 keys each, and of one that stands
// for all of them.
func BenchmarkList(b *testing.B) {
	sizes := []int{1000, 100_000}
	if effort.Long() {
		sizes = append(sizes, 1_000_000, 5_000_000)
	}
	for _, n := range sizes {
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			c := fillForList(b, n)
			middle := "" // Fewer keys than two pages: from their beginning.
			if n > listDirectories {
				middle = listKey(n/2, n)
			}
			for _, page := range []struct {
				name string
				q    *metapb.ListObjects
				want int
			}{
				{"keys", &metapb.ListObjects{Prefix: "all/", After: middle, MaxKeys: 1000}, 1000},
				{"prefixes", &metapb.ListObjects{Prefix: "all/", Delimiter: "/", MaxKeys: 1000}, 1000},
				{"one-prefix", &metapb.ListObjects{Delimiter: "/", MaxKeys: 1000}, 2},
			} {
				b.Run(page.name, func(b *testing.B) {
					page.q.Bucket = "bucket"
					q := &metapb.Query{Op: &metapb.Query_ListObjects{ListObjects: page.q}}
					b.ReportAllocs()
					start := cpu()
					for b.Loop() {
						a, err := c.m.s.Query(q)
						if err != nil || len(a.GetList().GetEntries()) < page.want {
							b.Fatal(err, len(a.GetList().GetEntries()))
						}
					}
					reportCPU(b, start)
					b.ReportMetric(float64(page.want)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
				})
			}
		})
	}
}

// fillForList returns a state with n objects below common prefixes and one behind
// them.
func fillForList(b *testing.B, n int) *client {
	m := &machine{t: b, dir: b.TempDir()}
	s, err := Open(Options{FS: vfs.Default, Dir: m.dir})
	require.NoError(b, err)
	m.s = s
	b.Cleanup(m.close)
	c := newClient(b, m, 1, 4, 2)
	c.bucket(b, "bucket")
	began := time.Now()
	const atOnce = 1000
	used := cpu()
	for i := range n {
		cmd := c.stamp(put("bucket", listKey(i, n), i+1, nil))
		cmd.Floor = max(cmd.Seq, atOnce) - atOnce + 1
		m.append(cmd)
		if i%atOnce == atOnce-1 {
			m.catchUp()
			clear(m.log[len(m.log)-atOnce:])
		}
	}
	m.append(c.stamp(put("bucket", "behind", n+1, nil)))
	m.catchUp()
	require.NoError(b, m.s.Flush())
	b.Logf("%d keys put in %.1f s, %.1f s of CPU", n, time.Since(began).Seconds(), (cpu() - used).Seconds())
	return c
}
