//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"
)

// TestNoKeyLeaks lets a cluster work, fail, crash and restart, and knows every key that it uses. Then
// it looks for those keys in all that the cluster has left: the files of all drives, logs at level
// debug, audit logs, metrics, profiles, support bundles, what admin commands print, and the goroutines
// of a process that died of SIGQUIT in the middle of its work. It does not look into a dump of the
// memory itself (a core), where keys in use must be.
func TestNoKeyLeaks(t *testing.T) {
	t.Parallel()
	l := &leakTest{secrets: map[string][]byte{}, bucket: "leaks"}
	audit := t.TempDir() // All nodes append to one file in it.
	root := l.secret("KMS root key", randomBytes(32))
	l.cluster = startClusterWith(t, 3, options{tls: true, domain: domain,
		flags: []string{"--log-level", "debug", "--copy-tasks", "1", "--audit-file", filepath.Join(audit, "audit.log")},
		env:   []string{"CAIRN_KMS_ROOT_KEY=" + hex.EncodeToString(root)}})
	l.out = l.path("out")
	require.NoError(t, os.Mkdir(l.out, 0o755))
	text, err := os.ReadFile(l.path("cluster.key"))
	require.NoError(t, err)
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	l.secret("cluster key", key)
	l.secret("root password", []byte(rootPassword))
	for name, size := range map[string]int{"SSE-C key": 32, "other SSE-C key": 32, "SSE-C key of 512 bits": 64} {
		l.secret(name, randomBytes(size))
	}
	ctx := t.Context()
	l.accounts(t)
	l.known(ctx, l.access, l.own)
	l.sessions(ctx, t)
	l.objects(ctx, t)
	l.mistakes(ctx, t)
	l.support(t)
	l.crash(ctx, t)
	for _, p := range l.nodes {
		l.dump(t, p)
	}
	l.killAll()
	l.openDatabases(t)

	var wanted []needle
	for name, value := range l.secrets {
		wanted = append(wanted, needles(name, value)...)
	}
	searched := int64(0)
	for _, dir := range append([]string{l.out, audit}, l.nodeDirs()...) {
		found, n := leaks(t, dir, wanted)
		searched += n
		for _, f := range found {
			t.Error(f)
		}
	}
	t.Logf("%d MiB searched for %d forms of %d secrets", searched>>20, len(wanted), len(l.secrets))
	l.planted(t, wanted)
}

type leakTest struct {
	*cluster
	bucket      string
	secrets     map[string][]byte
	access, own string
	out         string // The directory of what the test collects to be searched.
}

// secret notes a secret to look for.
func (l *leakTest) secret(name string, value []byte) []byte {
	l.secrets[name] = value
	return value
}

func (l *leakTest) customerKey(name string) *customerKey { return customerKeyOf(l.secrets[name]) }

func (l *leakTest) nodeDirs() (dirs []string) {
	for _, p := range l.nodes {
		dirs = append(dirs, p.Dir)
	}
	return dirs
}

// keep writes text into a file of its own, among what is searched.
func (l *leakTest) keep(t *testing.T, name string, text []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(l.out, name), text, 0o644))
}

// accounts makes an account with a given secret, and a user whose secret the cluster chooses.
func (l *leakTest) accounts(t *testing.T) {
	l.access, l.own = "LEAKS000000000000001", string(base64.StdEncoding.EncodeToString(randomBytes(30)))
	l.secret("account's secret", []byte(l.own))
	run := func(args ...string) []byte {
		out, err := l.cairn(args...)
		require.NoError(t, err, "%v: %s", args, out)
		return out
	}
	l.keep(t, "account-add", bytes.ReplaceAll(run("account", "add", "leaks", "--access-key", l.access, "--secret-key", l.own), []byte(l.own), nil))
	run("user", "add", "alice", "--account", "leaks")
	run("policy", "attach", "readwrite", "--user", "alice", "--account", "leaks")
	var made struct {
		SecretKey string `json:"secret_key"`
	}
	out := run("accesskey", "add", "--account", "leaks", "--user", "alice", "-o", "json")
	require.NoError(t, json.Unmarshal(out, &made), "%s", out)
	require.Len(t, made.SecretKey, 40, "%s", out)
	l.secret("user's secret", []byte(made.SecretKey))
	run("kms", "key", "create", "--account", "leaks", "--alias", "leaks")
	for i, args := range [][]string{{"account", "list"}, {"user", "list", "--account", "leaks"}, {"accesskey", "list", "--account", "leaks"},
		{"accesskey", "show", l.access}, {"kms", "key", "list", "--account", "leaks"}, {"config", "list"}, {"status"}} {
		l.keep(t, "admin-"+strconv.Itoa(i), run(append(args, "-o", "json")...))
	}
}

