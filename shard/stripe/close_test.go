package stripe

import (
	"bytes"
	"context"
	"io"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
)

// Requests that a node could not wait for go on while its engine closes: each
// ends, rightly or as Unavailable, and nothing is left behind.
func TestCloseUnderCalls(t *testing.T) {
	r := newRig(t, shard.Scheme{K: 4, M: 2}, nil)
	data := randomBytes(1, 3<<20)
	g := r.write(t, data, nil).Geometry
	var wg sync.WaitGroup
	for seq := range uint64(8) {
		wg.Go(func() {
			for i := range uint64(50) {
				id := shard.ExtentID{Volume: 1, Seq: 2 + 50*seq + i}
				p, err := r.e.Write(context.Background(), WriteRequest{Extent: id, Volume: r.vol, PlainBytes: 1 << 10,
					Source: bytes.NewReader(data[:1<<10])})
				if err == nil {
					_, err = p.Wait()
				}
				if err != nil && !errs.Is(err, errs.Unavailable) {
					t.Errorf("write: %v", err)
				}
				rd := r.e.NewReader(context.Background(), r.request(g, nil))
				got, err := io.ReadAll(rd)
				if err == nil && !bytes.Equal(got, data) || err != nil && !errs.Is(err, errs.Unavailable) {
					t.Errorf("read: %d bytes, %v", len(got), err)
				}
				_ = rd.Close()
			}
		})
	}
	r.e.Close()
	wg.Wait()
	r.e.Close()
	_, err := io.ReadAll(r.e.NewReader(context.Background(), r.request(g, nil)))
	require.Equal(t, errs.Unavailable, errs.KindOf(err), "%v", err)
}
