package s3api

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/sigauth"
)

// discard is a ResponseWriter that keeps nothing.
type discard struct{ h http.Header }

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

// oneObject answers every Get with the same object.
type oneObject struct {
	object.API
	got object.Got
}

func (o *oneObject) Get(context.Context, *object.GetInput) (*object.Got, error) {
	got := o.got
	return &got, nil
}

// BenchmarkGet4K measures a small GET without network and object service: all of
// it, and the verification of its signature alone.
func BenchmarkGet4K(b *testing.B) {
	block := make([]byte, 4096)
	one := &oneObject{got: object.Got{Length: 4096, Version: &metapb.Version{
		Size: 4096, Etag: "d41d8cd98f00b204e9800998ecf8427e", ModifiedMs: 1767225600000,
		Attributes: &metapb.Attributes{ContentType: "text/plain", Metadata: []*metapb.Pair{{Name: "a", Value: "b"}}},
		Checksums:  []*metapb.Checksum{{Algorithm: "CRC64NVME", Value: make([]byte, 8)}},
	}}}
	one.got.SetContent(func(_ context.Context, w io.Writer) (int64, error) {
		n, err := w.Write(block)
		return int64(n), err
	})
	verifier := sigauth.New(sigauth.Config{Keys: testKeys{}})
	handler := New(Config{Objects: one, Verifier: verifier, Caller: testCaller, HostID: "node-1", Unguarded: true})
	r, err := http.NewRequest("GET", "http://127.0.0.1:9000/bkt/some/key", nil)
	require.NoError(b, err)
	r.Header.Set("User-Agent", "bench")
	r.Header.Set("X-Amz-Checksum-Mode", "ENABLED")
	r.Header.Set("Amz-Sdk-Invocation-Id", "6a3c8a47-0000-0000-0000-000000000000")
	(&harness{t: b}).sign(r, nil)
	r.RequestURI, r.RemoteAddr = "/bkt/some/key", "127.0.0.1:1234"
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			handler.ServeHTTP(&discard{http.Header{}}, r)
		}
	})
	b.Run("verify", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := verifier.Verify(r); err != nil {
				b.Fatal(err)
			}
		}
	})
}
