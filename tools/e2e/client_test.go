//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// client is an SDK client of one node, with the SDK's own retries.
func client(p *process) *s3.Client { return clientAs(p, rootUser, rootPassword) }

func clientAs(p *process, access, secret string) *s3.Client {
	creds := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: access, SecretAccessKey: secret}, nil
	})
	return s3.New(s3.Options{Region: "us-east-1", Credentials: creds, UsePathStyle: true,
		BaseEndpoint: aws.String(p.Endpoint()), HTTPClient: p.Client(), RetryMaxAttempts: 3})
}

// customerKey is a key for SSE-C and its headers.
type customerKey struct{ key, md5 *string }

var sseAlgorithm = aws.String("AES256")

func newCustomerKey(t *testing.T) *customerKey {
	t.Helper()
	return customerKeyOf(randomBytes(32))
}

func customerKeyOf(raw []byte) *customerKey {
	sum := md5.Sum(raw)
	return &customerKey{aws.String(base64.StdEncoding.EncodeToString(raw)),
		aws.String(base64.StdEncoding.EncodeToString(sum[:]))}
}

// object is an object that was acknowledged, with what it must hold for ever.
type object struct {
	key  string
	data []byte
	sse  *customerKey
}

func (o *object) get(ctx context.Context, c *s3.Client, bucket string) error {
	in := &s3.GetObjectInput{Bucket: &bucket, Key: &o.key}
	if o.sse != nil {
		in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = sseAlgorithm, o.sse.key, o.sse.md5
	}
	out, err := c.GetObject(ctx, in)
	if err != nil {
		return err
	}
	defer out.Body.Close()
	h := sha256.New()
	n, err := io.Copy(h, out.Body)
	if err != nil {
		return fmt.Errorf("%s: after %d of %d bytes: %w", o.key, n, len(o.data), err)
	}
	if want := sha256.Sum256(o.data); !bytes.Equal(h.Sum(nil), want[:]) {
		return fmt.Errorf("%s: %d bytes with sha256 %s, want %d with %s", o.key, n,
			hex.EncodeToString(h.Sum(nil)), len(o.data), hex.EncodeToString(want[:]))
	}
	return nil
}

func put(ctx context.Context, c *s3.Client, bucket string, o *object) error {
	in := &s3.PutObjectInput{Bucket: &bucket, Key: &o.key, Body: bytes.NewReader(o.data)}
	if o.sse != nil {
		in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = sseAlgorithm, o.sse.key, o.sse.md5
	}
	_, err := c.PutObject(ctx, in)
	return err
}

// upload is a multipart upload in progress, with what the object will hold.
type upload struct {
	bucket, key, id string
	sse             *customerKey
	parts           []types.CompletedPart
	data            []byte
}

func createUpload(ctx context.Context, c *s3.Client, bucket, key string, sse *customerKey) (*upload, error) {
	in := &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: &key}
	if sse != nil {
		in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = sseAlgorithm, sse.key, sse.md5
	}
	out, err := c.CreateMultipartUpload(ctx, in)
	if err != nil {
		return nil, err
	}
	return &upload{bucket: bucket, key: key, id: *out.UploadId, sse: sse}, nil
}

// put uploads data as the next part.
func (u *upload) put(ctx context.Context, c *s3.Client, data []byte) error {
	n := aws.Int32(int32(len(u.parts) + 1))
	in := &s3.UploadPartInput{Bucket: &u.bucket, Key: &u.key, UploadId: &u.id, PartNumber: n, Body: bytes.NewReader(data)}
	if u.sse != nil {
		in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = sseAlgorithm, u.sse.key, u.sse.md5
	}
	out, err := c.UploadPart(ctx, in)
	if err != nil {
		return err
	}
	u.parts = append(u.parts, types.CompletedPart{PartNumber: n, ETag: out.ETag})
	u.data = append(u.data, data...)
	return nil
}

// copyWhole makes the next part a copy of a whole object. It does not add its bytes to u.data.
func (u *upload) copyWhole(ctx context.Context, c *s3.Client, source string) error {
	n := aws.Int32(int32(len(u.parts) + 1))
	in := &s3.UploadPartCopyInput{Bucket: &u.bucket, Key: &u.key, UploadId: &u.id, PartNumber: n, CopySource: &source}
	if u.sse != nil {
		in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = sseAlgorithm, u.sse.key, u.sse.md5
	}
	out, err := c.UploadPartCopy(ctx, in)
	if err != nil {
		return err
	}
	u.parts = append(u.parts, types.CompletedPart{PartNumber: n, ETag: out.CopyPartResult.ETag})
	return nil
}

// copy makes the next part from bytes first..last of an object.
func (u *upload) copy(ctx context.Context, c *s3.Client, src *object, first, last int) error {
	n := aws.Int32(int32(len(u.parts) + 1))
	in := &s3.UploadPartCopyInput{Bucket: &u.bucket, Key: &u.key, UploadId: &u.id, PartNumber: n,
		CopySource:      aws.String(u.bucket + "/" + src.key),
		CopySourceRange: aws.String(fmt.Sprintf("bytes=%d-%d", first, last))}
	if u.sse != nil {
		in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = sseAlgorithm, u.sse.key, u.sse.md5
	}
	if src.sse != nil {
		in.CopySourceSSECustomerAlgorithm, in.CopySourceSSECustomerKey, in.CopySourceSSECustomerKeyMD5 = sseAlgorithm, src.sse.key, src.sse.md5
	}
	out, err := c.UploadPartCopy(ctx, in)
	if err != nil {
		return err
	}
	u.parts = append(u.parts, types.CompletedPart{PartNumber: n, ETag: out.CopyPartResult.ETag})
	u.data = append(u.data, src.data[first:last+1]...)
	return nil
}

func (u *upload) complete(ctx context.Context, c *s3.Client) (*object, error) {
	_, err := c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &u.bucket, Key: &u.key,
		UploadId: &u.id, MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts}})
	if err != nil {
		return nil, err
	}
	return &object{key: u.key, data: u.data, sse: u.sse}, nil
}

// retry runs a request until a node accepts it, as a client with several endpoints would. Each try goes
// to the next node that runs.
func (c *cluster) retry(ctx context.Context, do func(*s3.Client) error) {
	c.t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for i := 0; ; i++ {
		up := c.up()
		err := do(client(up[i%len(up)]))
		if err == nil {
			return
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			c.t.Fatalf("not accepted after %d tries: %v", i+1, err)
		}
		c.t.Logf("try %d: %v", i+1, err)
		time.Sleep(pollEvery)
	}
}

func sha256Hex(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// known waits until every node knows an access key. A node asks for changes every second only.
func (c *cluster) known(ctx context.Context, access, secret string) {
	c.t.Helper()
	for _, p := range c.up() {
		c.eventually("access key "+access+" known", 10*time.Second, func() bool {
			_, err := clientAs(p, access, secret).ListBuckets(ctx, &s3.ListBucketsInput{})
			return err == nil
		})
	}
}
