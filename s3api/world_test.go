package s3api

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/state"
	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/kms"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/sigauth"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/buf"
	"github.com/cairnstore/cairn/shard/shardtest"
	"github.com/cairnstore/cairn/shard/stripe"
)

// world is a node as its clients see it: the handlers over the real object service,
// directory, key service and state machine, without Raft and with drives in memory,
// which fail and hang on demand.
type world struct {
	t        testing.TB
	meta     *metadata
	access   *Access
	drives   map[cluster.DriveID]*shardtest.Faulty
	objects  *object.Service
	dir      *iam.Directory
	admin    *iam.Admin
	sts      *iam.STS
	keys     *iam.Keys
	kms      *kms.Service
	verifier *sigauth.Verifier
	server   *httptest.Server
	client   *http.Client
	opened   atomic.Int32 // Connections.

	root      *person // Of the cluster.
	powerless *person // Of strangersWorld.
}

// person is who signs requests. Nil is anonymous.
type person struct {
	accessKey, secret, token string
	account                  string // Id.
}

const (
	worldDomain = "s3.test"
	worldDrives = 6
	// worldExtentBytes is small, so that an object of several extents, whose reading may
	// fail or wait in the middle, is cheap.
	worldExtentBytes = 128 << 10
)

// newWorld starts a node; options change its configuration before.
func newWorld(t testing.TB, options ...func(*Config)) *world {
	return startWorld(t, (*httptest.Server).Start, options...)
}

// overTLS starts a server over TLS and, if http2 is set, HTTP/2.
func overTLS(http2 bool) func(*httptest.Server) {
	return func(s *httptest.Server) {
		s.EnableHTTP2 = http2
		s.Config.Protocols.SetHTTP2(http2)
		s.StartTLS()
	}
}

// startWorld is newWorld with a server that start starts.
func startWorld(t testing.TB, start func(*httptest.Server), options ...func(*Config)) *world {
	st, err := state.Open(state.Options{FS: vfs.NewMem(), Dir: "meta", CacheBytes: 1 << 20})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	w := &world{t: t, meta: newMetadata(t, st), root: &person{accessKey: "root", secret: "root-password", account: iam.RootAccount}}
	w.dir = iam.NewDirectory(w.meta)
	require.NoError(t, w.dir.Refresh(t.Context()))
	w.keys = iam.NewKeys(iam.KeysConfig{Directory: w.dir, RootUser: w.root.accessKey, RootPassword: w.root.secret})
	w.admin = iam.NewAdmin(iam.AdminConfig{Directory: w.dir, Keys: w.keys, CheckSetting: profile.Check,
		HasBuckets: func(context.Context, string) (bool, error) { return false, nil }})
	w.sts = iam.NewSTS(w.dir, w.keys)
	w.kms = kms.New(w.dir, kms.Config{Region: "us-east-1", Root: kms.DeriveRootKey([]byte("a seed of the key service in tests")), MinDeletionDays: -1})
	t.Cleanup(w.kms.Close)

	cfg := Config{
		Caller: worldCaller, Access: &Access{Buckets: w.dir.Buckets(w.meta), Authorizer: iam.NewAuthorizer(w.dir)},
		Keys: KeyErrors(w.kms), KeyName: func(id string) string { return "name-of-" + id },
		Domains: []string{worldDomain}, HostID: "node-1", SSECAllowed: func(*http.Request) bool { return true },
	}
	for _, option := range options {
		option(&cfg)
	}
	cfg.Verifier = sigauth.New(sigauth.Config{Keys: w.keys, HostBucket: HostBucket(cfg.Domains)})
	w.verifier = cfg.Verifier
	cfg.STS = iam.NewSTSHandler(iam.STSConfig{STS: w.sts, Verifier: cfg.Verifier, Conditions: Facts(nil)})
	w.access = cfg.Access
	cfg = cfg.withDefaults()
	w.objects = w.openObjects(cfg)
	cfg.Objects = w.objects
	w.server = httptest.NewUnstartedServer(nil)
	w.server.Config = NewHTTPServer(New(cfg), nil, cfg.Limits, Events{ServerError: func(m string) { t.Log(m) }})
	w.server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			w.opened.Add(1)
		}
	}
	start(w.server)
	w.client = w.server.Client()
	w.client.Transport.(*http.Transport).DisableCompression = true
	t.Cleanup(func() {
		w.client.CloseIdleConnections()
		w.server.Close()
	})
	return w
}

