package iam

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/bucket"
)

// counted is metadata that counts the buckets that are read from it.
type counted struct {
	meta.Client
	reads atomic.Int64
}

func (c *counted) Read(ctx context.Context, q *metapb.Query) (*metapb.Answer, error) {
	if q.GetBucket() != nil {
		c.reads.Add(1)
	}
	return c.Client.Read(ctx, q)
}

// bucketNode is the part of a node that knows buckets.
type bucketNode struct {
	t       testing.TB
	meta    *counted
	dir     *Directory
	buckets *bucket.Cache
	writer  meta.Client // What it proposes is known to it before it is answered.
}

func newBucketNode(t testing.TB, c meta.Client) *bucketNode {
	n := &bucketNode{t: t, meta: &counted{Client: c}}
	n.dir = NewDirectory(n.meta)
	n.buckets, n.writer = n.dir.Buckets(n.meta), n.dir.Watch(n.meta)
	return n
}

func (n *bucketNode) propose(cmd *metapb.Command) {
	n.t.Helper()
	r, err := n.writer.Propose(context.Background(), cmd)
	require.NoError(n.t, err)
	require.Equal(n.t, metapb.Refusal_REFUSAL_NONE, r.Refusal)
}

func (n *bucketNode) create(name, owner string) {
	n.t.Helper()
	n.propose(&metapb.Command{Op: &metapb.Command_CreateBucket{CreateBucket: &metapb.CreateBucket{
		Bucket: &metapb.Bucket{Name: name, Owner: owner}}}})
}

// set sets a part of a bucket's configuration.
func (n *bucketNode) set(name, value string) {
	n.t.Helper()
	n.propose(&metapb.Command{Op: &metapb.Command_SetBucketConfig{SetBucketConfig: &metapb.SetBucketConfig{Bucket: name,
		Parts: []*metapb.ConfigPart{{Name: bucket.PartRequestPayment, Value: []byte(value)}}}}})
}

// get returns a bucket as "owner value".
func (n *bucketNode) get(name string) string {
	n.t.Helper()
	b, err := n.buckets.Get(context.Background(), name)
	require.NoError(n.t, err)
	require.Equal(n.t, name, b.Name)
	return b.Owner + " " + string(b.Config[bucket.PartRequestPayment])
}

func (n *bucketNode) requireReads(want int64, what string) {
	n.t.Helper()
	require.Equal(n.t, want, n.meta.reads.Swap(0), what)
}

// TestBucketsFollowByPolling: a node that gets no answers learns of a change when it polls.
func TestBucketsFollowByPolling(t *testing.T) {
	w := newWorld(t)
	synctest.Test(t, func(t *testing.T) {
		n, peer := newBucketNode(t, w.meta), newBucketNode(t, w.meta)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { n.dir.Run(ctx) })
		peer.create("b", "acme")
		require.Equal(t, "acme ", n.get("b"))
		synctest.Wait()
		require.Equal(t, "acme ", n.get("b"))
		peer.set("b", bucket.PayerRequester)
		time.Sleep(PollInterval + time.Nanosecond)
		synctest.Wait()
		require.Equal(t, "acme Requester", n.get("b"))
		cancel()
		running.Wait()
	})
}
