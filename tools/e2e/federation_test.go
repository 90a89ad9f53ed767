//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/federate/federatetest"
	"github.com/cairnstore/cairn/tools/testbed"
)

// TestFederation has people of an OpenID Connect provider come in, as the clients of others do it. A
// provider that is added on one node is known to all, and its sessions end everywhere with it.
func TestFederation(t *testing.T) {
	t.Parallel()
	c := startClusterWith(t, 3, options{})
	f := &federation{cluster: c, idp: federatetest.New(t)}
	f.must("idp", "oidc", "add", "people", "--issuer", f.idp.URL, "--client-id", federatetest.ClientID,
		"--policy-claim", "policy")
	f.write("trust.json",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity",`+
			`"Principal":{"Federated":"arn:aws:iam::cairn-root:oidc-provider/`+strings.TrimPrefix(f.idp.URL,
			"http://")+`"},`+
			`"Condition":{"ForAnyValue:StringEquals":{"people:groups":"backup"}}}]}`)
	f.write("home.json", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*",`+
		`"Resource":"arn:aws:s3:::federated/home/${jwt:preferred_username}/*"}]}`)
	f.must("role", "add", "backup", "--trust", f.path("trust.json"))
	f.must("policy", "add", "home", "--file", f.path("home.json"))
	f.must("policy", "attach", "home", "--role", "backup")
	f.must("bucket", "make", "federated")
	chapters(t, c,
		chapter{"the aws CLI and boto3, by a role", f.byRole},
		chapter{"MinIO's client, by a claim", f.byClaim},
		chapter{"the end of sessions", f.ends},
	)
}

type federation struct {
	*cluster
	idp *federatetest.Provider
}

func (f *federation) must(args ...string) {
	f.t.Helper()
	_, err := f.cairn(args...)
	require.NoError(f.t, err)
}

func (f *federation) write(name, text string) {
	f.t.Helper()
	require.NoError(f.t, os.WriteFile(f.path(name), []byte(text), 0o600))
}

// run runs a client that has a token in a file and nothing else.
func (f *federation) run(p *process, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), adminTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(testbed.OwnEnviron(), "AWS_WEB_IDENTITY_TOKEN_FILE="+f.path("token"),
		"AWS_DEFAULT_REGION=us-east-1",
		"AWS_ROLE_ARN=arn:aws:iam::cairn-root:role/backup", "AWS_ROLE_SESSION_NAME=nightly",
		"AWS_ENDPOINT_URL="+p.Endpoint(),
		"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
		"HOME="+f.t.TempDir()) // The aws CLI keeps sessions there, and would ask for no other.
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// byRole has clients ask for a role by what stands in their environment, on each node.
func (f *federation) byRole(t *testing.T) {
	f.write("token", f.idp.Token(map[string]any{"preferred_username": "al", "groups": []string{"dev", "backup"}}))
	f.write("note", "mine")
	boto := `import boto3,os; s=boto3.client("s3"); s.put_object(Bucket="federated",Key="home/al/boto",Body=b"x");` +
		`print(boto3.client("sts").get_caller_identity()["Arn"])`
	for _, p := range f.nodes {
		out, err := f.run(p, "aws", "s3", "cp", "--no-progress", f.path("note"), "s3://federated/home/al/note")
		require.NoError(t, err, out)
		out, err = f.run(p, python(t), "-c", boto)
		require.NoError(t, err, out)
		require.Contains(t, out, "arn:aws:sts::cairn-root:assumed-role/backup/nightly")
		out, err = f.run(p, "aws", "s3", "cp", "--no-progress", f.path("note"), "s3://federated/home/bo/note")
		require.Error(t, err)
		require.Contains(t, out, "AccessDenied")
	}
	f.write("token", f.idp.Token(map[string]any{"preferred_username": "al", "groups": []string{"dev"}}))
	out, err := f.run(f.nodes[0], "aws", "sts", "get-caller-identity")
	require.Error(t, err)
	require.Contains(t, out, "AccessDenied")
	f.write("token", f.idp.Token(map[string]any{"groups": "backup", "exp": time.Now().Unix() - 3600}))
	out, err = f.run(f.nodes[0], "aws", "sts", "get-caller-identity")
	require.Error(t, err)
	require.Contains(t, out, "ExpiredToken")
}

// client is MinIO's client of a node for somebody whose token names policies.
func (f *federation) client(t *testing.T, p *process, policies any) *minio.Client {
	t.Helper()
	token := f.idp.Token(map[string]any{"policy": policies})
	creds, err := credentials.NewSTSWebIdentity(p.Endpoint(), func() (*credentials.WebIdentityToken, error) {
		return &credentials.WebIdentityToken{Token: token, Expiry: 3600}, nil
	})
	require.NoError(t, err)
	out, err := minio.New(strings.TrimPrefix(p.Endpoint(), "http://"), &minio.Options{Creds: creds,
		Region: "us-east-1"})
	require.NoError(t, err)
	return out
}

func (f *federation) byClaim(t *testing.T) {
	for i, p := range f.nodes {
		key := fmt.Sprintf("by-claim/%d", i)
		writer := f.client(t, p, []string{"readwrite"})
		_, err := writer.PutObject(t.Context(), "federated", key, strings.NewReader("claimed"), 7,
			minio.PutObjectOptions{})
		require.NoError(t, err)
		reader := f.client(t, p, "readonly")
		got, err := reader.GetObject(t.Context(), "federated", key, minio.GetObjectOptions{})
		require.NoError(t, err)
		b, err := io.ReadAll(got)
		require.NoError(t, err)
		require.Equal(t, "claimed", string(b))
		_, err = reader.PutObject(t.Context(), "federated", key, strings.NewReader("x"), 1, minio.PutObjectOptions{})
		require.Equal(t, "AccessDenied", minio.ToErrorResponse(err).Code)
	}
	_, err := f.client(t, f.nodes[0], "nix").BucketExists(t.Context(), "federated")
	require.ErrorContains(t, err, "names no policy")
}

// ends rotates and revokes the provider's keys, and then removes the provider, under running sessions.
func (f *federation) ends(t *testing.T) {
	next := federatetest.NewKey(t, "k2", "ES256")
	f.idp.Use(next)
	f.eventually("a new key is taken", 2*time.Minute, func() bool {
		_, err := f.client(t, f.nodes[1], "readonly").StatObject(t.Context(), "federated", "by-claim/0",
			minio.StatObjectOptions{})
		return err == nil
	})
	clients := make([]*minio.Client, len(f.nodes))
	for i, p := range f.nodes {
		f.eventually("a session on each node", 2*time.Minute, func() bool {
			clients[i] = f.client(t, p, "readonly")
			_, err := clients[i].StatObject(t.Context(), "federated", "by-claim/0", minio.StatObjectOptions{})
			return err == nil
		})
	}
	out, err := f.cairn("idp", "show", "people", "-o", "json")
	require.NoError(t, err)
	var shown struct{ Oidc struct{ Issuer string } }
	require.NoError(t, json.Unmarshal(out, &shown))
	require.Equal(t, f.idp.URL, shown.Oidc.Issuer)
	f.must("idp", "remove", "people", "--yes")
	time.Sleep(promisedWithin)
	for _, c := range clients {
		_, err := c.StatObject(t.Context(), "federated", "by-claim/0", minio.StatObjectOptions{})
		require.Error(t, err)
	}
}
