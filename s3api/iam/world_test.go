package iam

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/state"
	"github.com/cairnstore/cairn/s3api/policy"
	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/sigauth"
)

func TestMain(m *testing.M) {
	effort.LessenRapid()
	goleak.VerifyTestMain(m)
}

// metaClient is metadata of one replica: the state machine without Raft.
type metaClient struct {
	t     testing.TB
	fs    vfs.FS
	state *state.State

	mu     sync.Mutex
	index  uint64
	before func() // Called once, before the next proposal.

	onRead func(q *metapb.Query) error // Called before each query, which fails with its error. May be nil.
}

func (c *metaClient) open() {
	st, err := state.Open(state.Options{FS: c.fs, Dir: "meta", CacheBytes: 1 << 20})
	require.NoError(c.t, err)
	c.state = st
}

// reopen makes another leader, which remembers no changes. Nothing may be in progress.
func (c *metaClient) reopen() {
	require.NoError(c.t, c.state.Close())
	c.open()
}

// Propose implements meta.Client.
func (c *metaClient) Propose(_ context.Context, cmd *metapb.Command) (*metapb.Result, error) {
	c.mu.Lock()
	before := c.before
	c.before = nil
	c.mu.Unlock()
	if before != nil {
		before()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.index++
	cmd = proto.Clone(cmd).(*metapb.Command)
	cmd.Session, cmd.Seq, cmd.Floor = testSession, c.index, c.index
	b, err := proto.Marshal(cmd)
	require.NoError(c.t, err)
	results, err := c.state.Apply([]state.Entry{{Index: c.index, Term: 1, Command: b}})
	if err != nil {
		return nil, err
	}
	return results[0], nil
}

// Read implements meta.Client.
func (c *metaClient) Read(_ context.Context, q *metapb.Query) (*metapb.Answer, error) {
	c.mu.Lock()
	f := c.onRead
	c.mu.Unlock()
	if f != nil {
		if err := f(q); err != nil {
			return nil, err
		}
	}
	return c.state.Query(q)
}

// reading has f called before each query.
func (c *metaClient) reading(f func(q *metapb.Query) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onRead = f
}

// world is the part of a cluster that this package sees; admin and keys belong to one node.
type world struct {
	t       testing.TB
	meta    *metaClient
	dir     *Directory
	keys    *Keys
	admin   *Admin
	sts     *STS
	buckets map[string]bool // Accounts that own some.

	policies []*policy.Policy // Of the buckets of every account.
}

const (
	rootUser     = "root-user"
	rootPassword = "root-password"
)

var testSession = []byte("0123456789abcdef")

var testKey = [SecretKeyBytes]byte{1, 2, 3}

func newWorld(t testing.TB) *world {
	t.Helper()
	c := &metaClient{t: t, fs: vfs.NewMem()}
	c.open()
	t.Cleanup(func() { require.NoError(t, c.state.Close()) })
	_, err := c.Propose(t.Context(), &metapb.Command{Op: &metapb.Command_OpenSession{
		OpenSession: &metapb.OpenSession{Node: 1, Session: testSession}}})
	require.NoError(t, err)
	return newNode(t, c, testKey, rootPassword)
}

// newNode returns a node of a cluster.
func newNode(t testing.TB, c *metaClient, key [SecretKeyBytes]byte, password string) *world {
	t.Helper()
	w := &world{t: t, meta: c, dir: NewDirectory(c), buckets: map[string]bool{}}
	require.NoError(t, w.dir.Refresh(t.Context()))
	w.keys = NewKeys(KeysConfig{Directory: w.dir, SecretKey: key, RootUser: rootUser, RootPassword: password})
	w.admin = NewAdmin(AdminConfig{Directory: w.dir, Keys: w.keys, CheckSetting: profile.Check,
		HasBuckets:     func(_ context.Context, account string) (bool, error) { return w.buckets[account], nil },
		BucketPolicies: func(context.Context, string) ([]*policy.Policy, error) { return w.policies, nil }})
	w.sts = NewSTS(w.dir, w.keys)
	return w
}

// peer returns another node of the cluster.
func (w *world) peer() *world { return newNode(w.t, w.meta, testKey, rootPassword) }

func (w *world) account(name string) (*metapb.Account, *NewKey) {
	w.t.Helper()
	a, k, err := w.admin.AddAccount(w.t.Context(), AccountSpec{Name: name})
	require.NoError(w.t, err)
	return a, k
}

// user makes a user with a key and policies.
func (w *world) user(account, name string, policies ...string) (*metapb.User, *NewKey) {
	w.t.Helper()
	u, err := w.admin.AddUser(w.t.Context(), account, name)
	require.NoError(w.t, err)
	for _, p := range policies {
		require.NoError(w.t, w.admin.AttachPolicy(w.t.Context(), account, Holder{HolderUser, name}, p))
	}
	k, err := w.admin.AddKey(w.t.Context(), KeySpec{Account: account, User: name})
	require.NoError(w.t, err)
	return u, k
}

// lookup returns the identity of an access key, or the kind of the error.
func (w *world) lookup(accessKey, token string) (*Identity, error) {
	c, err := w.keys.Lookup(w.t.Context(), accessKey, token)
	if err != nil {
		require.Equal(w.t, sigauth.Credential{}, c)
		return nil, err
	}
	require.Equal(w.t, accessKey, c.AccessKey)
	require.NotEmpty(w.t, c.Secret)
	return c.Subject.(*Identity), nil
}

// identity is lookup of a key that must be good.
func (w *world) identity(accessKey, token string) *Identity {
	w.t.Helper()
	id, err := w.lookup(accessKey, token)
	require.NoError(w.t, err)
	return id
}

func (w *world) refused(kind errs.Kind, accessKey, token string) {
	w.t.Helper()
	_, err := w.lookup(accessKey, token)
	requireKind(w.t, kind, err)
}

// requireKind checks the kind of an error, and that its message is a sentence.
func requireKind(t testing.TB, kind errs.Kind, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, kind, errs.KindOf(err), "%v", err)
	var e *errs.Error
	require.True(t, errors.As(err, &e) && e.Cause != nil, "%v says nothing", err)
}
