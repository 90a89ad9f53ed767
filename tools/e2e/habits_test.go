//go:build e2e

package e2e

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/stretchr/testify/require"
)

// habitBytes is the size of what is written in several parts.
const habitBytes = 11<<20 + 17

// TestHabits lets clients do, under both profiles, what they do by default or are often told to do:
// they send canned ACLs with every write, checksums of whole objects, trailers, storage classes and
// metadata of their own.
func TestHabits(t *testing.T) {
	t.Parallel()
	w := &workshop{cluster: startClusterWith(t, 6, options{tls: true, domain: domain}),
		access: "HABITS00000000000001", secret: "habits/secret+of=some/length012345678901", odd: randomBytes(habitBytes)}
	out, err := w.cairn("account", "add", "habits", "--access-key", w.access, "--secret-key", w.secret)
	require.NoError(t, err, "%s", out)
	w.known(t.Context(), w.access, w.secret)
	for _, compat := range []string{"aws", "obs"} {
		out, err := w.cairn("config", "set", "compat", compat)
		require.NoError(t, err, "%s", out)
		w.speaks(t, compat)
		for _, of := range []struct {
			name string
			run  func(t *testing.T, bucket, compat string)
		}{
			{"rclone", w.rcloneHabits},
			{"minio-go", w.minioHabits},
			{"boto3", w.boto3Habits},
			{"aws CLI", w.awsHabits},
			{"s3cmd", w.s3cmdHabits},
			{"registry", w.registryHabits},
			{"half-closed", w.halfClosed},
		} {
			bucket := "habits-" + compat + "-" + strings.ToLower(strings.ReplaceAll(of.name, " ", "-"))
			t.Run(compat+"/"+of.name, func(t *testing.T) { of.run(t, bucket, compat) })
		}
	}
}

// speaks waits until every node answers as it does in the profile.
func (w *workshop) speaks(t *testing.T, compat string) {
	server := map[string]string{"aws": "Cairn", "obs": "OBS"}[compat]
	for _, n := range w.nodes {
		require.Eventually(t, func() bool {
			resp, err := w.http.Get(n.Endpoint() + "/")
			if err != nil {
				return false
			}
			defer resp.Body.Close()
			return resp.Header.Get("Server") == server
		}, readyTimeout, pollEvery, "%s does not answer as %s", n.Endpoint(), compat)
	}
}

// rcloneHabits has rclone send its ACL with every write, which is private unless it is told otherwise.
func (w *workshop) rcloneHabits(t *testing.T, bucket, _ string) {
	env := []string{"RCLONE_CONFIG_CAIRN_TYPE=s3", "RCLONE_CONFIG_CAIRN_PROVIDER=Other", "RCLONE_CONFIG_CAIRN_ACCESS_KEY_ID=" + w.access,
		"RCLONE_CONFIG_CAIRN_SECRET_ACCESS_KEY=" + w.secret, "RCLONE_CONFIG_CAIRN_ENDPOINT=" + w.node(0).Endpoint(),
		"RCLONE_CONFIG_CAIRN_ACL=private", "RCLONE_CONFIG_CAIRN_UPLOAD_CUTOFF=5M", "RCLONE_CONFIG_CAIRN_CHUNK_SIZE=5M", "RCLONE_CA_CERT=" + w.caFile}
	dir := t.TempDir()
	files := map[string][]byte{"small": []byte("small"), "large": w.odd}
	for name, data := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
	w.run(t, env, "rclone", "mkdir", "cairn:"+bucket)
	w.run(t, env, "rclone", "copy", dir, "cairn:"+bucket)
	w.run(t, env, "rclone", "check", "--download", dir, "cairn:"+bucket)
	w.run(t, env, "rclone", "copy", "cairn:"+bucket, "cairn:"+bucket+"/copy")
	back := t.TempDir()
	w.run(t, env, "rclone", "copy", "cairn:"+bucket+"/copy", back)
	isTree(t, back, files)
}

