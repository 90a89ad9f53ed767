package history

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func at(seconds int64) time.Time { return time.Unix(seconds, 0) }

func TestRing(t *testing.T) {
	var r Ring
	total := Counts{Requests: 100, BytesIn: 5, Latency: []uint64{60, 40}}
	r.Note(at(1003), total)
	require.Empty(t, r.After(0), "what was done before the first look belongs to no step")
	total.Requests, total.Latency[1] = 107, 47
	r.Note(at(1009), total)
	require.Empty(t, r.After(0), "the step is not over")
	r.Note(at(1011), total)
	require.Equal(t, []Sample{{Time: 1010, Nodes: 1, Counts: Counts{Requests: 7, Latency: []uint64{0, 7}}}}, r.After(0))
	r.Note(at(1015), Counts{Requests: 1000})
	require.Len(t, r.After(0), 1, "a step has one sample")
	total.Latency[1] = 1
	r.Note(at(1020), Counts{Requests: 3, Latency: []uint64{3, 0}})
	require.Equal(t, []Sample{{Time: 1020, Nodes: 1, Counts: Counts{Requests: 3, Latency: []uint64{3, 0}}}}, r.After(1010),
		"a counter that began anew tells what it has")
	for i := range int64(2 * Kept) {
		r.Note(at(1030+10*i), Counts{})
	}
	all := r.After(0)
	require.Len(t, all, Kept, "an hour is kept")
	require.EqualValues(t, 1030+10*(2*int64(Kept)-1), all[Kept-1].Time)
}

func TestSum(t *testing.T) {
	sample := func(time int64, requests uint64) Sample {
		return Sample{Time: time, Nodes: 1, Counts: Counts{Requests: requests, Latency: []uint64{requests}}}
	}
	require.Empty(t, Sum())
	got := Sum([]Sample{sample(10, 1), sample(20, 2), sample(30, 3)}, []Sample{sample(20, 5)}, nil)
	require.Len(t, got, 2, "of the last step one node has still to tell")
	require.Equal(t, Sample{Time: 10, Nodes: 1, Counts: Counts{Requests: 1, Latency: []uint64{1}}}, got[0])
	require.Equal(t, Sample{Time: 20, Nodes: 2, Counts: Counts{Requests: 7, Latency: []uint64{7}}}, got[1])
	got = Sum([]Sample{sample(10, 1), sample(100, 2)}, []Sample{sample(10, 5)})
	require.Len(t, got, 2, "nobody waits for a node that has ceased to tell")
	require.EqualValues(t, 6, got[0].Requests)
}
