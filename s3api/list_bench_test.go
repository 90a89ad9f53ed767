package s3api

import (
	"encoding/binary"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
)

// cpu returns the CPU time that the process has used: on a busy machine it says more
// than the clock.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkListOverHTTP lists pages of 1,000 through the handlers and HTTP, signed, of
// buckets of 1 thousand and 100 thousand keys below 1,000 common prefixes. What it costs
// includes a client that reads the answer and does not parse it.
func BenchmarkListOverHTTP(b *testing.B) {
	const common = 1000
	for _, n := range []int{1000, 100_000} {
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			w := newWorld(b)
			w.ok(w.root, "PUT", "/bkt", "")
			for i := range n {
				w.meta.must(&metapb.Command{Op: &metapb.Command_PutObject{PutObject: &metapb.PutObject{
					Bucket: "bkt", Key: fmt.Sprintf("all/%04d/%07d", i%common, i),
					Version: &metapb.Version{ContentId: binary.BigEndian.AppendUint64(make([]byte, 8), uint64(i+1)), Size: 1, Owner: w.root.account,
						Etag: fmt.Sprintf("%032x", i), ModifiedMs: 1_767_225_600_000, Attributes: &metapb.Attributes{}},
					Part: &metapb.Part{Size: 1, Inline: []byte{1}}}}})
			}
			for _, page := range []struct{ name, path, element string }{
				{"keys", "/bkt?list-type=2&prefix=all%2F", "<Contents>"},
				{"prefixes", "/bkt?delimiter=%2F&list-type=2&prefix=all%2F", "<CommonPrefixes>"},
			} {
				b.Run(page.name, func(b *testing.B) {
					b.ReportAllocs()
					start := cpu()
					for b.Loop() {
						body := w.ok(w.root, "GET", page.path, "").body
						require.Equal(b, common, strings.Count(body, page.element))
					}
					b.ReportMetric(float64((cpu()-start).Nanoseconds())/float64(b.N), "cpu-ns/op")
					b.ReportMetric(common*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
				})
			}
		})
	}
}
