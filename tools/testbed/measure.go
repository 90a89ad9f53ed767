package testbed

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of CPU times in /proc on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// CPU returns the CPU time that the node's process has used.
func (n *Node) CPU() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.Pid()))
	if err != nil {
		return 0, fmt.Errorf("CPU time of %s: %w", n, err)
	}
	_, rest, _ := strings.Cut(string(text), ") ") // The name before it may hold spaces.
	f := strings.Fields(rest)
	const user, system = 11, 12
	if len(f) <= system {
		return 0, fmt.Errorf("CPU time of %s: %q has too few fields", n, text)
	}
	u, errU := strconv.ParseInt(f[user], 10, 64)
	s, errS := strconv.ParseInt(f[system], 10, 64)
	if errU != nil || errS != nil {
		return 0, fmt.Errorf("CPU time of %s: %q", n, text)
	}
	return time.Duration(u+s) * clockTick, nil
}

// Memory returns how many bytes of the node's process are in memory.
func (n *Node) Memory() (uint64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", n.Pid()))
	if err != nil {
		return 0, fmt.Errorf("memory of %s: %w", n, err)
	}
	f := strings.Fields(string(text))
	if len(f) < 2 {
		return 0, fmt.Errorf("memory of %s: %q", n, text)
	}
	pages, err := strconv.ParseUint(f[1], 10, 64)
	return pages * uint64(os.Getpagesize()), err
}

// Metrics returns the node's metrics by name. If a metric has labels, the name ends with them, as
// Prometheus writes them.
func (n *Node) Metrics(ctx context.Context) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, n.MetricsURL(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	out := make(map[string]float64)
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		line := lines.Text()
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if v, err := strconv.ParseFloat(line[at+1:], 64); err == nil {
			out[line[:at]] = v
		}
	}
	return out, lines.Err()
}
