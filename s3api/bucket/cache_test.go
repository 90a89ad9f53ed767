package bucket

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
)

// counted is metadata that counts the buckets that are read from it.
type counted struct {
	meta.Client
	reads atomic.Int64
	after func() // Called with an answer in hand, before it arrives; nil: nothing.
}

func (c *counted) Read(ctx context.Context, q *metapb.Query) (*metapb.Answer, error) {
	a, err := c.Client.Read(ctx, q)
	if q.GetBucket() != nil {
		c.reads.Add(1)
		if c.after != nil {
			c.after()
		}
	}
	return a, err
}

// node is the part of a node that knows buckets.
type node struct {
	t      testing.TB
	meta   *counted
	cache  *Cache
	newest atomic.Uint64 // What it was told of.
}

func newNode(t testing.TB, c meta.Client) *node {
	n := &node{t: t, meta: &counted{Client: c}}
	n.cache = NewCache(&telling{n.meta, n}, n.newest.Load)
	return n
}

// tell tells the node of a revision.
func (n *node) tell(revision uint64) {
	for old := n.newest.Load(); revision > old; old = n.newest.Load() {
		if n.newest.CompareAndSwap(old, revision) {
			return
		}
	}
}

// telling is metadata whose answers tell a node of their revisions before they arrive at it.
type telling struct {
	meta.Client
	n *node
}

func (c *telling) Read(ctx context.Context, q *metapb.Query) (*metapb.Answer, error) {
	a, err := c.Client.Read(ctx, q)
	if err == nil {
		c.n.tell(a.BucketsRevision)
	}
	return a, err
}

func (c *telling) Propose(ctx context.Context, cmd *metapb.Command) (*metapb.Result, error) {
	r, err := c.Client.Propose(ctx, cmd)
	if err == nil && cmd.GetCreateBucket() == nil {
		c.n.tell(r.ConfigRevision)
	}
	return r, err
}

func (n *node) propose(cmd *metapb.Command) *metapb.Result {
	n.t.Helper()
	r, err := n.cache.meta.Propose(context.Background(), cmd)
	require.NoError(n.t, err)
	require.Equal(n.t, metapb.Refusal_REFUSAL_NONE, r.Refusal)
	return r
}

func (n *node) create(name, owner string) *metapb.Result {
	n.t.Helper()
	return n.propose(&metapb.Command{Op: &metapb.Command_CreateBucket{CreateBucket: &metapb.CreateBucket{
		Bucket: &metapb.Bucket{Name: name, Owner: owner}}}})
}

func (n *node) remove(name string) {
	n.t.Helper()
	n.propose(&metapb.Command{Op: &metapb.Command_DeleteBucket{DeleteBucket: &metapb.DeleteBucket{Name: name}}})
}

// set sets a part of a bucket's configuration.
func (n *node) set(name, value string) *metapb.Result {
	n.t.Helper()
	return n.propose(setPart(name, value))
}

func setPart(name, value string) *metapb.Command {
	return &metapb.Command{Op: &metapb.Command_SetBucketConfig{SetBucketConfig: &metapb.SetBucketConfig{Bucket: name,
		Parts: []*metapb.ConfigPart{{Name: PartRequestPayment, Value: []byte(value)}}}}}
}

// get returns a bucket as "owner value", or "none".
func (n *node) get(name string) string {
	n.t.Helper()
	b, err := n.cache.Get(context.Background(), name)
	if errs.Is(err, errs.NotFound) {
		return "none"
	}
	require.NoError(n.t, err)
	require.Equal(n.t, name, b.Name)
	return b.Owner + " " + string(b.Config[PartRequestPayment])
}

func (n *node) requireReads(want int64, what string) {
	n.t.Helper()
	require.Equal(n.t, want, n.meta.reads.Swap(0), what)
}