// sessions gets temporary credentials and uses them.
func (l *leakTest) sessions(ctx context.Context, t *testing.T) {
	const form = "Action=GetSessionToken&Version=2011-06-15"
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, l.nodes[1].Endpoint()+"/", strings.NewReader(form))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	sum := sha256Hex([]byte(form))
	require.NoError(t, v4.NewSigner().SignHTTP(ctx, aws.Credentials{AccessKeyID: l.access, SecretAccessKey: l.own}, r, sum, "sts", "us-east-1", time.Now()))
	resp, err := l.http.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	var doc struct {
		Access string `xml:"GetSessionTokenResult>Credentials>AccessKeyId"`
		Secret string `xml:"GetSessionTokenResult>Credentials>SecretAccessKey"`
		Token  string `xml:"GetSessionTokenResult>Credentials>SessionToken"`
	}
	require.NoError(t, xml.Unmarshal(body, &doc))
	require.NotEmpty(t, doc.Secret, "%s", body)
	l.secret("session's secret", []byte(doc.Secret))
	l.secret("session token", []byte(doc.Token))
	creds := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: doc.Access, SecretAccessKey: doc.Secret, SessionToken: doc.Token}, nil
	})
	c := s3.New(s3.Options{Region: "us-east-1", Credentials: creds, UsePathStyle: true, BaseEndpoint: aws.String(l.nodes[2].Endpoint()), HTTPClient: l.http})
	_, err = c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &l.bucket})
	require.NoError(t, err)
}

func (l *leakTest) client(i int) *s3.Client {
	return clientAs(l.nodes[i%len(l.nodes)], l.access, l.own)
}

// objects puts, reads and copies with every kind of encryption.
func (l *leakTest) objects(ctx context.Context, t *testing.T) {
	names := []string{"", "SSE-C key", "other SSE-C key", "SSE-C key of 512 bits"}
	var sources []*object
	for i, name := range names {
		for _, size := range []int{1000, 9 << 20} {
			o := &object{key: fmt.Sprintf("source-%d-%d", i, size), data: randomBytes(size)}
			if name != "" {
				o.sse = l.customerKey(name)
			}
			require.NoError(t, put(ctx, l.client(i), l.bucket, o))
			require.NoError(t, o.get(ctx, l.client(i+1), l.bucket))
			sources = append(sources, o)
		}
	}
	for _, sse := range []types.ServerSideEncryption{types.ServerSideEncryptionAes256, types.ServerSideEncryptionAwsKms} {
		for _, kms := range []*string{nil, aws.String("alias/leaks")} {
			if kms != nil && sse == types.ServerSideEncryptionAes256 {
				continue
			}
			_, err := l.client(0).PutObject(ctx, &s3.PutObjectInput{Bucket: &l.bucket, Key: aws.String("managed"), ServerSideEncryption: sse,
				SSEKMSKeyId: kms, Body: bytes.NewReader(randomBytes(3 << 20))})
			require.NoError(t, err)
		}
	}
	for i, name := range names {
		var key *customerKey
		if name != "" {
			key = l.customerKey(name)
		}
		up, err := createUpload(ctx, l.client(i), l.bucket, "target-"+strconv.Itoa(i), key)
		require.NoError(t, err)
		require.NoError(t, up.put(ctx, l.client(i), randomBytes(5<<20)))
		for n, src := range sources {
			if len(src.data) > 5<<20 {
				require.NoError(t, up.copy(ctx, l.client(i+n), src, 77, len(src.data)-1))
			}
		}
		o, err := up.complete(ctx, l.client(i+2))
		require.NoError(t, err)
		require.NoError(t, o.get(ctx, l.client(i+1), l.bucket))
	}
}

