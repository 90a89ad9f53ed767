package observe

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRollCalls(t *testing.T) {
	o := New(slog.New(slog.DiscardHandler))
	o.Upkeep().Called(3)
	var text bytes.Buffer
	require.NoError(t, o.WriteMetrics(&text))
	require.Contains(t, text.String(), "cairn_roll_calls_total 1")
}