func TestBucketsAreRemembered(t *testing.T) {
	w := newMetadata(t)
	n, peer := newNode(t, w), newNode(t, w)
	require.Equal(t, "none", n.get("b"))
	peer.create("b", "acme")
	require.Equal(t, "acme ", n.get("b"), "that there was none is not remembered")
	n.meta.reads.Store(0)
	for range 3 {
		require.Equal(t, "acme ", n.get("b"))
	}
	n.requireReads(0, "nothing was changed")

	n.set("b", PayerRequester)
	require.Equal(t, "acme Requester", n.get("b"), "its own change, before it is answered")
	n.requireReads(1, "once")
	require.Equal(t, "acme Requester", n.get("b"))
	n.requireReads(0, "no more")

	n.tell(peer.set("b", "").ConfigRevision)
	require.Equal(t, "acme ", n.get("b"), "a change of another node, with the next answer that tells of it")
	peer.create("other", "acme")
	n.get("other")
	n.meta.reads.Store(0)
	require.Equal(t, "acme ", n.get("b"))
	n.requireReads(0, "a bucket that is made is not this one")
	n.tell(peer.set("other", "x").ConfigRevision)
	require.Equal(t, "acme ", n.get("b"))
	n.requireReads(1, "whatever is configured anywhere ends what is remembered")
	n.tell(1)
	n.get("b")
	n.requireReads(0, "old news")

	peer.remove("b")
	peer.create("b", "else")
	n.tell(peer.newest.Load())
	require.Equal(t, "else ", n.get("b"), "another bucket of the name")
	peer.remove("b")
	n.tell(peer.newest.Load())
	require.Equal(t, "none", n.get("b"))
}

// TestAnswersOvertaken: an answer that was overtaken by a change on its way is not taken for what
// is after the change, and does not replace that.
func TestAnswersOvertaken(t *testing.T) {
	w := newMetadata(t)
	n := newNode(t, w)
	n.create("b", "acme")
	arrived, proceed := make(chan struct{}), make(chan struct{})
	n.meta.after = func() {
		n.meta.after = nil
		close(arrived)
		<-proceed
	}
	var slow sync.WaitGroup
	var got *Bucket
	slow.Go(func() { got, _ = n.cache.Get(context.Background(), "b") })
	<-arrived
	n.set("b", PayerRequester)
	require.Equal(t, "acme Requester", n.get("b"))
	close(proceed)
	slow.Wait()
	require.NotNil(t, got)
	require.Empty(t, got.Config, "as it was when it was asked for")
	n.meta.reads.Store(0)
	require.Equal(t, "acme Requester", n.get("b"))
	n.requireReads(0, "the newer answer was kept")

	// The same if nobody asks meanwhile.
	n.meta.after = func() {
		n.meta.after = nil
		n.set("b", "")
	}
	n.tell(n.set("b", "x").ConfigRevision)
	require.Equal(t, "acme x", n.get("b"))
	require.Equal(t, "acme ", n.get("b"))
}

// TestBucketsRace: whoever asks after a change was told sees the change, on every node, however
// many ask and change at the same time.
func TestBucketsRace(t *testing.T) {
	w := newMetadata(t)
	nodes := []*node{newNode(t, w), newNode(t, w)}
	nodes[0].create("b", "acme")
	nodes[0].set("b", "0")
	nodes[1].tell(nodes[0].newest.Load())
	var told atomic.Int64
	done := make(chan struct{})
	var readers sync.WaitGroup
	for i := range 6 {
		n := nodes[i%2]
		readers.Go(func() {
			for last := int64(0); ; {
				select {
				case <-done:
					return
				default:
				}
				least := told.Load()
				b, err := n.cache.Get(context.Background(), "b")
				if err != nil {
					t.Errorf("Get: %v", err)
					return
				}
				got, err := strconv.ParseInt(string(b.Config[PartRequestPayment]), 10, 64)
				if err != nil || got < max(last, least) {
					t.Errorf("got %q after %d was told of and %d seen", b.Config[PartRequestPayment], least, last)
					return
				}
				last = got
			}
		})
	}
	for i := range int64(200) {
		r := nodes[i%2].set("b", strconv.FormatInt(i, 10))
		nodes[(i+1)%2].tell(r.ConfigRevision)
		told.Store(i)
	}
	close(done)
	readers.Wait()
}

// many is metadata with any number of buckets, each with a configuration of this size.
type many struct {
	meta.Client
	bytes int
}

func (m *many) Read(_ context.Context, q *metapb.Query) (*metapb.Answer, error) {
	config := &metapb.BucketConfig{Parts: []*metapb.ConfigPart{{Name: "lifecycle", Value: make([]byte, m.bytes)}}}
	return &metapb.Answer{ConfigRevision: 1, BucketConfig: config,
		Bucket: &metapb.Bucket{Name: q.GetBucket().GetName()}}, nil
}

