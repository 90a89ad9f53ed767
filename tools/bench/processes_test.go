package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTicks(t *testing.T) {
	const after = " S 1 2 3 4 5 6 7 8 9 10 1100 220 33 4 20 0 8 0 12345"
	for name, text := range map[string]string{
		"plain":               "17 (cairn)" + after,
		"blanks and brackets": "17 (a ) R 9 9)" + after,
	} {
		got, err := ticksOf([]byte(text))
		require.NoError(t, err, name)
		require.Equal(t, int64(1100+220+33+4), got, name)
	}
	for name, text := range map[string]string{
		"empty": "", "short": "17 (cairn) S 1 2 3", "no number": "17 (cairn) S 1 2 3 4 5 6 7 8 9 10 x 220 33 4",
	} {
		_, err := ticksOf([]byte(text))
		require.Error(t, err, name)
	}
}

func TestPeak(t *testing.T) {
	got, err := peakOf([]byte("Name:\tcairn\nVmPeak:\t 99 kB\nVmHWM:\t    1234 kB\nVmRSS:\t 1000 kB\n"))
	require.NoError(t, err)
	require.Equal(t, int64(1234<<10), got)
	_, err = peakOf([]byte("Name:\tcairn\nState:\tZ (zombie)\n"))
	require.ErrorContains(t, err, "no VmHWM")
	_, err = peakOf([]byte("VmHWM:\tmuch kB\n"))
	require.Error(t, err)
}

// The figures of a process are read from the kernel: time that it has burnt shows, and so does memory
// that it has touched since the peak was reset.
func TestOwnProcess(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pids")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, "%d\n", os.Getpid()), 0o600))
	p, err := parseProcesses(file)
	require.NoError(t, err)
	require.True(t, p.known())

	before, err := p.cpu()
	require.NoError(t, err)
	for own := ownCPU(); ownCPU()-own < 5*clockTick; {
	}
	after, err := p.cpu()
	require.NoError(t, err)
	require.Greater(t, after, before)

	if err := p.resetPeak(); err != nil {
		t.Logf("peaks cannot be reset here: %v", err)
	}
	low, err := p.peak()
	require.NoError(t, err)
	const touched = 64 << 20
	much := make([]byte, touched)
	for i := range touched / 4096 {
		much[i*4096] = 1
	}
	high, err := p.peak()
	require.NoError(t, err)
	require.GreaterOrEqual(t, high, low)
	require.GreaterOrEqual(t, high, int64(touched))
	require.Equal(t, byte(1), much[0])
}

func TestParseProcesses(t *testing.T) {
	p, err := parseProcesses("12, 13,14")
	require.NoError(t, err)
	require.Equal(t, []int{12, 13, 14}, p.pids)
	p, err = parseProcesses("run/a.pids")
	require.NoError(t, err)
	require.Equal(t, "run/a.pids", p.file)
	_, err = parseProcesses("")
	require.Error(t, err)
	_, err = parseProcesses("0,1")
	require.Error(t, err)
	require.False(t, processes{}.known())

	empty := filepath.Join(t.TempDir(), "pids")
	require.NoError(t, os.WriteFile(empty, []byte("\n"), 0o600))
	_, err = processes{file: empty}.cpu()
	require.ErrorContains(t, err, "no process id")
	_, err = processes{pids: []int{os.Getpid(), 1 << 30}}.cpu()
	require.ErrorContains(t, err, "server process 1073741824", "a process that is gone is not left out")
}

func TestPercentile(t *testing.T) {
	require.Zero(t, percentile(nil, 0.5))
	var took []time.Duration
	for i := range 200 {
		took = append(took, time.Duration(200-i)*time.Millisecond)
	}
	require.Equal(t, 100.0, percentile(took, 0.50))
	require.Equal(t, 198.0, percentile(took, 0.99))
	require.Equal(t, 200.0, percentile(took, 1))
	require.Equal(t, 1.0, percentile(took, 0))
	require.Equal(t, 7.0, percentile([]time.Duration{7 * time.Millisecond}, 0.99))
}

func TestMedian(t *testing.T) {
	require.Zero(t, median(nil))
	require.Equal(t, 2.0, median([]float64{3, 1, 2}))
	require.Equal(t, 2.5, median([]float64{4, 1, 3, 2}))
}
