package s3api

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
)

// discard is a ResponseWriter that keeps the status and nothing else.
type discard struct {
	h      http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// BenchmarkGet4K measures a GET of a small object, which lies in its record, without
// network and drives: all of it, and the verification of its signature alone.
func BenchmarkGet4K(b *testing.B) {
	w := newWorld(b)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt/some/key", strings.Repeat("x", 4096), "Content-Type: text/plain", "X-Amz-Meta-A: b")
	r := w.signed(owner, "GET", "/bkt/some/key", "", "User-Agent: bench", "X-Amz-Checksum-Mode: ENABLED",
		"Amz-Sdk-Invocation-Id: 6a3c8a47-0000-0000-0000-000000000000")
	r.URL.Path, r.URL.Opaque = "/bkt/some/key", ""
	r.RequestURI, r.RemoteAddr = "/bkt/some/key", "127.0.0.1:1234"
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			d := discard{h: http.Header{}}
			w.server.Config.Handler.ServeHTTP(&d, r)
			require.Equal(b, http.StatusOK, d.status)
		}
	})
	b.Run("verify", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := w.verifier.Verify(r); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkBucketsInUse measures gets and puts of one bucket, of 12,000 in turn, and of one
// while others are made elsewhere, 100 a second, all in one run. It reports what the latter
// two cost of the first, and how often a request had the metadata asked for its bucket.
// There is no network, so what a question costs besides processor time does not show.
func BenchmarkBucketsInUse(b *testing.B) {
	const many = 12_000
	w := newWorld(b)
	owner := w.account("owner")
	requests := map[string][]*http.Request{}
	for i := range many {
		name := "bucket-" + strconv.Itoa(i)
		w.meta.must(&metapb.Command{Op: &metapb.Command_CreateBucket{CreateBucket: &metapb.CreateBucket{
			Bucket: &metapb.Bucket{Name: name, Owner: owner.account}}}})
		w.meta.must(&metapb.Command{Op: &metapb.Command_PutObject{PutObject: &metapb.PutObject{Bucket: name, Key: "k",
			Version: &metapb.Version{ContentId: fmt.Appendf(nil, "%016d", i), Size: 1, Owner: owner.account, Etag: "x"},
			Part:    &metapb.Part{Number: 1, Size: 1, Inline: []byte("x"), Etag: "x"}}}})
		for _, method := range []string{http.MethodGet, http.MethodPut} {
			path := "/" + name + "/k"
			r := w.signed(owner, method, path, "")
			r.URL.Path, r.URL.Opaque, r.RequestURI, r.RemoteAddr = path, "", path, "127.0.0.1:1234"
			r.Body = http.NoBody
			requests[method] = append(requests[method], r)
		}
	}
	made := 0
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		b.Run(method, func(b *testing.B) {
			var took [3]time.Duration
			var asked [3]int64
			do := func(kind int, r *http.Request) {
				d, before, start := discard{h: http.Header{}}, w.meta.bucketReads.Load(), time.Now()
				w.server.Config.Handler.ServeHTTP(&d, r)
				took[kind] += time.Since(start)
				asked[kind] += w.meta.bucketReads.Load() - before
				require.Equal(b, http.StatusOK, d.status)
			}
			for _, r := range requests[method] {
				do(1, r) // All are in use.
			}
			took, asked = [3]time.Duration{}, [3]int64{}
			last, n := time.Now(), 0
			for b.Loop() {
				do(0, requests[method][0])
				do(1, requests[method][n%many])
				if time.Since(last) >= 10*time.Millisecond {
					last = time.Now()
					made++
					w.meta.must(&metapb.Command{Op: &metapb.Command_CreateBucket{CreateBucket: &metapb.CreateBucket{
						Bucket: &metapb.Bucket{Name: "made-" + strconv.Itoa(made), Owner: "other"}}}})
				}
				do(2, requests[method][0])
				n++
			}
			b.ReportMetric(float64(took[1])/float64(took[0]), "many/one")
			b.ReportMetric(float64(took[2])/float64(took[0]), "made/one")
			b.ReportMetric(float64(asked[1])/float64(n), "asked-many/op")
			b.ReportMetric(float64(asked[2])/float64(n), "asked-made/op")
		})
	}
}
