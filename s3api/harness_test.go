package s3api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/shardtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testAccessKey = "AKIATEST"
	testSecret    = "secret-of-test"
	testAccount   = "account-1"
)

// harness is a world of one account, which makes all requests, and a bucket of it.
type harness struct {
	*world
	owner *person

	mu   sync.Mutex
	told *sync.Cond // A request was done.
	done []RequestDone
}

// newTLSHarness is newHarness over TLS and, if http2 is set, HTTP/2.
func newTLSHarness(t *testing.T, http2 bool, options ...func(*Config)) *harness {
	return startHarness(t, overTLS(http2), options...)
}

// newHarness starts a server; options change its configuration before.
func newHarness(t *testing.T, options ...func(*Config)) *harness {
	return startHarness(t, (*httptest.Server).Start, options...)
}

func startHarness(t testing.TB, start func(*httptest.Server), options ...func(*Config)) *harness {
	h := &harness{owner: &person{accessKey: testAccessKey, secret: testSecret, account: testAccount}}
	h.told = sync.NewCond(&h.mu)
	h.world = startWorld(t, start, append([]func(*Config){func(c *Config) { c.Events.RequestDone = h.note }}, options...)...)
	_, _, err := h.admin.AddAccount(t.Context(), iam.AccountSpec{Name: "one", ID: testAccount, AccessKey: testAccessKey, Secret: testSecret})
	require.NoError(t, err)
	_, err = h.objects.CreateBucket(t.Context(), object.Caller{Account: testAccount, DisplayName: "one"}, "bkt", "us-east-1", nil)
	require.NoError(t, err)
	return h
}

func (h *harness) note(_ context.Context, d RequestDone) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done = append(h.done, d)
	h.told.Broadcast()
}

// events returns what happened so far.
func (h *harness) events() []RequestDone {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]RequestDone(nil), h.done...)
}

// ended waits until a request of an operation has ended, in whatever way, and returns
// what is told of the first one.
func (h *harness) ended(operation string) RequestDone {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		for _, d := range h.done {
			if d.Operation == operation {
				return d
			}
		}
		h.told.Wait()
	}
}

// forget drops what is told of requests so far.
func (h *harness) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done = nil
}

// has reports whether there is an object.
func (h *harness) has(bucket, key string) bool {
	_, err := h.objects.Get(h.t.Context(), &object.GetInput{Bucket: bucket, Key: key, Head: true})
	if err != nil {
		require.Equal(h.t, s3err.NoSuchKey, s3err.FromError(err).Code)
	}
	return err == nil
}

// extents returns the extents of an object.
func (h *harness) extents(key string) (ids []shard.ExtentID) {
	a, err := h.meta.Read(h.t.Context(), &metapb.Query{Op: &metapb.Query_Object{Object: &metapb.GetObject{Bucket: "bkt", Key: key, MaxRefs: 1000}}})
	require.NoError(h.t, err)
	for _, p := range a.Object.Content.Pieces {
		ids = append(ids, shard.ExtentID{Volume: shard.VolumeID(p.Ref.Volume), Seq: p.Ref.Seq})
	}
	return ids
}

// hold makes the drives wait at a call for the shards of an extent, of any where x is
// zero, until release is called or, where it has one, the call's context ends. reached
// is closed at the first such call.
func (h *harness) hold(call shardtest.Call, x shard.ExtentID) (reached <-chan struct{}, release func()) {
	first, once := make(chan struct{}), sync.Once{}
	for _, d := range h.drives {
		d.Set(func(c shardtest.Call, _ int, id shard.ID) shardtest.Fault {
			if c != call || x != (shard.ExtentID{}) && id.Extent != x {
				return shardtest.Fault{}
			}
			once.Do(func() { close(first) })
			return shardtest.Fault{Hang: true}
		})
	}
	return first, h.heal
}

// lose makes the shards of an extent unreadable; of all where x is zero.
func (h *harness) lose(x shard.ExtentID) {
	for _, d := range h.drives {
		d.Set(func(c shardtest.Call, _ int, id shard.ID) shardtest.Fault {
			if c == shardtest.CallOpen && (x == (shard.ExtentID{}) || id.Extent == x) {
				return shardtest.Fault{Err: errs.Newf("test", errs.Unavailable, "the drive is gone")}
			}
			return shardtest.Fault{}
		})
	}
}

// heal ends what hold and lose began.
func (h *harness) heal() {
	for _, d := range h.drives {
		d.Heal()
	}
}

// sdk returns a client of the AWS SDK.
func (h *harness) sdk(options ...func(*s3.Options)) *s3.Client {
	return s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(h.server.URL), UsePathStyle: true, HTTPClient: h.client,
		RetryMaxAttempts: 1, Credentials: h.owner.credentials(),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
	}, options...)
}

func (p *person) credentials() aws.CredentialsProviderFunc {
	return func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: p.accessKey, SecretAccessKey: p.secret}, nil
	}
}

// reply is an answer, read to its end.
type reply struct {
	*http.Response
	body string
	err  error // Of reading the body.
}

// code returns the <Code> of an error document.
func (r reply) code() string { return element(r.body, "Code") }

func element(doc, name string) string {
	_, rest, _ := strings.Cut(doc, "<"+name+">")
	text, _, _ := strings.Cut(rest, "</"+name+">")
	return text
}

// request makes a request of the account; headers come as "Name: value".
func (h *harness) request(method, path, body string, headers ...string) *http.Request {
	h.t.Helper()
	return h.signed(h.owner, method, path, body, headers...)
}

func (h *harness) do(method, path, body string, headers ...string) reply {
	h.t.Helper()
	return h.send(h.request(method, path, body, headers...))
}

// put stores an object.
func (h *harness) put(key, body string, headers ...string) reply {
	h.t.Helper()
	r := h.do("PUT", "/bkt/"+key, body, headers...)
	require.Equal(h.t, 200, r.StatusCode, r.body)
	return r
}

func unescape(t *testing.T, s string) string {
	u, err := url.QueryUnescape(s)
	require.NoError(t, err)
	return u
}
