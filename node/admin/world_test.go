package admin

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/state"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/node/admin/adminpb/adminpbconnect"
	"github.com/cairnstore/cairn/node/tunable"
	"github.com/cairnstore/cairn/s3api"
	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/kms"
	"github.com/cairnstore/cairn/s3api/object"
	lang "github.com/cairnstore/cairn/s3api/policy"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/buf"
	"github.com/cairnstore/cairn/shard/shardtest"
	"github.com/cairnstore/cairn/shard/stripe"
)

// world is the part of a cluster of six nodes that the admin API sees: the state machine without
// Raft, drives in memory, and the real directory and key service.
type world struct {
	t       testing.TB
	meta    *metadata
	drives  map[cluster.DriveID]*shardtest.Faulty
	objects *object.Service
	knobs   map[string]string
	peersMu sync.Mutex
	peers   map[cluster.NodeID]*fakePeer
	states  map[cluster.NodeID]gossip.State // Absent: alive.
	calls   []*Call
	log     bytes.Buffer
	config  Config

	policies []*lang.Policy // Of the buckets of every account.
}

const (
	testNodes  = 6
	testDrive  = 100       // Id of the first drive.
	testExtent = 512 << 10 // Bytes; small, so that objects have several.
)

var root = &iam.Identity{Account: iam.RootAccount, AccountName: iam.RootAccountName, Root: true, Admin: true, AccessKey: "root"}

func newWorld(t testing.TB) *world {
	st, err := state.Open(state.Options{FS: vfs.NewMem(), Dir: "meta", CacheBytes: 1 << 20})
	require.NoError(t, err)
	w := &world{t: t, meta: &metadata{t: t, state: st}, drives: map[cluster.DriveID]*shardtest.Faulty{}, knobs: map[string]string{},
		peers: map[cluster.NodeID]*fakePeer{}, states: map[cluster.NodeID]gossip.State{}}
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	w.meta.must(&metapb.Command{Op: &metapb.Command_FormCluster{FormCluster: &metapb.FormCluster{Id: "test"}}})
	w.meta.must(&metapb.Command{Session: testSession, Op: &metapb.Command_OpenSession{
		OpenSession: &metapb.OpenSession{Node: 1, Session: testSession}}})
	w.meta.session = testSession
	for i := range testNodes {
		w.drives[cluster.DriveID(testDrive+i)] = shardtest.NewFaulty(shardtest.NewMemory())
		w.meta.must(&metapb.Command{Op: &metapb.Command_RegisterNode{RegisterNode: &metapb.RegisterNode{Node: &metapb.Node{
			Id: uint64(i+1) << 56, Zone: "z" + string(rune('a'+i)), S3Addr: fmt.Sprintf("10.0.0.%d:9000", i+1), RpcAddr: fmt.Sprintf("10.0.0.%d:9001", i+1), Drives: []*metapb.Drive{{Id: uint64(testDrive + i), CapacityBytes: 1 << 40}}}}}})
	}
	stores := func(id cluster.DriveID) (shard.Store, error) { return w.drives[id], nil }
	engine := stripe.New(stripe.Config{Pool: buf.New(buf.Config{}), Stores: stores})
	t.Cleanup(engine.Close)
	w.objects = object.New(object.Deps{Meta: w.meta, Topology: w.meta, Engine: engine},
		object.Config{ExtentMaxBytes: testExtent, Knobs: func() object.Knobs { return object.Knobs{MinPartBytes: 1} }}, object.Events{})

	directory := iam.NewDirectory(w.meta)
	require.NoError(t, directory.Refresh(t.Context()))
	keys := iam.NewKeys(iam.KeysConfig{Directory: directory, SecretKey: [iam.SecretKeyBytes]byte{1}, RootUser: "root", RootPassword: "root-password"})
	people := iam.NewAdmin(iam.AdminConfig{Directory: directory, Keys: keys, CheckSetting: CheckSetting,
		HasBuckets:     func(context.Context, string) (bool, error) { return false, nil },
		BucketPolicies: func(context.Context, string) ([]*lang.Policy, error) { return w.policies, nil }})
	masters := kms.New(directory, kms.Config{Region: "here", Root: kms.DeriveRootKey([]byte("a secret of thirty-two bytes, ok"))})
	t.Cleanup(masters.Close)
	w.config = Config{Node: testNode(1), Region: "here", Version: "test", Metadata: w.meta, State: w.state, Peer: w.peer,
		Rights: iam.NewAuthorizer(directory), Named: keys.Named,
		Simulator: &s3api.Simulator{Access: s3api.Access{Buckets: directory.Buckets(w.meta),
			Authorizer: iam.NewAuthorizer(directory)}, Meta: w.meta},
		Done:   func(c *Call) { w.calls = append(w.calls, c) },
		Stores: stores, Directory: func(by *iam.Identity) Directory { return people.For(by) }, Settings: people,
		Own: OwnSettings{Knobs: w.knobs, Tunables: tunable.Values{RepairRate: 1 << 20, LogLevel: "info"},
			Defaults: tunable.Values{LogLevel: "info"}}, MasterKeys: masters, Entries: directory,
		Log: slog.New(slog.NewTextHandler(&w.log, nil))}
	return w
}

