package object

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/alloc"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/state"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sse"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/buf"
	"github.com/cairnstore/cairn/shard/shardtest"
	"github.com/cairnstore/cairn/shard/stripe"
)

func TestMain(m *testing.M) {
	effort.LessenRapid()
	goleak.VerifyTestMain(m)
}

// world is a cluster as far as the object service sees one: the real state
// machine without Raft, and the real engine over stores in memory.
type world struct {
	t      testing.TB
	meta   *metaClient
	drives map[cluster.DriveID]*drive
	pool   *buf.Pool
	engine *stripe.Engine
	budget *buf.Budget
	*Service

	mu     sync.Mutex
	down   map[cluster.NodeID]bool
	counts map[string]int
}

// setup says how a world differs from the usual one.
type setup struct {
	nodes   int // 6.
	config  Config
	knobs   Knobs // MinPartBytes: 1.
	workers Workers
	budget  int64           // 256 MiB.
	begun   func(TaskPlace) // Called when a task of a copy begins; may block.
}

const (
	testExtent = 512 << 10 // Small, so that borders are cheap.
	testBucket = "bucket"
)

var alice = Caller{Account: "acct", DisplayName: "alice", User: "alice"}

func newWorld(t testing.TB, o setup) *world {
	if o.nodes == 0 {
		o.nodes = 6
	}
	def(&o.config.ExtentMaxBytes, testExtent)
	def(&o.knobs.MinPartBytes, 1)
	if o.config.Knobs == nil {
		o.config.Knobs = func() Knobs { return o.knobs }
	}
	def(&o.budget, 256<<20)
	st, err := state.Open(state.Options{FS: vfs.NewMem(), Dir: "meta", CacheBytes: 1 << 20})
	require.NoError(t, err)
	w := &world{t: t, meta: newMetaClient(t, st), drives: map[cluster.DriveID]*drive{}, pool: buf.New(buf.Config{}),
		budget: buf.NewBudget(o.budget, 0), down: map[cluster.NodeID]bool{}, counts: map[string]int{}}
	for i := range o.nodes {
		node := cluster.NodeID(i + 1)
		d := cluster.DriveID(100 + i)
		w.drives[d] = &drive{Memory: shardtest.NewMemory()}
		w.meta.must(&metapb.Command{Op: &metapb.Command_RegisterNode{RegisterNode: &metapb.RegisterNode{
			Node: &metapb.Node{Id: uint64(node), Drives: []*metapb.Drive{{Id: uint64(d), CapacityBytes: 1 << 40}}}}}})
	}
	w.engine = stripe.New(stripe.Config{Pool: w.pool, Events: stripe.Events{
		SlotFailed: func(id shard.ID, err error) { w.Allocator().SlotFailed(id, err) }},
		Stores: func(id cluster.DriveID) (shard.Store, error) { return w.drives[id], nil }})
	count := func(name string) { w.mu.Lock(); w.counts[name]++; w.mu.Unlock() }
	w.Service = New(Deps{Meta: w.meta, Topology: w.meta, Engine: w.engine, Alive: w.alive, Budget: w.budget, Workers: o.workers}, o.config, Events{
		Read: func(n int64) { w.mu.Lock(); w.counts["bytes read"] += int(n); w.mu.Unlock() },
		TaskBegan: func(at TaskPlace) {
			count(string(at))
			if o.begun != nil {
				o.begun(at)
			}
		},
		TaskEnded: func(at TaskPlace, _ time.Duration, err error) {
			if err != nil {
				count(string(at) + " failed")
			}
		},
		CopiedByRef:  func(int64) { count("reference") },
		CopiedByRead: func(int64) { count("read") },
		Salvaged:     func(_, _ shard.ExtentID) { count("salvaged") },
		VolumeSwitch: func(shard.VolumeID, error) { count("switched") },
		Alloc:        alloc.Events{VolumesMade: func(n int, s shard.Scheme) { count("made " + s.String()) }},
		ShortWrite:   func(shard.ExtentID, int) { count("short") },
	})
	t.Cleanup(w.close)
	_, err = w.CreateBucket(t.Context(), alice, testBucket, "here", nil)
	require.NoError(t, err)
	return w
}

