//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"
)

// TestSemantics shows on real processes what a fake cannot show: rules that hold between nodes, and
// with clients that do not behave.
func TestSemantics(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3)
	s := &semantics{cluster: c, bucket: "semantics"}
	ctx := t.Context()
	c.retry(ctx, func(c *s3.Client) error {
		_, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &s.bucket})
		return err
	})
	for _, step := range []struct {
		name string
		run  func(*testing.T, context.Context)
	}{
		{"racing completes", s.racingCompletes},
		{"one of racing creators wins", s.racingCreators},
		{"stalled readers", s.stalledReaders},
		{"copies of a changing source", s.changingSource},
		{"deleting by the command", s.removing},
	} {
		t.Run(step.name, func(t *testing.T) { step.run(t, t.Context()) })
	}
}

type semantics struct {
	*cluster
	bucket string
}

const racers = 9

// race runs do on all nodes at the same time. It returns how many calls have ended with each S3 code;
// "" is success.
func (s *semantics) race(t *testing.T, do func(i int, c *s3.Client) error) (codes map[string]int) {
	t.Helper()
	ended := make([]error, racers)
	var all sync.WaitGroup
	for i := range racers {
		all.Go(func() { ended[i] = do(i, client(s.nodes[i%len(s.nodes)])) })
	}
	all.Wait()
	codes = map[string]int{}
	for _, err := range ended {
		var api smithy.APIError
		switch {
		case err == nil:
			codes[""]++
		case errors.As(err, &api):
			codes[api.ErrorCode()]++
		default:
			require.NoError(t, err)
		}
	}
	return codes
}

// racingCompletes sends the same Complete to all nodes. All must succeed, and make one object.
func (s *semantics) racingCompletes(t *testing.T, ctx context.Context) {
	u, err := createUpload(ctx, client(s.nodes[0]), s.bucket, "completed", nil)
	require.NoError(t, err)
	for n := range 3 {
		require.NoError(t, u.put(ctx, client(s.nodes[n]), randomBytes(1<<20+n)))
	}
	codes := s.race(t, func(_ int, c *s3.Client) error {
		_, err := u.complete(ctx, c)
		return err
	})
	require.Equal(t, map[string]int{"": racers}, codes)
	o := &object{key: u.key, data: u.data}
	for _, p := range s.nodes {
		require.NoError(t, o.get(ctx, client(p), s.bucket))
	}
}

// racingCreators lets many clients write a key on condition that it does not exist. Exactly one must
// succeed.
func (s *semantics) racingCreators(t *testing.T, ctx context.Context) {
	data := randomBytes(100_000)
	codes := s.race(t, func(_ int, c *s3.Client) error {
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: &s.bucket, Key: aws.String("created"), IfNoneMatch: aws.String("*"), Body: bytes.NewReader(data)})
		return err
	})
	require.Equal(t, map[string]int{"": 1, "PreconditionFailed": racers - 1}, codes)
}

// stalledReaders has more clients than a node has buffers for begin to read an object, and stop.
// Meanwhile it must be possible to overwrite the object, to read it elsewhere and to list it.
func (s *semantics) stalledReaders(t *testing.T, ctx context.Context) {
	const clients = 100
	o := &object{key: "stalled", data: randomBytes(20 << 20)}
	require.NoError(t, put(ctx, client(s.nodes[0]), s.bucket, o))
	for range clients {
		conn := s.startGet(t, ctx, s.nodes[0], o.key)
		defer conn.Close()
	}
	bounded, cancel := context.WithTimeout(ctx, 20*time.Second) // Far less than readers may stall.
	defer cancel()
	o.data = randomBytes(20 << 20)
	require.NoError(t, put(bounded, client(s.nodes[0]), s.bucket, o))
	require.NoError(t, o.get(bounded, client(s.nodes[1]), s.bucket))
	_, err := client(s.nodes[0]).ListObjectsV2(bounded, &s3.ListObjectsV2Input{Bucket: &s.bucket})
	require.NoError(t, err)
}

// startGet sends a GET and reads nothing of its answer.
func (s *semantics) startGet(t *testing.T, ctx context.Context, p *process, key string) net.Conn {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Endpoint()+"/"+s.bucket+"/"+key, nil)
	require.NoError(t, err)
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	r.Header.Set("X-Amz-Content-Sha256", empty)
	creds := aws.Credentials{AccessKeyID: rootUser, SecretAccessKey: rootPassword}
	require.NoError(t, v4.NewSigner().SignHTTP(ctx, creds, r, empty, "s3", "us-east-1", time.Now()))
	conn, err := net.Dial("tcp", r.URL.Host)
	require.NoError(t, err)
	require.NoError(t, conn.(*net.TCPConn).SetReadBuffer(4<<10))
	require.NoError(t, r.Write(conn))
	return conn
}

// changingSource copies parts from an object that is overwritten all the time, to an upload without
// encryption and to one under a customer's key. Each part must be of one version.
func (s *semantics) changingSource(t *testing.T, ctx context.Context) {
	const size, parts = 2 << 20, 12
	version := func(i int) []byte {
		data := make([]byte, size)
		for j := range data {
			data[j] = byte(i)
		}
		return data
	}
	src := &object{key: "changing", data: version(0)}
	require.NoError(t, put(ctx, client(s.nodes[0]), s.bucket, src))
	writing, stop := context.WithCancel(ctx)
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 1; writing.Err() == nil; i++ {
			_ = put(writing, client(s.nodes[1]), s.bucket, &object{key: src.key, data: version(i)})
		}
	})
	var made []*object
	for i, key := range []*customerKey{nil, newCustomerKey(t)} {
		u, err := createUpload(ctx, client(s.nodes[2]), s.bucket, []string{"plain", "sealed"}[i], key)
		require.NoError(t, err)
		for range parts {
			require.NoError(t, u.copy(ctx, client(s.nodes[2]), src, 0, size-1))
		}
		o, err := u.complete(ctx, client(s.nodes[0]))
		require.NoError(t, err)
		made = append(made, o)
	}
	stop()
	writer.Wait()
	for _, o := range made {
		data, err := s.read(ctx, client(s.nodes[1]), o)
		require.NoError(t, err)
		require.Len(t, data, parts*size)
		for ; len(data) > 0; data = data[size:] {
			require.Equal(t, version(int(data[0])), data[:size])
		}
	}
}

func (s *semantics) read(ctx context.Context, c *s3.Client, o *object) ([]byte, error) {
	in := &s3.GetObjectInput{Bucket: &s.bucket, Key: &o.key}
	if o.sse != nil {
		in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = sseAlgorithm, o.sse.key, o.sse.md5
	}
	out, err := c.GetObject(ctx, in)
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	return io.ReadAll(out.Body)
}

func randomBytes(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.Read(data) // Never fails.
	return data
}