// testNode returns the id of the i-th node, from 1: 16 hex digits that begin with i.
func testNode(i int) cluster.NodeID { return cluster.NodeID(uint64(i) << 56) }

// testFacts are the facts of every request.
func testFacts(key string) ([]string, bool) {
	if key == "aws:SourceIp" {
		return []string{"192.0.2.7"}, true
	}
	return nil, false
}

func (w *world) state(id cluster.NodeID) gossip.State {
	if s, ok := w.states[id]; ok {
		return s
	}
	return gossip.Alive
}

// as returns the API as an identity calls it; nil means a credential of no account.
func (w *world) as(id *iam.Identity) adminpbconnect.AdminServiceClient {
	h := handler(w.config)
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(rw, r.WithContext((&question{id: "req", caller: id, facts: testFacts}).context(r.Context())))
	}))
	w.t.Cleanup(s.Close)
	return adminpbconnect.NewAdminServiceClient(s.Client(), s.URL)
}

// account makes an account and returns it with the identity of its root.
func (w *world) account(name string) (*adminpb.Account, *iam.Identity) {
	a, err := w.as(root).AddAccount(w.t.Context(), &adminpb.AddAccountRequest{Name: name})
	require.NoError(w.t, err)
	return a.Account, &iam.Identity{Account: a.Account.Id, AccountName: name, Root: true, AccessKey: a.Key.Id}
}

var testSession = []byte("0123456789abcdef")

// metadata is the state machine behind Metadata, without Raft.
type metadata struct {
	t     testing.TB
	state *state.State

	mu         sync.Mutex
	index, seq uint64
	session    []byte
	onRead     func(*metapb.Query) // Called before a query is answered. May be nil.
}

func (m *metadata) must(cmd *metapb.Command) *metapb.Result {
	r, err := m.Propose(m.t.Context(), cmd)
	require.NoError(m.t, err)
	require.Equal(m.t, metapb.Refusal_REFUSAL_NONE, r.Refusal, r.Detail)
	return r
}

func (m *metadata) Propose(_ context.Context, cmd *metapb.Command) (*metapb.Result, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	cmd = proto.Clone(cmd).(*metapb.Command)
	m.index++
	if m.session != nil {
		m.seq++
		cmd.Session, cmd.Seq, cmd.Floor = m.session, m.seq, m.seq
	}
	b, err := proto.Marshal(cmd)
	require.NoError(m.t, err)
	results, err := m.state.Apply([]state.Entry{{Index: m.index, Term: 1, Command: b}})
	if err != nil {
		return nil, err
	}
	return results[0], nil
}

func (m *metadata) Read(_ context.Context, q *metapb.Query) (*metapb.Answer, error) {
	if m.onRead != nil {
		m.onRead(q)
	}
	return m.state.Query(q)
}

func (m *metadata) Topology(context.Context) (*meta.Topology, error) {
	a, err := m.state.Query(&metapb.Query{Op: &metapb.Query_View{View: &metapb.GetView{}}})
	if err != nil {
		return nil, err
	}
	return meta.NewTopology(a.View), nil
}

func (m *metadata) TopologyAtLeast(ctx context.Context, _ uint64) (*meta.Topology, error) {
	return m.Topology(ctx)
}

func (m *metadata) Members(context.Context) (*metapb.MembersResponse, error) {
	r := &metapb.MembersResponse{Leader: uint64(testNode(1)), Term: 1}
	for i := range 3 {
		r.Members = append(r.Members, &metapb.Member{Node: uint64(testNode(i + 1)), Voter: true})
	}
	return r, nil
}
