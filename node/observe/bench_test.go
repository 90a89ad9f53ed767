package observe

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/shardtest"
)

// BenchmarkOff measures what a node without traces pays for what is wrapped: the S3 handler and the
// stores of shards, each next to the bare one.
func BenchmarkOff(b *testing.B) {
	o := New(slog.New(slog.NewTextHandler(io.Discard, nil)))
	bare := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for name, h := range map[string]http.Handler{"request/bare": bare, "request/wrapped": o.Requests(bare)} {
		b.Run(name, func(b *testing.B) {
			r, w := httptest.NewRequest(http.MethodGet, "/bucket/key", nil), httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
	}
	store, id := shardtest.NewMemory(), shard.ID{Extent: shard.ExtentID{Volume: 1, Seq: 1}}
	for name, s := range map[string]shard.Store{"stat/bare": store, "stat/wrapped": o.Shards(store, 1, Local)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = s.Stat(b.Context(), id) // There is none: the cheapest operation.
			}
		})
	}
}
