package stripe

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/shard"
)

// discardStore takes frames without keeping them, so that benchmarks measure the
// engine and not the store.
type discardStore struct{ *memStore }

func (d discardStore) Create(context.Context, shard.Header) (shard.Writer, error) {
	return discardWriter{}, nil
}

type discardWriter struct{}

func (discardWriter) Write(p []byte) (int, error)  { return len(p), nil }
func (discardWriter) Commit(context.Context) error { return nil }
func (discardWriter) Abort()                       {}

func benchRig(b *testing.B, s shard.Scheme) *rig {
	r := newRig(b, s, nil)
	for _, st := range r.stores {
		st.trust = true
	}
	return r
}

// Bytes are per second of wall time; run with -cpu 1 for those of one core.
func BenchmarkWrite(b *testing.B) {
	for _, s := range []shard.Scheme{{K: 1}, {K: 4, M: 2}, {K: 8, M: 4}} {
		for _, n := range []int{64 << 10, 1 << 20, 64 << 20} {
			b.Run(fmt.Sprintf("%s/%dKiB", s, n>>10), func(b *testing.B) {
				r := benchRig(b, s)
				r.e.stores = func(id cluster.DriveID) (shard.Store, error) { return discardStore{r.stores[id-1]}, nil }
				data := make([]byte, n)
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					p, err := r.e.Write(context.Background(), WriteRequest{
						Extent: extent1, Volume: r.vol, PlainBytes: int64(n), Source: bytes.NewReader(data)})
					require.NoError(b, err)
					w, err := p.Wait()
					require.NoError(b, err)
					require.Zero(b, w.Missing())
				}
			})
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for _, lost := range []shard.SlotSet{0, 0b1, 0b11} {
		for _, n := range []int{64 << 10, 1 << 20, 64 << 20} {
			b.Run(fmt.Sprintf("4+2/lost=%b/%dKiB", lost, n>>10), func(b *testing.B) {
				r := benchRig(b, shard.Scheme{K: 4, M: 2})
				g := r.write(b, make([]byte, n), nil).Geometry
				r.damage(lost, 0)
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					for _, st := range r.stores {
						st.opens = st.opens[:0]
					}
					_, err := r.e.WriteTo(context.Background(), io.Discard, r.request(g, nil))
					require.NoError(b, err)
				}
			})
		}
	}
}
