package kms

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/sse"
)

// withDomains runs a test in a bubble, with one external key.
func withDomains(t *testing.T, f func(t *testing.T, s *Service, f *fakeExternal, id string)) {
	synctest.Test(t, func(t *testing.T) {
		external := newFakeExternal()
		s := New(newFakeDirectory(), Config{Region: region, Root: testRoot(1), External: external})
		defer s.Close()
		f(t, s, external, create(t, s, "acc1", ""))
	})
}

// TestManyPartsCostFewCalls: a multipart object of 1000 parts costs one call to write and one to
// read.
func TestManyPartsCostFewCalls(t *testing.T) {
	withDomains(t, func(t *testing.T, s *Service, f *fakeExternal, id string) {
		var all []*metapb.Envelope
		for range 1000 {
			_, e, _ := wrapped(t, s, id)
			all = append(all, e)
		}
		require.Equal(t, 1, f.count("encrypt"))
		fresh := New(s.dir, s.cfg)
		defer fresh.Close()
		for _, e := range all {
			_, err := (&sse.KMSKey{Service: fresh, KeyID: id, Context: []byte(`{"a":"1"}`)}).Unwrap(context.Background(), e)
			require.NoError(t, err)
		}
		require.Equal(t, 1, f.count("decrypt"))
	})
}

func TestDomainKeysEndInTime(t *testing.T) {
	withDomains(t, func(t *testing.T, s *Service, f *fakeExternal, id string) {
		k, e, d := wrapped(t, s, id)
		f.mu.Lock()
		delete(f.keys, id) // As an administrator of the external service would.
		f.mu.Unlock()
		time.Sleep(domainKeyLife - time.Nanosecond)
		requireOpens(t, k, e, d)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		requireRefused(t, errs.NotFound, k, e)
		_, err := k.Wrap(context.Background(), d)
		require.Equal(t, errs.NotFound, errs.KindOf(err))
	})
}

func TestDomainKeysAreWiped(t *testing.T) {
	withDomains(t, func(t *testing.T, s *Service, _ *fakeExternal, id string) {
		c := s.domains
		held := func() []*sse.DataKey {
			c.mu.Lock()
			defer c.mu.Unlock()
			var keys []*sse.DataKey
			for x := c.oldest.Front(); x != nil; x = x.Next() {
				keys = append(keys, x.Value.(*domainKey).key)
			}
			return keys
		}
		requireWiped := func(keys []*sse.DataKey) {
			t.Helper()
			for _, k := range keys {
				require.Equal(t, make([]byte, sse.KeyBytes), k.Bytes())
			}
		}
		wrapped(t, s, id)
		first := held()
		require.Len(t, first, 1)
		time.Sleep(domainKeyLife)
		synctest.Wait()
		requireWiped(first)
		require.Empty(t, c.byText)
		require.Empty(t, c.byUse)

		// The oldest is dropped.
		for i := range domainKeysMax + 10 {
			_, err := s.Wrap(context.Background(), id, sse.NewDataKey(), fmt.Append(nil, i))
			require.NoError(t, err)
			if i == 0 {
				first = held()
			}
		}
		requireWiped(first)
		require.Equal(t, domainKeysMax, c.oldest.Len())
		require.Len(t, c.byText, domainKeysMax)
		last := held()
		s.Close()
		requireWiped(last)
		wrapped(t, s, id)
		require.Zero(t, c.oldest.Len(), "nothing is kept after Close")
	})
}

// TestEqualCallsAreOne: many equal calls at the same time become one, and a caller that leaves does
// not spoil it for the others.
func TestEqualCallsAreOne(t *testing.T) {
	withDomains(t, func(t *testing.T, s *Service, f *fakeExternal, id string) {
		f.hold = make(chan struct{})
		ctx, cancel := context.WithCancel(context.Background())
		var first error
		var wg sync.WaitGroup
		wg.Go(func() { _, first = s.Wrap(ctx, id, sse.NewDataKey(), nil) })
		synctest.Wait()
		errors := make([]error, 20)
		for i := range errors {
			wg.Go(func() { _, errors[i] = s.Wrap(context.Background(), id, sse.NewDataKey(), nil) })
		}
		synctest.Wait()
		require.Equal(t, 1, f.count("encrypt"))
		cancel()
		synctest.Wait()
		close(f.hold)
		wg.Wait()
		require.Equal(t, errs.Canceled, errs.KindOf(first))
		for _, err := range errors {
			require.NoError(t, err)
		}
		require.Equal(t, 2, f.count("encrypt"))
	})
}

func TestDomainKeysAreNotShared(t *testing.T) {
	withDomains(t, func(t *testing.T, s *Service, f *fakeExternal, id string) {
		ctx, d := context.Background(), sse.NewDataKey()
		other := create(t, s, "acc1", "")
		for i, use := range []struct{ id, aad string }{{id, "a"}, {id, "b"}, {other, "a"}, {id, "a"}} {
			_, err := s.Wrap(ctx, use.id, d, []byte(use.aad))
			require.NoError(t, err)
			require.Equal(t, min(i+1, 3), f.count("encrypt"))
		}
	})
}