func (w *world) close() {
	w.engine.Close()
	require.Zero(w.t, w.pool.Live(), "buffers in use")
	require.Equal(w.t, w.budget.Total(), w.budget.Free(), "budget in use")
	require.Zero(w.t, w.alloc.Outstanding(), "grants not resolved")
	require.NoError(w.t, w.meta.state.Close())
}

func (w *world) alive(n cluster.NodeID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.down[n]
}

func (w *world) count(name string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counts[name]
}

// kill makes nodes' drives unreachable; gossip knows if seen.
func (w *world) kill(seen bool, nodes ...int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range nodes {
		w.drives[cluster.DriveID(99+n)].set(errs.Newf("test", errs.Unavailable, "node %d is dead", n))
		w.down[cluster.NodeID(n)] = seen
	}
}

// shards returns how many shards all drives hold.
func (w *world) shards() int {
	n := 0
	for _, d := range w.drives {
		n += d.Len()
	}
	return n
}

// orphans returns the shards of extents that the metadata does not know.
func (w *world) orphans() int {
	n := 0
	for _, d := range w.drives {
		for _, id := range d.IDs() {
			known := false
			a, err := w.meta.state.Query(&metapb.Query{Op: &metapb.Query_ListWork{ListWork: &metapb.ListWork{
				Kind: metapb.WorkKind_WORK_VOLUME, Volume: uint32(id.Extent.Volume), Max: 1000}}})
			require.NoError(w.t, err)
			for _, it := range a.Work.Items {
				known = known || it.Seq == id.Extent.Seq
			}
			if !known {
				n++
			}
		}
	}
	return n
}

// extents returns the extents of an object's content.
func (w *world) extents(key string) (ids []shard.ExtentID) {
	w.t.Helper()
	a, err := w.meta.Read(w.t.Context(), &metapb.Query{Op: &metapb.Query_Object{Object: &metapb.GetObject{Bucket: testBucket, Key: key}}})
	require.NoError(w.t, err)
	for _, p := range a.Object.Content.Pieces {
		ids = append(ids, shard.ExtentID{Volume: shard.VolumeID(p.Ref.Volume), Seq: p.Ref.Seq})
	}
	return ids
}

// scheme returns the scheme of an object's first extent.
func (w *world) scheme(key string) string {
	t, err := w.meta.Topology(w.t.Context())
	require.NoError(w.t, err)
	return t.Volumes[w.extents(key)[0].Volume].Scheme.String()
}

// drive is a store that fails on demand.
type drive struct {
	*shardtest.Memory
	mu     sync.Mutex
	broken error
	writes int // Writes left before it breaks; 0: no such limit.
	onDie  error
}

func (d *drive) set(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = err
}

// dieAfter makes the drive break after so many writes.
func (d *drive) dieAfter(n int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writes, d.onDie = n, err
}

func (d *drive) err(writing bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if writing && d.writes > 0 {
		if d.writes--; d.writes == 0 {
			d.broken = d.onDie
		}
	}
	return d.broken
}

func (d *drive) Create(ctx context.Context, h shard.Header) (shard.Writer, error) {
	if err := d.err(false); err != nil {
		return nil, err
	}
	w, err := d.Memory.Create(ctx, h)
	return &driveWriter{w, d}, err
}

func (d *drive) Open(ctx context.Context, id shard.ID, s shard.Span) (io.ReadCloser, error) {
	if err := d.err(false); err != nil {
		return nil, err
	}
	return d.Memory.Open(ctx, id, s)
}

func (d *drive) Delete(ctx context.Context, ids []shard.ID) error {
	if err := d.err(false); err != nil {
		return err
	}
	return d.Memory.Delete(ctx, ids)
}

type driveWriter struct {
	shard.Writer
	d *drive
}

