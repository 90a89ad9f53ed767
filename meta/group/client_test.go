package group

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
)

func mustMarshal(t *testing.T, m proto.Message) []byte {
	b, err := proto.Marshal(m)
	require.NoError(t, err)
	return b
}

// TestRedirectsInCircles: a client that is sent on again and again, by nodes that have
// different ideas of who leads, follows a few at once and then makes pauses, which grow.
func TestRedirectsInCircles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		timing := ClientTiming{BackoffMin: 10 * time.Millisecond, BackoffMax: time.Second}
		b := (&Client{cfg: ClientConfig{Timing: timing}}).backoff()
		closing := make(chan struct{})
		pause := func(err error) time.Duration {
			began := time.Now()
			require.NoError(t, b.wait(t.Context(), closing, err))
			return time.Since(began)
		}
		for range maxQuickRedirects {
			require.Zero(t, pause(errRedirected))
		}
		for want := timing.BackoffMin; want < timing.BackoffMax; want *= 2 {
			got := pause(errRedirected)
			require.GreaterOrEqual(t, got, want/2)
			require.LessOrEqual(t, got, want+1)
		}
		for range 3 {
			require.LessOrEqual(t, pause(errNotLeader), timing.BackoffMax+1)
		}
		close(closing)
		require.True(t, errs.Is(b.wait(t.Context(), closing, errNotLeader), errs.Unavailable))
	})
}
