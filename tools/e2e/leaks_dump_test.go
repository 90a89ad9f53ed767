//go:build e2e

package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/cockroachdb/pebble/v2"
	"github.com/stretchr/testify/require"

	nodes "github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/identity"
	"github.com/cairnstore/cairn/meta/keys"
)

// crash takes the profiles of a process while it copies from one customer's key to another and receives
// an object under a third. Then it ends the process by SIGQUIT, and restarts the cluster.
func (l *leakTest) crash(ctx context.Context, t *testing.T) {
	p := l.nodes[0]
	busy, stop := context.WithCancel(ctx)
	var working sync.WaitGroup
	defer working.Wait()
	defer stop()
	big := &object{key: "big", data: randomBytes(96 << 20), sse: l.customerKey("SSE-C key")}
	require.NoError(t, put(ctx, l.client(0), l.bucket, big))
	up, err := createUpload(ctx, l.client(0), l.bucket, "crashed", l.customerKey("other SSE-C key"))
	require.NoError(t, err)
	begun := make(chan struct{})
	slow := &stalling{data: randomBytes(8 << 20), begun: begun, gone: busy.Done()}
	working.Go(func() { _ = l.stalledPut(busy, p, slow) })
	for range 3 {
		one := &upload{bucket: up.bucket, key: up.key, id: up.id, sse: up.sse}
		working.Go(func() {
			for busy.Err() == nil {
				one.parts, one.data = nil, nil
				_ = one.copy(busy, l.client(0), big, 0, len(big.data)-1)
			}
		})
	}
	<-begun
	l.dump(t, p)
	require.NoError(t, l.bed.End(ctx, p, syscall.SIGQUIT))
	log, err := os.ReadFile(filepath.Join(p.Dir, "log"))
	require.NoError(t, err)
	require.Contains(t, string(log), "SIGQUIT: quit")
	require.Contains(t, string(log), "s3api.", "goroutines that served requests")
	stop()
	l.killAll()
	for _, p := range l.nodes {
		l.start(p)
	}
	l.waitReady(l.nodes...)
	require.NoError(t, big.get(ctx, l.client(1), l.bucket))
}

// stalling is a body that stops half way, and fails once gone is closed.
type stalling struct {
	data  []byte
	at    int
	begun chan<- struct{}
	gone  <-chan struct{}
}

func (s *stalling) Read(b []byte) (int, error) {
	if s.at >= len(s.data)/2 {
		if s.begun != nil {
			close(s.begun)
			s.begun = nil
		}
		<-s.gone
		return 0, io.ErrUnexpectedEOF
	}
	n := copy(b, s.data[s.at:len(s.data)/2])
	s.at += n
	return n, nil
}

// stalledPut sends an object under the key of 512 bits whose body stops.
func (l *leakTest) stalledPut(ctx context.Context, p *process, body *stalling) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, p.Endpoint()+"/"+l.bucket+"/stalled", body)
	if err != nil {
		return err
	}
	r.ContentLength = int64(len(body.data))
	l.sign(ctx, r, l.customerKey("SSE-C key of 512 bits"), l.own)
	resp, err := l.http.Do(r)
	if err == nil {
		resp.Body.Close()
	}
	return err
}

// sign signs a request as the account, with a customer's key.
func (l *leakTest) sign(ctx context.Context, r *http.Request, key *customerKey, secret string) {
	const unsigned = "UNSIGNED-PAYLOAD"
	r.Header.Set("X-Amz-Content-Sha256", unsigned)
	if key != nil {
		r.Header.Set("X-Amz-Server-Side-Encryption-Customer-Algorithm", "AES256")
		r.Header.Set("X-Amz-Server-Side-Encryption-Customer-Key", *key.key)
		r.Header.Set("X-Amz-Server-Side-Encryption-Customer-Key-Md5", *key.md5)
	}
	_ = v4.NewSigner().SignHTTP(ctx, aws.Credentials{AccessKeyID: l.access, SecretAccessKey: secret}, r, unsigned, "s3", "us-east-1", time.Now())
}