// minioHabits has minio-go send checksums in trailers, and those of the whole object if it uploads
// parts.
func (w *workshop) minioHabits(t *testing.T, bucket, _ string) {
	ctx := t.Context()
	c, err := minio.New(w.node(1).Host(), &minio.Options{Creds: credentials.NewStaticV4(w.access, w.secret, ""), Secure: true,
		Transport: w.http.Transport, TrailingHeaders: true})
	require.NoError(t, err)
	require.NoError(t, c.MakeBucket(ctx, bucket, minio.MakeBucketOptions{}))
	for name, o := range map[string]minio.PutObjectOptions{
		"plain": {PartSize: 5 << 20}, "crc32c": {PartSize: 5 << 20, Checksum: minio.ChecksumCRC32C}, "full": {PartSize: 5 << 20, Checksum: minio.ChecksumFullObjectCRC32},
		"crc64": {PartSize: 5 << 20, Checksum: minio.ChecksumCRC64NVME}, "sha256": {PartSize: 5 << 20, Checksum: minio.ChecksumSHA256},
		"private": {PartSize: 5 << 20, StorageClass: "REDUCED_REDUNDANCY", UserMetadata: map[string]string{"X-Amz-Acl": "private"}},
	} {
		_, err = c.PutObject(ctx, bucket, name, bytes.NewReader(w.odd), habitBytes, o)
		require.NoError(t, err, name)
		w.is(t, bucket, name, w.odd)
		_, err = c.PutObject(ctx, bucket, name+"-pipe", io.MultiReader(bytes.NewReader(w.odd)), -1, o) // Its size is not known.
		require.NoError(t, err, name)
		w.is(t, bucket, name+"-pipe", w.odd)
		_, err = c.PutObject(ctx, bucket, name+"-small", strings.NewReader("small"), 5, o)
		require.NoError(t, err, name)
		w.is(t, bucket, name+"-small", []byte("small"))
	}
	stat, err := c.StatObject(ctx, bucket, "private", minio.StatObjectOptions{})
	require.NoError(t, err)
	require.Equal(t, "REDUCED_REDUNDANCY", stat.Metadata.Get("X-Amz-Storage-Class"))
}

// boto3Habits runs testdata/boto3_habits.py, which says what boto3 does.
func (w *workshop) boto3Habits(t *testing.T, bucket, compat string) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, w.odd, 0o644))
	w.run(t, append(w.awsEnv(), "ENDPOINT="+w.node(2).Endpoint(), "BUCKET="+bucket, "FILE="+file, "COMPAT="+compat), python(t), "testdata/boto3_habits.py")
	w.is(t, bucket, "crc32", w.odd)
}

func (w *workshop) awsHabits(t *testing.T, bucket, _ string) {
	run := func(args ...string) string {
		return w.run(t, w.awsEnv(), "/usr/bin/aws", append([]string{"--endpoint-url", w.node(3).Endpoint()}, args...)...)
	}
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, w.odd, 0o644))
	run("s3", "mb", "s3://"+bucket)
	run("s3", "cp", "--no-progress", "--acl", "private", "--storage-class", "INTELLIGENT_TIERING", file, "s3://"+bucket+"/file")
	w.is(t, bucket, "file", w.odd)
	require.Contains(t, run("s3api", "head-object", "--bucket", bucket, "--key", "file"), "INTELLIGENT_TIERING")
	require.Contains(t, run("s3api", "put-object", "--bucket", bucket, "--key", "sum", "--body", file, "--checksum-algorithm", "CRC32"), "ChecksumCRC32")
	require.Contains(t, run("s3api", "head-object", "--bucket", bucket, "--key", "sum", "--checksum-mode", "ENABLED"), "ChecksumCRC32")
	run("s3", "cp", "--no-progress", "--metadata-directive", "REPLACE", "--metadata", "a=b", "s3://"+bucket+"/file", "s3://"+bucket+"/file")
	run("s3api", "copy-object", "--bucket", bucket, "--key", "sum", "--copy-source", bucket+"/sum", "--storage-class", "STANDARD")
	require.Contains(t, run("s3api", "get-bucket-acl", "--bucket", bucket), `"DisplayName": "habits"`)
	require.Empty(t, strings.TrimSpace(run("s3api", "get-bucket-accelerate-configuration", "--bucket", bucket)))
	run("s3", "rb", "--force", "s3://"+bucket)
}

