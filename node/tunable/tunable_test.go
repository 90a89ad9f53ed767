package tunable

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
)

func TestOver(t *testing.T) {
	own := Values{MoveRate: 1 << 20, ScrubInterval: time.Hour, LogLevel: "info"}
	for _, c := range []struct {
		name    string
		cluster map[string]string
		want    Values
		wrong   string
	}{
		{"nothing", nil, own, ""},
		{"some", map[string]string{"move-rate": "2MiB", "log-level": "warn", "lost-after": "2h"},
			Values{MoveRate: 2 << 20, ScrubInterval: time.Hour, LogLevel: "warn", LostAfter: 2 * time.Hour}, ""},
		{"no limit", map[string]string{"move-rate": "0", "lost-after": "0"},
			Values{ScrubInterval: time.Hour, LogLevel: "info"}, ""},
		{"of others", map[string]string{"compat": "aws", "of-next-year": "on"}, own, ""},
		{"what is wrong is left out", map[string]string{"move-rate": "-1", "gc-grace": "1ms", "repair-rate": "5MiB"},
			Values{MoveRate: 1 << 20, ScrubInterval: time.Hour, LogLevel: "info", RepairRate: 5 << 20}, "gc-grace"},
	} {
		got, err := Over(own, c.cluster)
		require.Equal(t, c.want, got, c.name)
		if c.wrong == "" {
			require.NoError(t, err, c.name)
			continue
		}
		require.True(t, errs.Is(err, errs.Invalid), c.name)
		require.ErrorContains(t, err, c.wrong, c.name)
	}
}

// What a knob writes it also reads, and its name and help are there.
func TestKnobs(t *testing.T) {
	full := Values{MoveRate: 3 << 20, RepairRate: 5, ScrubInterval: 36 * time.Hour,
		GCGrace: time.Minute, LostAfter: time.Hour, LogLevel: "error"}
	var back Values
	for _, k := range Knobs() {
		require.NotEmpty(t, k.Help, k.Name)
		require.NoError(t, Check(k.Name, k.Value(&full)), k.Name)
		require.NoError(t, k.Set(&back, k.Value(&full)), k.Name)
		require.Error(t, Check(k.Name, ""), k.Name)
		require.True(t, Has(k.Name))
	}
	require.Equal(t, full, back)
	require.ErrorContains(t, Check("nix", "1"), "there are move-rate")
}