// TestBucketsAreBounded: however many buckets there are, and however large their documents are, a
// cache remembers no more than it may, and keeps what is in use.
func TestBucketsAreBounded(t *testing.T) {
	const limit = 1 << 20
	for name, c := range map[string]struct{ buckets, bytes int }{
		"many": {2 * limit / entryBytes, 1}, "large": {100, limit / 10}, "larger than the whole": {2, limit},
	} {
		t.Run(name, func(t *testing.T) {
			b := NewCache(&many{bytes: c.bytes}, func() uint64 { return 1 })
			b.limit = limit
			for i := range c.buckets {
				for _, name := range []string{fmt.Sprintf("bucket-%d", i), "in-use"} {
					_, err := b.Get(t.Context(), name)
					require.NoError(t, err)
				}
				stats, bytes := b.Stats(), 0
				for _, a := range b.known.Values() {
					bytes += a.bytes
				}
				require.LessOrEqual(t, stats.Bytes, limit)
				require.Equal(t, bytes, stats.Bytes)
			}
			if c.bytes < limit/10 {
				require.Greater(t, b.Stats().Buckets, limit/(2*entryBytes))
				require.EqualValues(t, c.buckets-1, b.Stats().Hits, "what is in use is not forgotten for others")
			}
		})
	}
}

// TestManyBucketsInUse: 20,000 buckets that are used in turn are each read once.
func TestManyBucketsInUse(t *testing.T) {
	const buckets = 20_000
	b := NewCache(&many{bytes: 10}, func() uint64 { return 1 })
	for range 3 {
		for i := range buckets {
			_, err := b.Get(t.Context(), fmt.Sprintf("bucket-%d", i))
			require.NoError(t, err)
		}
	}
	require.Equal(t, CacheStats{Hits: 2 * buckets, Misses: buckets, Buckets: buckets, Bytes: b.bytes}, b.Stats())
}

// failing is metadata that does not answer.
type failing struct{ meta.Client }

func (failing) Read(context.Context, *metapb.Query) (*metapb.Answer, error) {
	return nil, errs.Newf("test", errs.Unavailable, "no leader")
}

// TestBucketsUnavailable: if the metadata do not answer, nothing is answered, least of all what was
// once true.
func TestBucketsUnavailable(t *testing.T) {
	w := newMetadata(t)
	n := newNode(t, w)
	n.create("b", "acme")
	require.Equal(t, "acme ", n.get("b"))
	n.cache.meta = failing{}
	require.Equal(t, "acme ", n.get("b"))
	n.tell(w.index.Load() + 1)
	_, err := n.cache.Get(t.Context(), "b")
	require.Equal(t, errs.Unavailable, errs.KindOf(err))
}

// slow is metadata whose answers wait until they are let through.
type slow struct {
	meta.Client
	asked   chan struct{}
	through chan struct{}
}

func (s *slow) Read(ctx context.Context, q *metapb.Query) (*metapb.Answer, error) {
	a, err := s.Client.Read(ctx, q)
	s.asked <- struct{}{}
	select {
	case <-s.through:
		return a, err
	case <-ctx.Done():
		return nil, errs.New("test", errs.Unavailable, ctx.Err())
	}
}

// TestQuestionsAreShared: callers that ask for a bucket at the same time share a question. A caller
// that was told of a change since the question was asked asks anew. A caller that leaves takes
// nothing from the others.
func TestQuestionsAreShared(t *testing.T) {
	w := newMetadata(t)
	n := newNode(t, w)
	n.create("b", "acme")
	n.tell(w.index.Load())
	synctest.Test(t, func(t *testing.T) {
		s := &slow{Client: n.cache.meta, asked: make(chan struct{}, 10), through: make(chan struct{})}
		c := NewCache(s, n.newest.Load)
		var asking sync.WaitGroup
		leaver, leave := context.WithCancel(t.Context())
		get := func(ctx context.Context, want string) {
			asking.Go(func() {
				b, err := c.Get(ctx, "b")
				if want == "" {
					require.Equal(t, errs.Unavailable, errs.KindOf(err))
					return
				}
				require.NoError(t, err)
				require.Equal(t, want, "payer "+string(b.Config[PartRequestPayment]))
			})
			synctest.Wait()
		}
		get(leaver, "")
		for range 5 {
			get(t.Context(), "payer ")
		}
		n.set("b", PayerRequester)
		get(t.Context(), "payer Requester")
		leave()
		synctest.Wait()
		require.Len(t, s.asked, 2, "one question, and one of who was told of a change since")
		s.through <- struct{}{}
		s.through <- struct{}{}
		asking.Wait()
		require.Len(t, s.asked, 2)
		require.Equal(t, CacheStats{Misses: 7, Buckets: 1, Bytes: c.bytes}, c.Stats())
		get(t.Context(), "payer Requester")
		require.EqualValues(t, 1, c.Stats().Hits)
	})
}