func (w *workshop) s3cmdHabits(t *testing.T, bucket, _ string) {
	host, config := w.node(4).Host(), filepath.Join(t.TempDir(), "s3cfg")
	require.NoError(t, os.WriteFile(config, []byte("[default]\naccess_key = "+w.access+"\nsecret_key = "+w.secret+"\nhost_base = "+host+"\nhost_bucket = "+host+
		"\nca_certs_file = "+w.caFile+"\nuse_https = True\n"), 0o600))
	run := func(args ...string) string {
		return w.run(t, nil, "s3cmd", append([]string{"-c", config, "--no-progress"}, args...)...)
	}
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, w.odd, 0o644))
	run("mb", "s3://"+bucket)
	run("put", "--acl-private", "--storage-class=STANDARD_IA", "--multipart-chunk-size-mb=5", file, "s3://"+bucket+"/file")
	w.is(t, bucket, "file", w.odd)
	info := run("info", "s3://"+bucket+"/file")
	require.Contains(t, info, "STANDARD_IA")
	require.Contains(t, info, "habits: FULL_CONTROL")
	run("modify", "--add-header=x-amz-meta-a:b", "s3://"+bucket+"/file") // A copy onto itself.
	w.is(t, bucket, "file", w.odd)
}

// registryHabits sends what the S3 driver of Docker's registry sends for a layer: an upload that is
// private and names its class, whose first small part is uploaded again, and then a copy in parts.
func (w *workshop) registryHabits(t *testing.T, bucket, _ string) {
	ctx, c := t.Context(), w.client(5)
	w.bucket(t, bucket)
	const key = "docker/registry/v2/repositories/a/_uploads/1/data"
	_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: aws.String(key + "/startedat"), ACL: types.ObjectCannedACLPrivate,
		ContentType: aws.String("application/octet-stream"), StorageClass: types.StorageClassStandard, Body: strings.NewReader("now")})
	require.NoError(t, err)
	up, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: aws.String(key), ACL: types.ObjectCannedACLPrivate,
		ContentType: aws.String("application/octet-stream"), StorageClass: types.StorageClassStandard})
	require.NoError(t, err)
	var parts []types.CompletedPart
	for i, part := range [][]byte{w.odd[:5<<20], w.odd[5<<20:]} {
		number := aws.Int32(int32(i + 1))
		p, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: &bucket, Key: aws.String(key), UploadId: up.UploadId, PartNumber: number, Body: bytes.NewReader(part)})
		require.NoError(t, err)
		parts = append(parts, types.CompletedPart{ETag: p.ETag, PartNumber: number})
	}
	_, err = c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &bucket, Key: aws.String(key), UploadId: up.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
	require.NoError(t, err)
	w.is(t, bucket, key, w.odd)
	_, err = c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &bucket, Key: aws.String("docker/registry/v2/blobs/data"), CopySource: aws.String(bucket + "/" + key),
		ACL: types.ObjectCannedACLPrivate, StorageClass: types.StorageClassStandard})
	require.NoError(t, err)
	w.is(t, bucket, "docker/registry/v2/blobs/data", w.odd)
	_, err = c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String(key)}}}})
	require.NoError(t, err)
}

// halfClosed proves that a client gets its answer even if it closes its side of the connection after
// the request.
func (w *workshop) halfClosed(t *testing.T, bucket, _ string) {
	w.bucket(t, bucket)
	require.NoError(t, put(t.Context(), w.client(0), bucket, &object{key: "k", data: w.odd}))
	signed, err := s3.NewPresignClient(w.client(0)).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("k")})
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, signed.URL, nil)
	require.NoError(t, err)
	plain, err := net.Dial("tcp", req.URL.Host)
	require.NoError(t, err)
	defer plain.Close()
	config := w.http.Transport.(*http.Transport).TLSClientConfig.Clone()
	config.ServerName, config.NextProtos = req.URL.Hostname(), nil
	c := tls.Client(plain, config)
	require.NoError(t, req.Write(c))
	require.NoError(t, c.CloseWrite())
	got, err := io.ReadAll(c)
	require.NoError(t, err)
	require.True(t, bytes.HasSuffix(got, w.odd), "%d bytes: %.300q", len(got), got)
}
