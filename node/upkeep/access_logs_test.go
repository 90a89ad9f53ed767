package upkeep

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
)

// fakeLogs is access logs that wait.
type fakeLogs struct {
	mu       sync.Mutex
	rounds   int
	segments int
	why, err error
}

func (f *fakeLogs) Deliver(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rounds++
	return f.err
}

func (f *fakeLogs) Late() (int, int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.segments, int64(1000 * f.segments), f.why
}

func (f *fakeLogs) seen() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rounds
}

func (f *fakeLogs) set(segments int, why, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.segments, f.why, f.err = segments, why, err
}

// Each node delivers its access logs, and says of those that are late how many there are
// and why; a job that an operator paused waits.
func TestAccessLogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs, paused := &fakeLogs{}, false
		var mu sync.Mutex
		pause := func(on bool) { mu.Lock(); defer mu.Unlock(); paused = on }
		failures := 0
		failed := func() int { mu.Lock(); defer mu.Unlock(); return failures }
		u := Start(t.Context(), Config{Metadata: newRuled(t, metapb.Versioning_VERSIONING_OFF, ruleOf("<Filter/>", expiresIn2)), Interval: time.Hour, OrphanEvery: time.Hour, Terms: hourly,
			Remember: time.Hour, Voters: noVoters{}, Leads: func() bool { return false }, AccessLogs: logs,
			Paused: func(string) bool { mu.Lock(); defer mu.Unlock(); return paused },
			Events: Events{Failed: func(job string, _ error) {
				mu.Lock()
				defer mu.Unlock()
				if job == "access-logs" {
					failures++
				}
			}}})
		defer u.Stop()
		look := func() Progress {
			time.Sleep(accessLogsEvery + time.Second)
			for _, p := range u.Jobs() {
				if p.Job == "access-logs" {
					return p
				}
			}
			t.Fatal("there is no such job")
			return Progress{}
		}
		require.Equal(t, StateIdle, look().State)
		require.NotZero(t, logs.seen())

		logs.set(2, errors.New("bucket x is gone"), nil)
		p := look()
		require.Equal(t, StateRunning, p.State)
		require.Equal(t, "bucket x is gone", p.Detail)
		require.EqualValues(t, 2000, p.TotalBytes)
		logs.set(0, nil, nil)
		require.Equal(t, StateIdle, look().State)
		require.Zero(t, failed())

		logs.set(1, nil, errors.New("no disk"))
		require.Equal(t, StateFailed, look().State)
		require.NotZero(t, failed())

		pause(true)
		time.Sleep(accessLogsEvery)
		before := logs.seen()
		require.Equal(t, StatePaused, look().State)
		require.Equal(t, before, logs.seen())
	})
}