func (w *driveWriter) Write(p []byte) (int, error) {
	if err := w.d.err(true); err != nil {
		return 0, err
	}
	return w.Writer.Write(p)
}

func (w *driveWriter) Commit(ctx context.Context) error {
	if err := w.d.err(false); err != nil {
		return err
	}
	return w.Writer.Commit(ctx)
}

// metaClient is the state machine behind meta.Client, without Raft.
type metaClient struct {
	t     testing.TB
	state *state.State

	mu         sync.Mutex
	index, seq uint64
	session    []byte
	topology   *meta.Topology
	proposed   []*metapb.Command
	before     func(*metapb.Command) error // Called before a command is applied; an error keeps it from it.
	after      func(*metapb.Command) error // Called after; an error is the outcome that is told.
}

func newMetaClient(t testing.TB, st *state.State) *metaClient {
	c := &metaClient{t: t, state: st}
	c.must(&metapb.Command{Op: &metapb.Command_FormCluster{FormCluster: &metapb.FormCluster{Id: "test"}}})
	c.newSession()
	return c
}

// newSession ends the node's session and opens another.
func (c *metaClient) newSession() {
	id := newID()
	c.mu.Lock()
	c.session, c.seq = nil, 0
	c.mu.Unlock()
	c.must(&metapb.Command{Session: id, Op: &metapb.Command_OpenSession{OpenSession: &metapb.OpenSession{Node: 1, Session: id}}})
	c.mu.Lock()
	c.session = id
	c.mu.Unlock()
}

func (c *metaClient) must(cmd *metapb.Command) {
	r, err := c.Propose(c.t.Context(), cmd)
	require.NoError(c.t, err)
	require.Equal(c.t, metapb.Refusal_REFUSAL_NONE, r.Refusal, r.Detail)
}

func (c *metaClient) Propose(ctx context.Context, cmd *metapb.Command) (*metapb.Result, error) {
	if ctx.Err() != nil {
		return nil, errs.New("test.Propose", errs.Unavailable, ctx.Err())
	}
	if c.before != nil {
		if err := c.before(cmd); err != nil {
			return nil, err
		}
	}
	c.mu.Lock()
	cmd = proto.Clone(cmd).(*metapb.Command)
	c.index++
	if c.session != nil {
		c.seq++
		cmd.Session, cmd.Seq, cmd.Floor = c.session, c.seq, c.seq
	}
	c.proposed = append(c.proposed, cmd)
	b, err := proto.Marshal(cmd)
	require.NoError(c.t, err)
	rs, err := c.state.Apply([]state.Entry{{Index: c.index, Term: 1, Command: b}})
	c.mu.Unlock()
	if err != nil {
		return nil, err
	}
	require.NotEqual(c.t, metapb.Refusal_REFUSAL_INVALID, rs[0].Refusal, "%v: %s", cmd.Op, rs[0].Detail)
	if c.after != nil {
		if err := c.after(cmd); err != nil {
			return nil, err
		}
	}
	return rs[0], nil
}

func (c *metaClient) Read(ctx context.Context, q *metapb.Query) (*metapb.Answer, error) {
	if ctx.Err() != nil {
		return nil, errs.New("test.Read", errs.Unavailable, ctx.Err())
	}
	return c.state.Query(q)
}

func (c *metaClient) Topology(context.Context) (*meta.Topology, error) {
	a, err := c.state.Query(&metapb.Query{Op: &metapb.Query_View{View: &metapb.GetView{}}})
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.topology == nil || c.topology.View.Epoch != a.View.Epoch {
		c.topology = meta.NewTopology(a.View)
	}
	return c.topology, nil
}

// sent returns how many commands were proposed that f counts.
func (c *metaClient) sent(f func(*metapb.Command) bool) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, cmd := range c.proposed {
		if f(cmd) {
			n++
		}
	}
	return n
}

// content returns n bytes that depend on the seed.
func contentOf(n int, seed uint64) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), 1})
	_, _ = r.Read(b)
	return b
}

