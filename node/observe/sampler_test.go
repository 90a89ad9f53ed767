package observe

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api"
	"github.com/cairnstore/cairn/s3api/iam"
)

func TestSampler(t *testing.T) {
	s := sampler{burst: 3, rate: 2}
	now := time.Unix(1000, 0)
	written := 0
	for range 10 {
		if ok, _ := s.take(now); ok {
			written++
		}
	}
	require.Equal(t, 3, written)
	ok, suppressed := s.take(now.Add(time.Second))
	require.True(t, ok)
	require.EqualValues(t, 7, suppressed)
	ok, suppressed = s.take(now.Add(time.Second))
	require.True(t, ok)
	require.Zero(t, suppressed)
	ok, _ = s.take(now.Add(time.Second))
	require.False(t, ok)
}

// Strangers cannot fill the log. Requests of known callers are always logged, and so are failures
// of the cluster itself.
func TestStrangersCannotFillTheLog(t *testing.T) {
	var log bytes.Buffer
	o := New(slog.New(slog.NewTextHandler(&log, nil)))
	tell := o.S3(func(*s3api.RequestDone) {}).RequestDone
	for range 10_000 {
		tell(t.Context(), s3api.RequestDone{Status: 403, Operation: "GetObject", Remote: "192.0.2.1"})
	}
	require.LessOrEqual(t, strings.Count(log.String(), "\n"), 10*strangerBurst)
	log.Reset()
	for range 200 {
		tell(t.Context(), s3api.RequestDone{Status: 404, Who: &iam.Identity{Account: "a"}})
		tell(t.Context(), s3api.RequestDone{Status: 503})
	}
	require.GreaterOrEqual(t, strings.Count(log.String(), "\n"), 400)
	var m bytes.Buffer
	require.NoError(t, o.WriteMetrics(&m))
	require.Contains(t, m.String(), "cairn_log_lines_suppressed_total 9")
}
