package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/tools/testbed"
)

// A quotient whose divisor is next to nothing is left out.
func TestReportLeavesOutWhatMeansNothing(t *testing.T) {
	r := &report{Costs: []Cost{
		{Phase: "rest", CPUSeconds: 6, MovedBytes: 1000},
		{Phase: "grow", CPUSeconds: 6, MovedBytes: 1 << 30, IdealBytes: 1 << 29, Redundant: 4},
	}}
	var out bytes.Buffer
	r.print(&out)
	lines := strings.Split(out.String(), "\n")
	find := func(phase string) []string {
		for _, l := range lines {
			if f := strings.Fields(l); len(f) > 1 && f[0] == phase {
				return f[1:]
			}
		}
		require.Fail(t, "no line", phase)
		return nil
	}
	require.Equal(t, []string{"0", "0", "0", "0", "-", "0.0", "-", "6.0", "-", "0"}, find("rest"))
	require.Equal(t, []string{"0", "0", "1024", "512", "2.00", "4.0", "256.00", "6.0", "6.00", "0"}, find("grow"))
}

func TestWidest(t *testing.T) {
	st := &testbed.Status{}
	require.Zero(t, widest(st))
	for _, scheme := range []string{"2+1", "4+2", "2+2"} {
		st.Volumes = append(st.Volumes, testbed.VolumeCount{Scheme: scheme})
	}
	require.Equal(t, 6, widest(st))
}

// A process that has ended takes nothing away from what the others have counted.
func TestCountsSince(t *testing.T) {
	require.InDelta(t, 7+5, counts{1: 10, 3: 5}.since(counts{1: 3, 2: 100}), 0)
	require.InDelta(t, 15, counts{1: 10, 3: 5}.since(nil), 0)
}
