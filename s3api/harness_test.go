package s3api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/sigauth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testAccessKey = "AKIATEST"
	testSecret    = "secret-of-test"
	testAccount   = "account-1"
)

type testKeys struct{}

func (testKeys) Lookup(_ context.Context, accessKey, token string) (sigauth.Credential, error) {
	if token != "" {
		return sigauth.Credential{}, errs.New("test", errs.Denied, nil)
	}
	switch accessKey {
	case testAccessKey, "AKIAOTHER":
		return sigauth.Credential{AccessKey: accessKey, Secret: testSecret, Subject: accessKey}, nil
	}
	return sigauth.Credential{}, errs.New("test", errs.NotFound, nil)
}

func testCaller(c sigauth.Credential) (object.Caller, *iam.Identity) {
	if c.Subject == testAccessKey {
		return object.Caller{Account: testAccount, DisplayName: "one", User: testAccount}, nil
	}
	return object.Caller{Account: "account-2", DisplayName: "two", User: "account-2"}, nil
}

// testOwner is who the test's access key stands for.
var testOwner, _ = testCaller(sigauth.Credential{Subject: testAccessKey})

// harness is a server of the handlers over fakeObjects.
type harness struct {
	t       testing.TB
	objects *fakeObjects
	server  *httptest.Server
	client  *http.Client
	opened  atomic.Int32 // Connections.

	mu   sync.Mutex
	done []RequestDone
}

// newTLSHarness is newHarness over TLS and, if http2 is set, HTTP/2.
func newTLSHarness(t *testing.T, http2 bool, options ...func(*Config)) *harness {
	return startHarness(t, func(s *httptest.Server) {
		s.EnableHTTP2 = http2
		s.Config.Protocols.SetHTTP2(http2)
		s.StartTLS()
	}, options...)
}

// newHarness starts a server; options change its configuration before.
func newHarness(t *testing.T, options ...func(*Config)) *harness {
	return startHarness(t, (*httptest.Server).Start, options...)
}

func startHarness(t *testing.T, start func(*httptest.Server), options ...func(*Config)) *harness {
	h := &harness{t: t, objects: newFakeObjects()}
	cfg := Config{
		Objects: h.objects, Verifier: sigauth.New(sigauth.Config{Keys: testKeys{}}), Caller: testCaller, Unguarded: true,
		HostID: "node-1", SSECAllowed: func(*http.Request) bool { return true },
		Events: Events{RequestDone: func(_ context.Context, d RequestDone) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.done = append(h.done, d)
		}},
	}
	for _, option := range options {
		option(&cfg)
	}
	h.server = httptest.NewUnstartedServer(nil)
	h.server.Config = NewHTTPServer(New(cfg), nil, cfg.Limits, Events{ServerError: func(m string) { t.Log(m) }})
	h.server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			h.opened.Add(1)
		}
	}
	start(h.server)
	h.client = h.server.Client()
	h.client.Transport.(*http.Transport).DisableCompression = true
	t.Cleanup(func() {
		h.client.CloseIdleConnections()
		h.server.Close()
	})
	_, _ = h.objects.CreateBucket(t.Context(), testOwner, "bkt", "us-east-1", nil)
	return h
}

// events returns what happened so far.
func (h *harness) events() []RequestDone {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]RequestDone(nil), h.done...)
}

// sdk returns a client of the AWS SDK.
func (h *harness) sdk(options ...func(*s3.Options)) *s3.Client {
	return s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(h.server.URL), UsePathStyle: true, HTTPClient: h.client,
		RetryMaxAttempts: 1, Credentials: testCredentials(testAccessKey),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
	}, options...)
}

func testCredentials(accessKey string) aws.CredentialsProviderFunc {
	return func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: testSecret}, nil
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

// request makes a signed request; headers come as "Name: value".
func (h *harness) request(method, path, body string, headers ...string) *http.Request {
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.server.URL, nil)
	require.NoError(h.t, err)
	p, query, _ := strings.Cut(path, "?")
	r.URL.Opaque = "//" + r.URL.Host + p // An absolute URI, as it stands: not cleaned, not encoded again.
	r.URL.RawQuery = query
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
	h.sign(r, []byte(body))
	return r
}

func (h *harness) sign(r *http.Request, body []byte) {
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	if v := r.Header.Get("X-Amz-Content-Sha256"); v != "" {
		hash = v
	}
	r.Header.Set("X-Amz-Content-Sha256", hash)
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	credentials := aws.Credentials{AccessKeyID: testAccessKey, SecretAccessKey: testSecret}
	require.NoError(h.t, signer.SignHTTP(h.t.Context(), credentials, r, hash, "s3", "us-east-1", time.Now()))
}

// send sends a request and reads the answer.
func (h *harness) send(r *http.Request) reply {
	resp, err := h.client.Do(r)
	require.NoError(h.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return reply{resp, string(body), err}
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