func (w *world) openObjects(cfg Config) *object.Service {
	w.drives = map[cluster.DriveID]*shardtest.Faulty{}
	for i := range uint64(worldDrives) {
		w.drives[cluster.DriveID(100+i)] = shardtest.NewFaulty(shardtest.NewMemory())
		w.meta.must(&metapb.Command{Op: &metapb.Command_RegisterNode{RegisterNode: &metapb.RegisterNode{
			Node: &metapb.Node{Id: 1 + i, Drives: []*metapb.Drive{{Id: 100 + i, CapacityBytes: 1 << 40}}}}}})
	}
	engine := stripe.New(stripe.Config{Pool: buf.New(buf.Config{}),
		Stores: func(id cluster.DriveID) (shard.Store, error) { return w.drives[id], nil }})
	w.t.Cleanup(engine.Close)
	return object.New(object.Deps{Meta: w.dir.Watch(w.meta), Topology: w.meta, Engine: engine, Keys: cfg.Keys},
		object.Config{BudgetBytes: 64 << 20, ExtentMaxBytes: worldExtentBytes, Knobs: func() object.Knobs {
			k := object.KnobsOf(cfg.Profile())
			k.MinPartBytes = 1
			return k
		}}, object.Events{})
}

// worldCaller is Config.Caller, as a node has it.
func worldCaller(c sigauth.Credential) (object.Caller, *iam.Identity) {
	id := c.Subject.(*iam.Identity)
	return object.Caller{Account: id.Account, DisplayName: id.AccountName, User: id.Initiator()}, id
}

// metadata is metadata of one replica: the state machine without Raft.
type metadata struct {
	t     testing.TB
	state *state.State

	mu       sync.Mutex
	index    uint64
	topology *meta.Topology
	before   func(*metapb.Command) error

	bucketReads atomic.Int64 // Questions for a bucket, but for what it holds.
}

var metadataSession = []byte("0123456789abcdef")

func newMetadata(t testing.TB, st *state.State) *metadata {
	c := &metadata{t: t, state: st}
	c.must(&metapb.Command{Op: &metapb.Command_OpenSession{OpenSession: &metapb.OpenSession{Node: 1, Session: metadataSession}}})
	c.must(&metapb.Command{Op: &metapb.Command_FormCluster{FormCluster: &metapb.FormCluster{Id: "test"}}})
	return c
}

func (c *metadata) must(cmd *metapb.Command) {
	r, err := c.Propose(c.t.Context(), cmd)
	require.NoError(c.t, err)
	require.Equal(c.t, metapb.Refusal_REFUSAL_NONE, r.Refusal, r.Detail)
}

// interpose makes f run before each command is applied: it may wait, and an error of it
// is the command's, which is not applied then. Nil: nothing runs before.
func (c *metadata) interpose(f func(*metapb.Command) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.before = f
}