func md5hex(b []byte) string {
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

func testKey(first byte) *sse.CustomerKey {
	k := &sse.CustomerKey{Key: bytes.Repeat([]byte{'S', 'E', 'C', first}, 8)}
	k.MD5 = md5.Sum(k.Key)
	return k
}

func bodyOf(b []byte) Body { return Body{Reader: bytes.NewReader(b), Size: int64(len(b))} }

func (w *world) put(key string, b []byte, k *sse.CustomerKey) *metapb.Version {
	w.t.Helper()
	v, err := w.Put(w.t.Context(), &PutInput{Description: Description{CustomerKey: k}, Caller: alice, Bucket: testBucket, Key: key, Body: bodyOf(b)})
	require.NoError(w.t, err)
	return v
}

func (w *world) get(key string, k *sse.CustomerKey, r Range) ([]byte, *Got) {
	w.t.Helper()
	g, err := w.Get(w.t.Context(), &GetInput{Caller: alice, Bucket: testBucket, Key: key, CustomerKey: k, Range: r})
	require.NoError(w.t, err)
	if g.Unsatisfiable {
		return nil, g
	}
	var out bytes.Buffer
	n, err := g.WriteTo(w.t.Context(), &out)
	require.NoError(w.t, err)
	require.EqualValues(w.t, out.Len(), n)
	require.EqualValues(w.t, g.Length, n)
	return out.Bytes(), g
}

func (w *world) same(want []byte, key string, k *sse.CustomerKey) {
	w.t.Helper()
	got, _ := w.get(key, k, Range{})
	require.True(w.t, bytes.Equal(want, got), "%s: %d bytes wanted, %d got, or others", key, len(want), len(got))
}

func (w *world) upload(key string, k *sse.CustomerKey, algorithm string, full bool) string {
	w.t.Helper()
	id, err := w.CreateUpload(w.t.Context(), &UploadInput{Description: Description{CustomerKey: k}, Caller: alice, Bucket: testBucket, Key: key,
		ChecksumAlgorithm: algorithm, ChecksumFullObject: full})
	require.NoError(w.t, err)
	return id
}

func (w *world) part(key, id string, number int, b []byte, k *sse.CustomerKey) *metapb.Part {
	w.t.Helper()
	p, err := w.PutPart(w.t.Context(), &PartInput{Caller: alice, Bucket: testBucket, Key: key, UploadID: id,
		PartNumber: number, Body: bodyOf(b), CustomerKey: k})
	require.NoError(w.t, err)
	return p
}

// multipart makes an object of parts and returns its bytes.
func (w *world) multipart(key string, k *sse.CustomerKey, parts ...[]byte) []byte {
	w.t.Helper()
	id := w.upload(key, k, "", false)
	var list []CompletePart
	for i, b := range parts {
		list = append(list, CompletePart{Number: i + 1, ETag: w.part(key, id, i+1, b, k).Etag})
	}
	w.complete(key, id, list)
	return bytes.Join(parts, nil)
}

func (w *world) complete(key, id string, list []CompletePart) *metapb.Version {
	w.t.Helper()
	v, err := w.Complete(w.t.Context(), &CompleteInput{Caller: alice, Bucket: testBucket, Key: key, UploadID: id, Parts: list})
	require.NoError(w.t, err)
	return v
}

// wantCode requires an error that a client is told under a code, and that it tells no key.
func wantCode(t *testing.T, err error, code s3err.Code) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, code, s3err.FromError(err).Code, "%v", err)
	noSecrets(t, err)
}

func noSecrets(t *testing.T, err error) {
	t.Helper()
	for _, f := range []string{"%v", "%+v", "%#v"} {
		s := fmt.Sprintf(f, err)
		require.NotContains(t, s, "SEC")
		require.NotContains(t, strings.ToLower(s), hex.EncodeToString([]byte("SEC")))
		require.NotContains(t, s, "U0VD") // Base64.
	}
}
