package s3api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
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