// Propose implements meta.Client.
func (c *metadata) Propose(_ context.Context, cmd *metapb.Command) (*metapb.Result, error) {
	c.mu.Lock()
	before := c.before
	c.mu.Unlock()
	if before != nil {
		if err := before(cmd); err != nil {
			return nil, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.index++
	cmd = proto.CloneOf(cmd)
	cmd.Session, cmd.Seq, cmd.Floor, cmd.TimeMs = metadataSession, c.index, c.index, time.Now().UnixMilli()
	b, err := proto.Marshal(cmd)
	if err != nil {
		return nil, err
	}
	results, err := c.state.Apply([]state.Entry{{Index: c.index, Term: 1, Command: b}})
	if err != nil {
		return nil, err
	}
	return results[0], nil
}

// Read implements meta.Client.
func (c *metadata) Read(_ context.Context, q *metapb.Query) (*metapb.Answer, error) {
	if b := q.GetBucket(); b != nil && !b.WithUsage {
		c.bucketReads.Add(1)
	}
	return c.state.Query(q)
}

// Topology implements object.Topology.
func (c *metadata) Topology(context.Context) (*meta.Topology, error) {
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

// account makes an account and returns its root.
func (w *world) account(name string) *person {
	w.t.Helper()
	a, k, err := w.admin.AddAccount(w.t.Context(), iam.AccountSpec{Name: name})
	require.NoError(w.t, err)
	return &person{accessKey: k.ID, secret: k.Secret, account: a.Id}
}

// user makes a user of an account with policies: names of built-in ones, or
// documents.
func (w *world) user(of *person, name string, policies ...string) *person {
	w.t.Helper()
	_, err := w.admin.AddUser(w.t.Context(), of.account, name)
	require.NoError(w.t, err)
	for _, p := range policies {
		if strings.HasPrefix(p, "{") {
			require.NoError(w.t, w.admin.AddPolicy(w.t.Context(), of.account, name+"s-own", p))
			p = name + "s-own"
		}
		require.NoError(w.t, w.admin.AttachPolicy(w.t.Context(), of.account, iam.Holder{Kind: iam.HolderUser, Name: name}, p))
	}
	k, err := w.admin.AddKey(w.t.Context(), iam.KeySpec{Account: of.account, User: name})
	require.NoError(w.t, err)
	return &person{accessKey: k.ID, secret: k.Secret, account: of.account}
}

// session returns a person with temporary credentials of its own.
func (w *world) session(p *person) *person {
	w.t.Helper()
	c, err := w.keys.Lookup(w.t.Context(), p.accessKey, "")
	require.NoError(w.t, err)
	s, err := w.sts.SessionToken(w.t.Context(), c.Subject.(*iam.Identity), 0)
	require.NoError(w.t, err)
	return &person{accessKey: s.AccessKey, secret: s.Secret, token: s.Token, account: p.account}
}

// request makes a request that is not signed; headers come as "Name: value".
func (w *world) request(method, path, body string, headers ...string) *http.Request {
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL, nil)
	require.NoError(w.t, err)
	p, query, _ := strings.Cut(path, "?")
	r.URL.Opaque, r.URL.RawQuery = "//"+r.URL.Host+p, query
	if body != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		if name == "Host" {
			r.Host, r.URL.Opaque = value, "//"+value+p
			continue
		}
		r.Header.Add(name, value)
	}
	return r
}

// signed makes a request signed by a person with V4.
func (w *world) signed(p *person, method, path, body string, headers ...string) *http.Request {
	w.t.Helper()
	r := w.request(method, path, body, headers...)
	if p == nil {
		return r
	}
	hash := r.Header.Get("X-Amz-Content-Sha256") // Of another form of body.
	if hash == "" {
		sum := sha256.Sum256([]byte(body))
		hash = hex.EncodeToString(sum[:])
		r.Header.Set("X-Amz-Content-Sha256", hash)
	}
	w.sign(p, r, hash)
	return r
}

// unsignedPayload says that the body is not signed.
const unsignedPayload = "UNSIGNED-PAYLOAD"

// sign signs a request with V4.
func (w *world) sign(p *person, r *http.Request, hash string) {
	w.t.Helper()
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	credentials := aws.Credentials{AccessKeyID: p.accessKey, SecretAccessKey: p.secret, SessionToken: p.token}
	require.NoError(w.t, signer.SignHTTP(w.t.Context(), credentials, r, hash, "s3", "us-east-1", time.Now()))
}

// as sends a signed request.
func (w *world) as(p *person, method, path, body string, headers ...string) reply {
	w.t.Helper()
	return w.send(w.signed(p, method, path, body, headers...))
}

// asOBS is as with the signature of OBS: of the path and all of the query, and of those
// x-obs- headers that come in small letters and in order.
func (w *world) asOBS(p *person, method, path, body string, headers ...string) reply {
	w.t.Helper()
	r := w.request(method, path, body, headers...)
	r.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	text := method + "\n" + r.Header.Get("Content-MD5") + "\n" + r.Header.Get("Content-Type") + "\n" + r.Header.Get("Date") + "\n"
	for _, line := range headers {
		if name, value, _ := strings.Cut(line, ": "); strings.HasPrefix(name, "x-obs-") {
			text += name + ":" + value + "\n"
		}
	}
	mac := hmac.New(sha1.New, []byte(p.secret))
	_, _ = io.WriteString(mac, text+path)
	r.Header.Set("Authorization", "OBS "+p.accessKey+":"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return w.send(r)
}

func (w *world) send(r *http.Request) reply {
	w.t.Helper()
	resp, err := w.client.Do(r)
	require.NoError(w.t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return reply{resp, string(body), err}
}

// ok is as of what must succeed.
func (w *world) ok(p *person, method, path, body string, headers ...string) reply {
	w.t.Helper()
	r := w.as(p, method, path, body, headers...)
	require.Less(w.t, r.StatusCode, 300, "%s %s: %s", method, path, r.body)
	return r
}

// refused is as of what must fail with a code, which a HEAD does not tell.
func (w *world) refused(code string, p *person, method, path, body string, headers ...string) reply {
	w.t.Helper()
	r := w.as(p, method, path, body, headers...)
	require.Equal(w.t, code, r.code(), "%s %s: %d %s", method, path, r.StatusCode, r.body)
	return r
}

// statements is a policy of statements.
func statements(list ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(list, ",") + `]}`
}
