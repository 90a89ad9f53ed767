package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFiguresAndRatios(t *testing.T) {
	at := func(address string, pids ...int) *target {
		u, err := url.Parse(address)
		require.NoError(t, err)
		return &target{spec: spec{urls: []*url.URL{u}, procs: processes{pids: pids}}}
	}
	round := func(seconds, cpu float64) sample {
		return sample{Seconds: seconds, Bytes: 2 * gib, Ops: 16, CPU: cpu, Peak: 100 * mib}
	}
	w := &row{Name: "put", Prices: prices{primMD5: 3.5 / float64(gib)}, Results: []*result{
		{Target: "a", Samples: []sample{round(4, 6), round(2, 8), round(3, 7)}},
		{Target: "b", Samples: []sample{round(6, 14)}},
		{Target: "plain", Samples: []sample{round(6, 14)}},
		{Target: "failed", Errors: []string{"round 1: no"}},
	}}
	f := formula{perByte: amounts{primMD5: 1}}
	w.judge([]*target{at("https://a", 1), at("https://b", 1), at("http://c", 1), at("https://d", 1)}, f)

	a, b := w.Results[0], w.Results[1]
	require.InDelta(t, 2048.0/3, a.Figures["MiB/s"], 1e-9)
	require.InDelta(t, 3.5, a.Figures["CPU s/GiB"], 1e-9)
	require.InDelta(t, 7000.0/16, a.Figures["CPU ms/op"], 1e-9)
	require.InDelta(t, 1.0, a.Figures["x formula"], 1e-9)
	require.InDelta(t, 100*2.0/3, a.Figures[spreadHead], 1e-9)
	require.InDelta(t, 2.0, b.Figures["x formula"], 1e-9)
	require.InDelta(t, 2.0, b.Ratios["CPU s/GiB"], 1e-9)
	require.InDelta(t, 0.5, b.Ratios["MiB/s"], 1e-9)
	require.NotContains(t, b.Ratios, spreadHead)
	require.NotContains(t, w.Results[2].Figures, "x formula", "the formula has TLS in it")
	require.Empty(t, w.Results[3].Ratios)

	var out strings.Builder
	require.NoError(t, w.tell(&out))
	require.Contains(t, out.String(), "÷ a")
	require.Contains(t, out.String(), "failed FAILED, round 1: no")
	require.NotContains(t, out.String(), "p99", "a column in which nobody has a figure is left out")
}

// A row of small objects has no figure per GiB, and a row without bytes has none at all.
func TestFewBytes(t *testing.T) {
	small := mediansOf([]sample{{Seconds: 1, Bytes: 4 * kib * 10, Ops: 10, CPU: 1}})
	require.NotContains(t, small, "CPU s/GiB")
	require.InDelta(t, 100.0, small["CPU ms/op"], 1e-9)
	require.NotContains(t, small, spreadHead, "of one round")
	require.Empty(t, mediansOf(nil))
}

func TestFailures(t *testing.T) {
	r := &report{}
	require.False(t, r.failed())
	s := &result{Target: "a"}
	r.Rows = []*row{{Results: []*result{s}}}
	require.False(t, r.failed())
	s.fail(0, errors.New("connection refused"))
	require.True(t, r.failed())
	require.False(t, s.Wrong)
	s.fail(1, fmt.Errorf("GET x: %w", wrong("other bytes")))
	require.True(t, s.Wrong)
	require.Equal(t, "round 2: WRONG: GET x: other bytes", s.Errors[1])
	other := &report{}
	other.note(errors.New("left behind"))
	require.True(t, other.failed())
}

func TestSummary(t *testing.T) {
	require.Empty(t, summarize(nil))
	at := func(v float64) prices { return prices{primMD5: v / float64(gib)} }
	all := summarize([]prices{at(1), at(3), at(1.5)})
	require.Equal(t, primMD5, all[0].Name)
	require.InDelta(t, 1.5, all[0].Median, 1e-9)
	require.InDelta(t, 1.0, all[0].Least, 1e-9)
	require.InDelta(t, 3.0, all[0].Most, 1e-9)

	file := filepath.Join(t.TempDir(), "out.json")
	require.NoError(t, (&report{Primitives: all}).write(file))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var back report
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, all, back.Primitives)
}
