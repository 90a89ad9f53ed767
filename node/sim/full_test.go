package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
)

const (
	simDisk     = 64 << 30
	fullTimeout = time.Minute
)

// fullStory is a cluster whose disks another program fills.
type fullStory struct {
	t *testing.T
	c *Cluster
}

func (f *fullStory) put(at int, key, value string) error {
	_, err := f.c.Machines[at].Node().Objects().Put(f.t.Context(), &object.PutInput{Caller: caller, Bucket: bucket, Key: key,
		Description: object.Description{Attributes: &metapb.Attributes{}},
		Body:        object.Body{Reader: bytes.NewReader([]byte(value)), Size: int64(len(value))}})
	return err
}

func (f *fullStory) remove(at int, key string) error {
	_, err := f.c.Machines[at].Node().Objects().Delete(f.t.Context(), caller, bucket, []*metapb.ObjectName{{Key: key}})
	return err
}

// reads proves that every machine that runs reads a key.
func (f *fullStory) reads(key, value string) {
	f.t.Helper()
	for _, m := range f.c.Up() {
		got, err := fetch(f.t.Context(), m.Node().Objects(), key, nil)
		require.NoError(f.t, err, m.Name)
		require.Equal(f.t, value, string(got), m.Name)
	}
}

// full fills the disks of machines to the last byte, so many times: each time the machines give up some
// of their ballast, which is filled the next time.
func (f *fullStory) full(times int, machines ...*Machine) {
	for range times {
		for _, m := range machines {
			m.disk.fill(m.disk.room.others + simDisk - m.disk.used())
		}
		time.Sleep(5 * time.Second) // In the bubble's time, so that every node has looked and has told the others.
	}
}

func (f *fullStory) eventually(what string, holds func() error) {
	f.t.Helper()
	require.NoError(f.t, f.c.eventually(fullTimeout, holds), what)
}

// noRoom returns nil if err is the refusal for want of room, as S3 tells it.
func noRoom(err error) error {
	if err != nil && s3err.FromError(err).Code == s3err.InsufficientStorage {
		return nil
	}
	return fmt.Errorf("not refused for want of room: %w", errors.Join(err, errors.New("nothing")))
}

// TestFullDisks lets another program fill the disks. While one of three is full, the others lead and
// serve. When all are full, nothing is taken that grows: reads are served always, and deletions until
// the ballast is used up. A machine that starts meanwhile must come up. Once there is room, everything
// must go on, on nodes that have run all the time.
func TestFullDisks(t *testing.T) {
	mustReach(t)
	log := watched(t)
	synctest.Test(t, func(t *testing.T) {
		defer func() {
			if t.Failed() {
				t.Log(log)
			}
		}()
		c := NewCluster(rand.New(rand.NewPCG(1, 0)), 3, log)
		c.SizeDisks(simDisk)
		defer c.Stop()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		require.NoError(t, c.form(ctx))
		f := &fullStory{t: t, c: c}
		time.Sleep(10 * time.Second) // So that the nodes have taken their ballast.
		for i := range 3 {
			require.NoError(t, f.put(i, fmt.Sprint("kept", i), "a value"))
			require.NoError(t, f.put(i, fmt.Sprint("doomed", i), "a value"))
		}

		leader := c.Machines[0]
		for _, m := range c.Machines {
			if m.Node().Group().IsLeader() {
				leader = m
			}
		}
		f.full(6, leader)
		f.eventually("another machine leads", func() error {
			if leader.Node().Group().IsLeader() {
				return errors.New("the full one does")
			}
			return f.put(0, "one-full", "a value")
		})
		f.reads("one-full", "a value")

		f.full(1, c.Machines...)
		f.eventually("puts are refused", func() error { return noRoom(f.put(1, "refused", "a value")) })
		f.reads("kept0", "a value")
		require.NoError(t, f.remove(2, "doomed0"), "a deletion on full disks")
		require.NoError(t, noRoom(f.put(0, "refused", "a value")))

		f.full(6, c.Machines...) // So often that the ballast is used up.
		require.NoError(t, noRoom(f.put(0, "refused", "a value")))
		require.NoError(t, noRoom(f.remove(0, "doomed1")))
		f.reads("kept1", "a value")
		for _, m := range c.Machines {
			require.NoError(t, m.Node().Err(), m.Name)
		}

		c.Crash(c.Machines[2])
		require.NoError(t, c.Start(ctx, c.Machines[2]))
		f.eventually("the machine that was started on a full disk reads", func() error {
			_, err := fetch(ctx, c.Machines[2].Node().Objects(), "kept2", nil)
			return err
		})
		f.reads("kept2", "a value")

		nodes := make(map[*Machine]any)
		for _, m := range c.Machines {
			nodes[m] = m.Node()
			m.disk.fill(0)
		}
		f.eventually("puts are taken again", func() error { return f.put(2, "healed", "a value") })
		require.NoError(t, f.remove(0, "doomed1"))
		f.reads("healed", "a value")
		f.reads("kept0", "a value")
		for _, m := range c.Machines {
			require.NoError(t, m.Node().Err(), m.Name)
			require.Equal(t, nodes[m], any(m.Node()))
		}
	})
}
