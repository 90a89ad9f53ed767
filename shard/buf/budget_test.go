package buf

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// hold has tenants with so many clients each take and hold bytes, again and again, for a while. It
// returns how many bytes each tenant was given.
func hold(t *testing.T, clients map[string]int, bytes map[string]int64) map[string]float64 {
	b := NewBudget(64<<20, time.Minute)
	given := map[string]*atomic.Int64{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var all sync.WaitGroup
	for tenant, n := range clients {
		given[tenant] = new(atomic.Int64)
		for range n {
			all.Go(func() {
				for ctx.Err() == nil {
					if b.Acquire(ForTenant(ctx, tenant), bytes[tenant]) != nil {
						continue
					}
					time.Sleep(10 * time.Millisecond)
					b.Release(bytes[tenant])
					given[tenant].Add(bytes[tenant])
				}
			})
		}
	}
	all.Wait()
	require.Equal(t, b.Total(), b.Free())
	out := map[string]float64{}
	for tenant := range clients {
		out[tenant] = float64(given[tenant].Load())
	}
	return out
}

// Ten clients of a tenant have a fair part beside a thousand of another, whatever the sizes are.
func TestBudgetIsFairToTenants(t *testing.T) {
	for _, c := range []struct{ many, few int64 }{{8 << 20, 8 << 20}, {16 << 20, 4 << 20}, {128 << 10, 8 << 20}} {
		t.Run(fmt.Sprint(c.many>>10, c.few>>10), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := hold(t, map[string]int{"many": 1000, "few": 10}, map[string]int64{"many": c.many, "few": c.few})
				require.Greater(t, got["few"]/(got["few"]+got["many"]), 0.4*0.5)
			})
		})
	}
}

// What has no tenant is not starved by tenants, however many there are, and takes no more than its
// part.
func TestBudgetHasAFloorForTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		size := int64(4 << 20)
		got := hold(t, map[string]int{"a": 200, "b": 200, "c": 200, "": 50},
			map[string]int64{"a": size, "b": size, "c": size, "": size})
		all := got["a"] + got["b"] + got["c"] + got[""]
		require.InEpsilon(t, 0.25, got[""]/all, 0.1)
	})
}

// A tenant that comes when another has thousands waiting is next.
func TestBudgetLetsTheNewcomerIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(10, time.Hour)
		require.True(t, b.TryAcquire(10))
		var all sync.WaitGroup
		var before atomic.Int64
		for range 1000 {
			all.Go(func() {
				require.NoError(t, b.Acquire(ForTenant(t.Context(), "many"), 10))
				before.Add(1)
				b.Release(10)
			})
		}
		synctest.Wait()
		all.Go(func() {
			require.NoError(t, b.Acquire(ForTenant(t.Context(), "few"), 10))
			require.LessOrEqual(t, before.Load(), int64(1))
			b.Release(10)
		})
		synctest.Wait()
		b.Release(10)
		all.Wait()
	})
}
