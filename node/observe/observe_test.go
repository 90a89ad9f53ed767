package observe

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/s3api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLogLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l, err := NewLog(&out, "warn", "text")
		require.NoError(t, err)
		defer l.Close()
		l.Info("one")
		require.NoError(t, l.SetLevel("debug", time.Minute))
		now, configured, until := l.Level()
		require.Equal(t, []string{"debug", "warn"}, []string{now, configured})
		require.Equal(t, time.Minute, time.Until(until))
		l.Debug("two")
		require.NoError(t, l.SetLevel("info", time.Minute)) // Begins anew.
		time.Sleep(time.Minute - time.Second)
		l.Info("three")
		time.Sleep(2 * time.Second)
		l.Info("four")
		now, _, until = l.Level()
		require.Equal(t, "warn", now)
		require.True(t, until.IsZero())
		require.NoError(t, l.SetLevel("error", 0))
		time.Sleep(24 * time.Hour)
		l.Warn("five")
		require.NoError(t, l.SetLevel("", 0))
		l.Warn("six")
		for _, bad := range []string{"loud", "DEBUG", "info+1"} {
			require.True(t, errs.Is(l.SetLevel(bad, 0), errs.Invalid), bad)
		}
		for word, there := range map[string]bool{"one": false, "two": true, "three": true, "four": false, "five": false, "six": true} {
			require.Equal(t, there, strings.Contains(out.String(), "msg="+word), word)
		}
		require.Len(t, l.Newest(100), 3)
		require.Contains(t, l.Newest(1)[0], "msg=six")
	})
}

// The level of the settings may change. One that somebody has set for a while stays until then.
func TestConfigureLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := NewLog(io.Discard, "info", "text")
		require.NoError(t, err)
		defer l.Close()
		levels := func() []string {
			now, configured, _ := l.Level()
			return []string{now, configured}
		}
		require.NoError(t, l.Configure("warn"))
		require.Equal(t, []string{"warn", "warn"}, levels())
		require.NoError(t, l.SetLevel("debug", time.Minute))
		require.NoError(t, l.Configure("error"))
		require.Equal(t, []string{"debug", "error"}, levels())
		time.Sleep(2 * time.Minute)
		require.Equal(t, []string{"error", "error"}, levels())
		require.True(t, errs.Is(l.Configure("loud"), errs.Invalid))
		require.Equal(t, []string{"error", "error"}, levels())
	})
}

func TestNewestLines(t *testing.T) {
	n := newest{max: 3}
	for i := range 5 {
		fmt.Fprintf(&n, "%d\n", i)
	}
	require.Equal(t, []string{"2", "3", "4"}, n.lines(10))
	require.Equal(t, []string{"3", "4"}, n.lines(2))
	_, err := n.Write(bytes.Repeat([]byte("x"), 2*newestMaxBytes))
	require.NoError(t, err)
	require.Len(t, n.lines(1)[0], newestMaxBytes)
}

func TestLoad(t *testing.T) {
	l, err := NewLog(io.Discard, "info", "json")
	require.NoError(t, err)
	o := New(l.Logger)
	told := 0
	done := o.S3(func(*s3api.RequestDone) { told++ }).RequestDone
	for _, d := range []s3api.RequestDone{
		{Operation: "GetObject", Status: 200, BytesOut: 10, Duration: 2 * time.Millisecond},
		{Operation: "GetObject", Status: 404, Duration: 20 * time.Millisecond},
		{Operation: "GetObject", Status: 503, Duration: time.Millisecond},
		{Operation: "PutObject", Status: 0, BytesIn: 7, Duration: time.Second},
	} {
		done(t.Context(), d)
	}
	o.Drive("/srv/d1", func(error) {}).SyncDone(3*time.Millisecond, 4)
	load, err := o.Load()
	require.NoError(t, err)
	require.Equal(t, 4, told)
	require.EqualValues(t, 7, load.BytesIn)
	require.EqualValues(t, 10, load.BytesOut)
	require.Len(t, load.Operations, 2)
	get := load.Operations[0]
	require.Equal(t, "GetObject", get.Name)
	require.Equal(t, []uint64{3, 1, 1}, []uint64{get.Requests, get.ClientErrors, get.ServerErrors})
	require.InDelta(t, 0.023, get.Seconds, 1e-9)
	require.Equal(t, latencyBuckets, get.Buckets)
	require.Equal(t, []uint64{1, 2, 2, 2, 3}, get.Counts[:5])
	require.EqualValues(t, 1, load.Operations[1].ServerErrors, "a request that was cut counts as failed")
	require.Equal(t, []DriveLoad{{Dir: "/srv/d1", Syncs: 1, SyncSeconds: 0.003, SyncedShards: 4}}, load.Drives)
	var text bytes.Buffer
	require.NoError(t, o.WriteMetrics(&text))
	require.Contains(t, text.String(), `cairn_s3_requests_total{operation="GetObject",status="404"} 1`)
}