// TestUnreadableACLIsPrivate: a bucket with an unreadable ACL is private, and one with an
// unreadable policy is closed.
func TestUnreadableACLIsPrivate(t *testing.T) {
	b := New(&metapb.Bucket{Name: "b", Owner: "acme"}, &metapb.BucketConfig{
		Parts: []*metapb.ConfigPart{{Name: PartACL, Value: []byte{0xff}}, {Name: PartPolicy, Value: []byte("{")}}})
	require.Nil(t, b.ACL)
	require.Nil(t, b.Policy)
	require.True(t, b.broken)
	require.False(t, b.RequesterPays())
	raw, err := proto.Marshal(&metapb.Acl{Grants: []*metapb.Grant{
		{Account: "else", Permission: metapb.Permission_PERMISSION_READ}}})
	require.NoError(t, err)
	b = New(b.Bucket, &metapb.BucketConfig{Parts: []*metapb.ConfigPart{{Name: PartACL, Value: raw},
		{Name: PartRequestPayment, Value: []byte(PayerRequester)}}})
	require.Len(t, b.ACL.Grants, 1)
	require.True(t, b.RequesterPays())
	require.False(t, b.broken)
}

// TestBucketsHistory: whatever happens in which order on which node, a node answers with a bucket
// as it was at some time after the last change of which the node was told.
func TestBucketsHistory(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newMetadata(t)
		nodes := []*node{newNode(t, w), newNode(t, w)}
		type state struct {
			from uint64 // Revision.
			is   string
		}
		history := map[string][]state{"a": {{0, "none"}}, "b": {{0, "none"}}}
		now := func(name string) string { return history[name][len(history[name])-1].is }
		name, anyNode := rapid.SampledFrom([]string{"a", "b"}), rapid.SampledFrom(nodes)
		became := func(n *node, name, is string) {
			history[name] = append(history[name], state{n.newest.Load(), is})
		}
		rt.Repeat(map[string]func(*rapid.T){
			"create or remove": func(rt *rapid.T) {
				n, name := anyNode.Draw(rt, "node"), name.Draw(rt, "name")
				if now(name) != "none" {
					n.remove(name)
					became(n, name, "none")
					return
				}
				owner := rapid.SampledFrom([]string{"acme", "else"}).Draw(rt, "owner")
				n.create(name, owner)
				became(n, name, owner+" ")
			},
			"set": func(rt *rapid.T) {
				n, name := anyNode.Draw(rt, "node"), name.Draw(rt, "name")
				if now(name) == "none" {
					rt.Skip("nothing to set")
				}
				value := rapid.StringMatching("[a-z]{1,3}").Draw(rt, "value")
				n.set(name, value)
				became(n, name, now(name)[:len("acme ")]+value)
			},
			"tell": func(rt *rapid.T) {
				n := anyNode.Draw(rt, "node")
				n.tell(rapid.Uint64Range(0, w.index.Load()).Draw(rt, "revision"))
			},
			"poll": func(rt *rapid.T) {
				q := &metapb.Query{Op: &metapb.Query_Entries{Entries: &metapb.ListEntries{Max: 1}}}
				a, err := anyNode.Draw(rt, "node").cache.meta.Read(context.Background(), q)
				require.NoError(rt, err)
				require.NotZero(rt, a.BucketsRevision)
			},
			"get": func(rt *rapid.T) {
				n, name := anyNode.Draw(rt, "node"), name.Draw(rt, "name")
				told, got := n.newest.Load(), n.get(name)
				var since []string
				for i, s := range history[name] {
					if next := i + 1; next == len(history[name]) || history[name][next].from > told {
						since = append(since, s.is)
					}
				}
				require.Contains(rt, since, got, "%s, told of %d", name, told)
			},
		})
	})
}