// mistakes makes the mistakes that people make with keys. The answers are searched, too.
func (l *leakTest) mistakes(ctx context.Context, t *testing.T) {
	other := l.customerKey("other SSE-C key")
	raw := l.secrets["other SSE-C key"]
	object := "/" + l.bucket + "/source-1-1000"
	inQuery := "?x-amz-server-side-encryption-customer-algorithm=AES256&x-amz-server-side-encryption-customer-key=" + url.QueryEscape(*other.key)
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	const customerHeader = "X-Amz-Server-Side-Encryption-Customer-Key"
	for i, m := range []struct {
		method, path string
		key          *customerKey
		before       func(*http.Request) // Changes the request before it is signed.
		after        func(*http.Request)
	}{
		{method: "GET", path: object, key: other}, // A key that is not this object's.
		{method: "HEAD", path: object, key: other},
		{method: "GET", path: object}, // No key.
		{method: "PUT", path: object, key: &customerKey{other.key, l.customerKey("SSE-C key").md5}},
		{method: "PUT", path: object, key: customerKeyOf(raw[:31])}, // A key that is too short.
		{method: "PUT", path: object, key: &customerKey{aws.String("!" + *other.key), other.md5}},
		{method: "PUT", path: object, key: &customerKey{aws.String(hex.EncodeToString(raw)), other.md5}},
		{method: "PUT", path: object, before: set(customerHeader, *other.key)}, // A key without the other headers.
		{method: "GET", path: object + inQuery},                                // A key in the query, where some sign it.
		{method: "POST", path: object + inQuery + "&nonsense"},
		{method: "GET", path: object, key: other, after: set("Authorization", "AWS "+l.access+":"+l.own)}, // The secret for a signature.
		{method: "GET", path: object, after: set("Authorization", l.own)},
		{method: "GET", path: object, after: set("X-Amz-Security-Token", string(l.secrets["session token"]))},
		{method: "PUT", path: object, key: other, after: set("X-Amz-Date", "never")},
		{method: "PUT", path: "/" + l.bucket + "/target?partNumber=1&uploadId=none", key: other},
		{method: "PUT", path: "/no-such-bucket-leaks/x", key: other},
		{method: "POST", path: "/" + l.bucket + "/x?uploads", key: &customerKey{aws.String(*other.key + "="), other.md5}},
	} {
		var body io.Reader
		if m.method == "PUT" {
			body = strings.NewReader("body")
		}
		r, err := http.NewRequestWithContext(ctx, m.method, l.nodes[i%len(l.nodes)].Endpoint()+m.path, body)
		require.NoError(t, err)
		if m.before != nil {
			m.before(r)
		}
		l.sign(ctx, r, m.key, l.own)
		if m.after != nil {
			m.after(r)
		}
		resp, err := l.http.Do(r)
		require.NoError(t, err)
		answer, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		require.NoError(t, err)
		require.GreaterOrEqual(t, resp.StatusCode, 400, "mistake %d: %s %s", i, m.method, m.path)
		l.keep(t, fmt.Sprintf("answer-%d", i), fmt.Appendf(nil, "%d %v\n%s", resp.StatusCode, resp.Header, answer))
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, l.nodes[0].Endpoint()+object, nil)
	require.NoError(t, err)
	l.sign(ctx, r, nil, l.own+"x") // The secret is a wrong one.
	resp, err := l.http.Do(r)
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusForbidden, resp.StatusCode)
}
