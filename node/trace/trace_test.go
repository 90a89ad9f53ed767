package trace

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/node/admin/adminpb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFilter(t *testing.T) {
	get := &adminpb.TraceEvent{Kind: KindS3, Operation: "GetObject", Bucket: "b", Status: 200, DurationUs: 1500}
	missing := &adminpb.TraceEvent{Kind: KindS3, Operation: "HeadObject", Bucket: "b", Status: 404, DurationUs: 10}
	cut := &adminpb.TraceEvent{Kind: KindS3, Operation: "GetObject", Bucket: "c", Status: 200, Aborted: true}
	none := &adminpb.TraceEvent{Kind: KindS3, Status: 0}
	shard := &adminpb.TraceEvent{Kind: KindInternal, Operation: "GET /shard/", Status: 200}
	all := []*adminpb.TraceEvent{get, missing, cut, none, shard}
	for _, c := range []struct {
		what string
		r    *adminpb.TraceRequest
		want []*adminpb.TraceEvent
	}{
		{"nothing set", &adminpb.TraceRequest{}, []*adminpb.TraceEvent{get, missing, cut, none}},
		{"internal", &adminpb.TraceRequest{Internal: true}, all},
		{"operation", &adminpb.TraceRequest{Operations: []string{"getobject"}}, []*adminpb.TraceEvent{get, cut}},
		{"operations", &adminpb.TraceRequest{Operations: []string{"Put*", "H*"}}, []*adminpb.TraceEvent{missing}},
		{"bucket", &adminpb.TraceRequest{Bucket: "c"}, []*adminpb.TraceEvent{cut}},
		{"status", &adminpb.TraceRequest{Statuses: []uint32{404}}, []*adminpb.TraceEvent{missing}},
		{"class", &adminpb.TraceRequest{Statuses: []uint32{2}}, []*adminpb.TraceEvent{get, cut}},
		{"errors", &adminpb.TraceRequest{Errors: true}, []*adminpb.TraceEvent{missing, cut, none}},
		{"slow", &adminpb.TraceRequest{MinDurationMs: 1}, []*adminpb.TraceEvent{get}},
	} {
		f, err := NewFilter(c.r)
		require.NoError(t, err)
		var got []*adminpb.TraceEvent
		for _, e := range all {
			if f.Fits(e) {
				got = append(got, e)
			}
		}
		require.Equal(t, c.want, got, c.what)
	}
	for _, bad := range []*adminpb.TraceRequest{{Statuses: []uint32{6}}, {Statuses: []uint32{0}}, {Statuses: []uint32{600}}, {Operations: []string{""}}} {
		_, err := NewFilter(bad)
		require.True(t, errs.Is(err, errs.Invalid), bad)
	}
}

func watch(t *testing.T, h *Hub, r *adminpb.TraceRequest) *Watcher {
	f, err := NewFilter(r)
	require.NoError(t, err)
	w := h.Watch(f)
	require.NotNil(t, w)
	return w
}

func TestHub(t *testing.T) {
	var h Hub
	require.False(t, h.Wants(false))
	h.Publish(&adminpb.TraceEvent{}) // Nobody is there.
	plain, internal := watch(t, &h, &adminpb.TraceRequest{}), watch(t, &h, &adminpb.TraceRequest{Internal: true})
	require.True(t, h.Wants(false))
	require.True(t, h.Wants(true))
	h.Publish(&adminpb.TraceEvent{Kind: KindInternal})
	h.Publish(&adminpb.TraceEvent{Kind: KindS3})
	require.Equal(t, KindInternal, (<-internal.Events()).Kind)
	require.Equal(t, KindS3, (<-internal.Events()).Kind)
	require.Equal(t, KindS3, (<-plain.Events()).Kind)
	internal.Close()
	internal.Close()
	require.False(t, h.Wants(true))
	require.True(t, h.Wants(false))
	plain.Close()
	require.False(t, h.Wants(false))
}

// A watcher that is too slow loses events and learns how many; others lose none.
func TestSlowWatcher(t *testing.T) {
	var h Hub
	slow, quick := watch(t, &h, &adminpb.TraceRequest{}), watch(t, &h, &adminpb.TraceRequest{})
	for range 3 * bufferEvents {
		h.Publish(&adminpb.TraceEvent{Kind: KindS3})
		<-quick.Events()
	}
	require.Len(t, slow.Events(), bufferEvents)
	require.EqualValues(t, 2*bufferEvents, slow.Dropped())
	require.Zero(t, slow.Dropped(), "told once")
	require.Zero(t, quick.Dropped())
}

func TestTooManyWatch(t *testing.T) {
	var h Hub
	f, err := NewFilter(&adminpb.TraceRequest{})
	require.NoError(t, err)
	for range maxWatchers {
		require.NotNil(t, h.Watch(f))
	}
	require.Nil(t, h.Watch(f))
}

func BenchmarkNobodyWatches(b *testing.B) {
	var h Hub
	for b.Loop() {
		if h.Wants(false) {
			b.Fatal("somebody does")
		}
	}
}
