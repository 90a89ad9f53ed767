package iam

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
)

// TestDirectoryPages loads more entries than a page holds.
func TestDirectoryPages(t *testing.T) {
	w := newWorld(t)
	const users = 2*entriesPage + 10
	var put []*metapb.Entry
	for i := range users {
		put = append(put, &metapb.Entry{Kind: metapb.EntryKind_ENTRY_USER, Name: fmt.Sprintf("acme/%05d", i)})
	}
	require.NoError(t, w.dir.Write(t.Context(), nil, put, nil))
	peer := w.peer()
	require.Len(t, peer.dir.List(metapb.EntryKind_ENTRY_USER), users)
	require.Equal(t, w.dir.Revision(), peer.dir.Revision())
	require.NotNil(t, peer.dir.Get(metapb.EntryKind_ENTRY_USER, "acme/01234"))
	require.Nil(t, peer.dir.Get(metapb.EntryKind_ENTRY_GROUP, "acme/01234"))
}

// restless is metadata whose directory changes after each page that is read, up to a number of
// times.
type restless struct {
	meta.Client
	write func()
	left  int
}

func (r *restless) Read(ctx context.Context, q *metapb.Query) (*metapb.Answer, error) {
	a, err := r.Client.Read(ctx, q)
	if r.left > 0 {
		r.left--
		r.write()
	}
	return a, err
}

// slowPolls is metadata that take long to answer a patient query.
type slowPolls struct {
	meta.Client
	patient, other atomic.Int64
}

func (s *slowPolls) Read(ctx context.Context, q *metapb.Query) (*metapb.Answer, error) {
	if !q.Patient {
		s.other.Add(1)
		return s.Client.Read(ctx, q)
	}
	s.patient.Add(1)
	time.Sleep(PollInterval / 2)
	return s.Client.Read(ctx, q)
}

// TestDirectoryPollsPatiently: a node asks whether the directory has changed by queries that can
// wait, by which it knows that its directory is current. Whoever needs it now does not wait for them.
func TestDirectoryPollsPatiently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		slow := &slowPolls{Client: w.meta}
		d := NewDirectory(slow)
		require.NoError(t, d.Refresh(t.Context()))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			d.Run(ctx)
			close(done)
		}()
		before := slow.other.Load()
		time.Sleep(20*PollInterval + PollInterval/4) // The query of the 20th tick is under way.
		require.InDelta(t, 20, slow.patient.Load(), 1)
		require.Equal(t, before, slow.other.Load(), "an unchanged directory was read by an impatient query")
		require.LessOrEqual(t, d.Age(), 2*PollInterval)
		began := time.Now()
		require.NoError(t, d.Refresh(t.Context()))
		require.Zero(t, time.Since(began))

		put := []*metapb.Entry{{Kind: metapb.EntryKind_ENTRY_USER, Name: "acme/new"}}
		require.NoError(t, w.dir.Write(t.Context(), nil, put, nil))
		time.Sleep(2 * PollInterval)
		require.NotNil(t, d.Get(metapb.EntryKind_ENTRY_USER, "acme/new"))

		put[0].Name = "acme/newer"
		require.NoError(t, w.dir.Write(t.Context(), nil, put, nil))
		d.NoteDirectory(w.dir.Revision()) // A query is under way.
		synctest.Wait()
		require.NotNil(t, d.Get(metapb.EntryKind_ENTRY_USER, "acme/newer"), "what an answer told was not followed at once")
		cancel()
		<-done
	})
}

// TestDirectoryChangesBetweenPages: the directory can be read while others change it, however often
// they do, unless they change it faster than it can be read.
func TestDirectoryChangesBetweenPages(t *testing.T) {
	w := newWorld(t)
	w.crowd(entriesPage + 1)
	write := func(names ...string) {
		var put []*metapb.Entry
		for _, name := range names {
			put = append(put, &metapb.Entry{Kind: metapb.EntryKind_ENTRY_USER, Name: name})
		}
		require.NoError(t, w.dir.Write(t.Context(), nil, put, nil))
	}
	changed := 0
	one := func() {
		changed++
		write(fmt.Sprintf("acme/0-%d", changed))
	}
	r := &restless{Client: w.meta, write: one, left: math.MaxInt}
	d := NewDirectory(r)
	require.NoError(t, d.Refresh(t.Context()))
	require.Len(t, d.List(metapb.EntryKind_ENTRY_USER), changed-1, "all but what came after the last page")
	require.Len(t, d.List(metapb.EntryKind_ENTRY_ACCOUNT), entriesPage+1)
	r.left = 0
	require.NoError(t, d.Refresh(t.Context()))
	require.Equal(t, w.dir.Revision(), d.Revision())
	require.Len(t, d.List(metapb.EntryKind_ENTRY_USER), changed)

	d = NewDirectory(&restless{Client: w.meta, write: func() { write("acme/1", "acme/2") }, left: math.MaxInt})
	d.page = 1
	requireKind(t, errs.Unavailable, d.Refresh(t.Context()))
	require.Empty(t, d.List(metapb.EntryKind_ENTRY_USER), "half a directory is none")
}

// TestDirectoryRun: Run follows a change at once if an answer told of it, and otherwise when it
// polls.
func TestDirectoryRun(t *testing.T) {
	w := newWorld(t)
	synctest.Test(t, func(t *testing.T) {
		peer := NewDirectory(w.meta)
		changes := 0
		peer.OnChange(func() { changes++ })
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { peer.Run(ctx) })

		require.NoError(t, w.admin.SetSetting(ctx, "compat", "aws"))
		time.Sleep(PollInterval + 1)
		synctest.Wait()
		require.Equal(t, "aws", peer.Settings()["compat"])

		require.NoError(t, w.admin.SetSetting(ctx, "compat", "obs"))
		began := time.Now()
		peer.NoteDirectory(w.dir.Revision())
		peer.NoteDirectory(w.dir.Revision()) // Does not block.
		synctest.Wait()
		require.Equal(t, "obs", peer.Settings()["compat"])
		require.Zero(t, time.Since(began))
		require.Equal(t, 2, changes)
		time.Sleep(10 * PollInterval)
		synctest.Wait()
		require.Equal(t, 2, changes, "nothing has changed since")
		cancel()
		running.Wait()
	})
}

// TestSnapshotRace reads while others write; it is for the race detector.
func TestSnapshotRace(t *testing.T) {
	w := newWorld(t)
	_, key := w.account("acme")
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, err := w.keys.Lookup(t.Context(), key.ID, ""); err != nil {
					t.Errorf("Lookup: %v", err)
					return
				}
				_ = w.dir.List(metapb.EntryKind_ENTRY_USER)
			}
		})
	}
	for i := range 50 {
		_, err := w.admin.AddUser(t.Context(), "acme", fmt.Sprintf("user-%d", i))
		require.NoError(t, err)
	}
	close(done)
	readers.Wait()
}
