package iam

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
)

// TestNewKeysAreKnownAtOnce: a key that one node has made is good at another node that has not
// heard of it, for all who come with it at the same time. So is a session of it.
func TestNewKeysAreKnownAtOnce(t *testing.T) {
	w := newWorld(t)
	peer := w.peer()
	for range 3 {
		_, key := w.account(time.Now().Format("a150405.000000000"))
		c, err := w.keys.Lookup(t.Context(), key.ID, "")
		require.NoError(t, err)
		session, err := w.sts.SessionToken(t.Context(), c.Subject.(*Identity), time.Hour)
		require.NoError(t, err)
		third := w.peer()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				_, err := peer.keys.Lookup(t.Context(), key.ID, "")
				if err != nil {
					t.Error(err)
				}
				_, err = third.keys.Lookup(t.Context(), session.AccessKey, session.Token)
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	before := time.Now()
	for range 5 {
		_, err := peer.keys.Lookup(t.Context(), "NOSUCHKEY", "")
		require.True(t, errs.Is(err, errs.NotFound), err)
	}
	require.GreaterOrEqual(t, time.Since(before), 4*askInterval, "the directory is asked for at most once an interval")
}