// dump keeps the metrics and all profiles of a node, unpacked, among what is searched.
func (l *leakTest) dump(t *testing.T, p *process) {
	t.Helper()
	key, err := identity.ParseKey(hex.EncodeToString(l.secrets["cluster key"]))
	require.NoError(t, err)
	id, err := identity.New(key, nodes.NodeID(rand.Uint64()))
	require.NoError(t, err)
	peer := http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: id.ClientTLS(), TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}}
	for i, path := range []string{"/metrics", "/debug/pprof/goroutine", "/debug/pprof/goroutine?debug=1", "/debug/pprof/goroutine?debug=2",
		"/debug/pprof/heap", "/debug/pprof/heap?debug=1", "/debug/pprof/allocs", "/debug/pprof/block", "/debug/pprof/mutex",
		"/debug/pprof/threadcreate", "/debug/pprof/profile?seconds=1", "/debug/pprof/trace?seconds=1"} {
		resp, err := peer.Get("https://" + p.RPCHost() + path)
		require.NoError(t, err, path)
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.StatusCode, "%s: %s", path, text)
		require.NotEmpty(t, text)
		if packed, err := gzip.NewReader(bytes.NewReader(text)); err == nil {
			text, err = io.ReadAll(packed)
			require.NoError(t, err)
		}
		l.keep(t, fmt.Sprintf("dump-%d-%d-%d", p.Index, i, time.Now().UnixNano()), text)
	}
	resp, err := http.Get(p.MetricsURL())
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	l.keep(t, fmt.Sprintf("metrics-%d-%d", p.Index, time.Now().UnixNano()), text)
}

// openDatabases writes out what the databases of all nodes hold. On the drive their tables are
// compressed, so a search there would find nothing.
func (l *leakTest) openDatabases(t *testing.T) {
	opened := 0
	for _, dir := range l.nodeDirs() {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasPrefix(d.Name(), "marker.manifest.") {
				return err
			}
			db, err := openDatabase(filepath.Dir(path))
			if err != nil {
				return err
			}
			defer db.Close()
			it, err := db.NewIter(nil)
			if err != nil {
				return err
			}
			defer it.Close()
			var all bytes.Buffer
			for ok := it.First(); ok; ok = it.Next() {
				all.Write(it.Key())
				all.WriteByte('\n')
				all.Write(it.Value())
				all.WriteByte('\n')
			}
			opened++
			l.keep(t, "database-"+strconv.Itoa(opened), all.Bytes())
			return it.Error()
		})
		require.NoError(t, err)
	}
	require.GreaterOrEqual(t, opened, 3*len(l.nodes), "metadata, its log and a drive's index of each node")
}

// openDatabase opens a Pebble database for reading. It tries two comparers, since the metadata have one
// of their own.
func openDatabase(dir string) (db *pebble.DB, err error) {
	for _, order := range []*pebble.Comparer{keys.Comparer(), pebble.DefaultComparer} {
		db, err = pebble.Open(dir, &pebble.Options{ReadOnly: true, Comparer: order, Logger: silent{}})
		if err == nil {
			break
		}
	}
	return db, err
}

type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(string, ...any) {}

// planted shows that the search finds what is there: it writes each secret into a file on a node's
// drive, in the forms that a log, data and a header would give it.
func (l *leakTest) planted(t *testing.T, wanted []needle) {
	dir := filepath.Join(l.nodes[0].Dir, "drive")
	for name, value := range l.secrets {
		for how, text := range map[string]string{"log": fmt.Sprintf("key=%x\n", value), "data": string(value),
			"header": "Key: " + base64.StdEncoding.EncodeToString(value)} {
			path := filepath.Join(dir, "planted")
			require.NoError(t, os.WriteFile(path, append(randomBytes(1000), text...), 0o644))
			found, _ := leaks(t, path, wanted)
			require.NotEmpty(t, found, "%s planted as %s", name, how)
			require.Contains(t, found[0], name)
		}
	}
}
