package upkeep

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// fakeKeys has a key that is to be deleted at a time, and fails after it.
type fakeKeys struct {
	mu    sync.Mutex
	due   time.Time
	tries int
}

func (f *fakeKeys) Purge(_ context.Context, now time.Time) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tries++
	if now.Before(f.due) {
		return nil, nil
	}
	f.due = now.Add(1000 * time.Hour)
	return []string{"key-1"}, errors.New("key-2: the vault is away")
}

// Keys are deleted once their time has come, by the node that leads; which, is
// told also where others fail.
func TestKeysAreDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeKeys{due: time.Now().Add(time.Hour)}
		var mu sync.Mutex
		var deleted, failed []string
		lead := false
		u := Start(t.Context(), Config{Metadata: &fakeRestores{}, Keys: f, Interval: time.Hour, OrphanEvery: time.Hour, Terms: hourly,
			Remember: time.Hour, Voters: noVoters{},
			Leads: func() bool { mu.Lock(); defer mu.Unlock(); return lead },
			Events: Events{
				KeysDeleted: func(ids []string) { mu.Lock(); defer mu.Unlock(); deleted = append(deleted, ids...) },
				Failed: func(job string, err error) {
					mu.Lock()
					defer mu.Unlock()
					failed = append(failed, job+": "+err.Error())
				},
			}})
		defer u.Stop()
		time.Sleep(2 * time.Hour)
		require.Zero(t, f.tries)
		mu.Lock()
		lead = true
		mu.Unlock()
		f.mu.Lock()
		f.due = time.Now().Add(time.Hour)
		f.mu.Unlock()
		time.Sleep(59 * time.Minute)
		mu.Lock()
		require.Empty(t, deleted)
		mu.Unlock()
		time.Sleep(3 * purgeEvery)
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, []string{"key-1"}, deleted)
		require.Equal(t, []string{"keys: key-2: the vault is away"}, failed)
	})
}
