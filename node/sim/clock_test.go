package sim

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
)

const compliance = metapb.RetentionMode_RETENTION_COMPLIANCE

// lockedVersion returns the command that makes an empty version which is kept until a time. If the time
// is zero, it has the default retention of the bucket.
func lockedVersion(id string, until time.Time) *metapb.Command {
	v := &metapb.Version{VersionId: id, ContentId: []byte("content-of-16-by"), ModifiedMs: 1, Owner: "o", Attributes: &metapb.Attributes{}}
	copy(v.ContentId, id)
	if !until.IsZero() {
		v.Retention = &metapb.Retention{Mode: compliance, UntilMs: until.UnixMilli()}
	}
	return &metapb.Command{Op: &metapb.Command_PutObject{PutObject: &metapb.PutObject{Bucket: "locked", Key: "k", Version: v,
		Part: &metapb.Part{}}}}
}

func deleteLocked(id string) *metapb.Command {
	return &metapb.Command{Op: &metapb.Command_DeleteObjects{DeleteObjects: &metapb.DeleteObjects{Bucket: "locked",
		Objects: []*metapb.ObjectName{{Key: "k", VersionId: id}}, NewVersionIds: []string{""}}}}
}

// TestClockJump lets the clock of the node that leads the metadata jump two years ahead. Another node
// must lead then. A version that is to be kept for a month must be kept, and a version that is written
// meanwhile must be kept for as long as the bucket says.
func TestClockJump(t *testing.T) {
	mustReach(t)
	log := watched(t)
	synctest.Test(t, func(t *testing.T) {
		c := NewCluster(rand.New(rand.NewPCG(5, 5)), 3, log)
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		defer func() {
			c.Stop()
			if t.Failed() {
				t.Log(log.String())
			}
		}()
		for _, m := range c.Machines {
			require.NoError(t, c.Start(ctx, m))
		}
		require.NoError(t, c.AwaitReady(time.Minute))
		led := func() *Machine {
			for range 600 {
				for _, m := range c.Up() {
					if m.Node().Group().IsLeader() && m.ahead.Load() == 0 {
						return m
					}
				}
				time.Sleep(100 * time.Millisecond)
			}
			t.Fatal("nobody leads whose clock is right")
			return nil
		}
		leader := led()
		do := func(m *Machine, cmd *metapb.Command) (*metapb.Result, error) {
			ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
			defer cancel()
			return m.Node().Metadata().Propose(ctx, cmd)
		}
		for _, cmd := range []*metapb.Command{
			{Op: &metapb.Command_CreateBucket{CreateBucket: &metapb.CreateBucket{Bucket: &metapb.Bucket{Name: "locked", Owner: "o"}}}},
			{Op: &metapb.Command_SetBucketConfig{SetBucketConfig: &metapb.SetBucketConfig{Bucket: "locked",
				Versioning: metapb.Versioning_VERSIONING_ENABLED}}},
			{Op: &metapb.Command_SetBucketConfig{SetBucketConfig: &metapb.SetBucketConfig{Bucket: "locked",
				Lock: &metapb.BucketLock{DefaultRetention: &metapb.DefaultRetention{Mode: compliance, Days: 7}}}}},
			lockedVersion("a-month", time.Now().AddDate(0, 1, 0)),
		} {
			r, err := do(leader, cmd)
			require.NoError(t, err)
			require.Equal(t, metapb.Refusal_REFUSAL_NONE, r.Refusal, "%v %s", cmd, r.Detail)
		}

		leader.ahead.Store(int64(2 * 365 * 24 * time.Hour))
		_, err := do(leader, deleteLocked("a-month"))
		require.Error(t, err, "a node whose clock has jumped changes something")
		now := led() // Another node leads, which could have been told that the retention is over.
		require.NotEqual(t, leader.Name, now.Name)
		r, err := do(now, deleteLocked("a-month"))
		require.NoError(t, err)
		require.Equal(t, metapb.Refusal_REFUSAL_LOCKED, r.Deleted[0].Refusal)
		r, err = do(now, lockedVersion("by-default", time.Time{}))
		require.NoError(t, err)
		require.Equal(t, metapb.Refusal_REFUSAL_NONE, r.Refusal, r.Detail)
		require.WithinDuration(t, time.Now().AddDate(0, 0, 7), time.UnixMilli(r.Version.Retention.UntilMs), time.Hour)

		leader.ahead.Store(0)
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
			if r, err = do(leader, deleteLocked("by-default")); err == nil || time.Now().After(deadline) {
				break
			}
		}
		require.NoError(t, err, "its clock is right again")
		require.Equal(t, metapb.Refusal_REFUSAL_LOCKED, r.Deleted[0].Refusal)
	})
}
