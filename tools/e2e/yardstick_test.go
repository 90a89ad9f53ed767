//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestYardstick runs the rows of the yardstick, as small as they can be made, on a cluster of its own.
// All must go well, each must have a rate, CPU time and memory, and no directory may be left behind. No
// figure is judged.
func TestYardstick(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program, out := filepath.Join(dir, "bench"), filepath.Join(dir, "out.json")
	built, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../bench").CombinedOutput()
	require.NoError(t, err, "%s", built)

	listed, err := exec.CommandContext(t.Context(), program, "-list").Output()
	require.NoError(t, err)
	data := filepath.Join(dir, "data")
	said, err := exec.CommandContext(t.Context(), program, "-cluster", "-bin", "../../bin/cairn", "-dir", data,
		"-scale", "0.001", "-rounds", "1", "-settle", "50ms", "-json", out).CombinedOutput()
	require.NoError(t, err, "%s", said)

	text, err := os.ReadFile(out)
	require.NoError(t, err)
	var report struct {
		Rows []struct {
			Name    string
			Results []struct {
				Figures map[string]float64
				Samples []struct {
					Peak int64 `json:"peak_bytes"`
				}
			}
		}
		Primitives []struct {
			Name   string
			Median float64 `json:"cpu_s_median"`
		}
	}
	require.NoError(t, json.Unmarshal(text, &report))
	require.Len(t, report.Rows, strings.Count(string(listed), "\n"))
	for _, row := range report.Rows {
		require.Len(t, row.Results, 1, row.Name)
		require.Len(t, row.Results[0].Samples, 1, row.Name)
		require.Positive(t, row.Results[0].Figures["op/s"], row.Name)
		require.Positive(t, row.Results[0].Samples[0].Peak, row.Name)
	}
	require.NotEmpty(t, report.Primitives)
	for _, p := range report.Primitives {
		require.Positive(t, p.Median, p.Name)
	}
	left, err := os.ReadDir(data)
	require.NoError(t, err)
	require.Empty(t, left)
}
