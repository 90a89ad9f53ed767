package node_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/notification"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/node"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/node/admin/adminpb/adminpbconnect"
	"github.com/cairnstore/cairn/s3api"
)

// rootSigner signs what it sends as the cluster's root.
type rootSigner struct{}

func (rootSigner) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	r.Header.Set("X-Amz-Content-Sha256", hash)
	sig := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	creds := aws.Credentials{AccessKeyID: "root", SecretAccessKey: "root-password"}
	if err := sig.SignHTTP(r.Context(), creds, r, hash, "s3", "us-east-1", time.Now()); err != nil {
		return nil, err
	}
	return http.DefaultTransport.RoundTrip(r)
}

// hook is a webhook that tells what it is sent.
func hook(t *testing.T) (url string, got chan string) {
	got = make(chan string, 100)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- r.Header.Get("Authorization") + " " + string(body)
	}))
	t.Cleanup(s.Close)
	return s.URL, got
}

// TestEventTargetsOfTheCluster: a target set on one node is known to rules set on
// another at once, and whichever node leads delivers to where it stands now.
func TestEventTargetsOfTheCluster(t *testing.T) {
	_, endpoints := realCluster(t, 3, func(*node.Config) {})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	admin := adminpbconnect.NewAdminServiceClient(&http.Client{Transport: rootSigner{}}, "http://"+endpoints[0]+strings.TrimSuffix(s3api.AdminPrefix, "/"))
	await := func(got chan string, parts ...string) {
		for {
			select {
			case text := <-got:
				all := true
				for _, p := range parts {
					all = all && strings.Contains(text, p)
				}
				if all {
					return
				}
			case <-ctx.Done():
				t.Fatalf("nobody was told %q", parts)
			}
		}
	}
	first, told := hook(t)
	target, err := admin.SetEventTarget(ctx, &adminpb.SetEventTargetRequest{Id: "hook", Url: first, Token: "sesame"})
	require.NoError(t, err)
	_, err = admin.TestEventTarget(ctx, &adminpb.EventTargetRef{Id: "hook"})
	require.NoError(t, err)
	await(told, "Bearer sesame", "s3:TestEvent")

	s3, err := minio.New(endpoints[1], &minio.Options{Creds: credentials.NewStaticV4("root", "root-password", "")})
	require.NoError(t, err)
	require.NoError(t, s3.MakeBucket(ctx, "bkt", minio.MakeBucketOptions{}))
	arn, err := notification.NewArnFromString(target.Arn)
	require.NoError(t, err)
	rule := notification.NewConfig(arn)
	rule.AddEvents(notification.ObjectCreatedAll)
	var rules notification.Configuration
	rules.AddQueue(rule)
	require.NoError(t, s3.SetBucketNotification(ctx, "bkt", rules))
	put := func(key string) {
		_, err := s3.PutObject(ctx, "bkt", key, strings.NewReader("x"), 1, minio.PutObjectOptions{})
		require.NoError(t, err)
	}
	put("one")
	await(told, "Bearer sesame", "ObjectCreated:Put", "bkt/one")

	second, toldToo := hook(t)
	_, err = admin.SetEventTarget(ctx, &adminpb.SetEventTargetRequest{Id: "hook", Url: second})
	require.NoError(t, err)
	require.Eventually(t, func() bool { // The leader knows of it within a second.
		put("two")
		select {
		case text := <-toldToo:
			require.NotContains(t, text, "sesame")
			return true
		case <-time.After(time.Second):
			return false
		}
	}, 5*time.Minute, time.Millisecond)

	_, err = admin.RemoveEventTarget(ctx, &adminpb.EventTargetRef{Id: "hook"})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return s3.SetBucketNotification(ctx, "bkt", rules) != nil }, 5*time.Minute, 10*time.Millisecond)
}
