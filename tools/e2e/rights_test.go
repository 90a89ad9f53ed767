//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/node/admin/adminpb/adminpbconnect"
	"github.com/cairnstore/cairn/tools/testbed"
)

const (
	crowdAccounts = 1400 // Besides timedAccounts before and after them, which are made one after the other.
	timedAccounts = 100
	crowdClients  = 6
	disableRounds = 5

	// promisedWithin is how soon every node refuses what was disabled.
	promisedWithin = time.Second
)

// TestRights holds three nodes to what is promised about rights. An account that is disabled is refused
// within a second, even among many accounts and beside clients that make buckets. An administrator
// cannot give more rights than they have. A policy about the sources of copies cannot be evaded.
func TestRights(t *testing.T) {
	t.Parallel()
	c := startClusterWith(t, 3, options{})
	r := &rights{cluster: c}
	chapters(t, c,
		chapter{"disabled in a crowd", r.disabled},
		chapter{"delegated administrators", r.delegated},
		chapter{"sources of copies", r.copies},
	)
}

type rights struct{ *cluster }

// adminSigner signs calls of the admin API.
type adminSigner struct {
	next           http.RoundTripper
	access, secret string
}

// RoundTrip implements http.RoundTripper.
func (s *adminSigner) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	_ = r.Body.Close()
	r = r.Clone(r.Context())
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	r.Header.Set("x-amz-content-sha256", hash)
	creds := aws.Credentials{AccessKeyID: s.access, SecretAccessKey: s.secret}
	if err := v4.NewSigner().SignHTTP(r.Context(), creds, r, hash, "s3", "us-east-1", time.Now()); err != nil {
		return nil, err
	}
	return s.next.RoundTrip(r)
}

// admin returns the admin API of a node, as the cluster's root.
func (r *rights) admin(p *process) adminpbconnect.AdminServiceClient {
	hc := &http.Client{Transport: &adminSigner{p.Client().Transport, rootUser, rootPassword}}
	return adminpbconnect.NewAdminServiceClient(hc, p.Endpoint()+"/cairn.admin.")
}

// cairnAs runs an admin command as somebody, and returns what it said on both outputs.
func (r *rights) cairnAs(access, secret string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), adminTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.bed.Bin, args...)
	cmd.Env = append(testbed.OwnEnviron(), "CAIRN_ENDPOINT="+r.nodes[1].Endpoint(), "CAIRN_ACCESS_KEY="+access, "CAIRN_SECRET_KEY="+secret)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// must runs an admin command as the root user, which must succeed.
func (r *rights) must(args ...string) {
	r.t.Helper()
	_, err := r.cairn(args...)
	require.NoError(r.t, err)
}

// disabled makes more than a thousand accounts beside clients that make and delete buckets, and then
// disables one, several times. The command must succeed, and no node may let the account in with a
// request that is sent a second later or more.
func (r *rights) disabled(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	const access, secret = "VICTIM00000000000001", "victim/secret+of=some/length0123456789"
	r.must("account", "add", "victim", "--access-key", access, "--secret-key", secret)
	r.must("account", "add", "maker", "--access-key", "MAKER000000000000001", "--secret-key", secret)

	var buckets atomic.Int64
	var makers sync.WaitGroup
	for i := range crowdClients {
		maker := clientAs(r.nodes[i%3], "MAKER000000000000001", secret)
		makers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				name := aws.String(fmt.Sprintf("made-%d-%d", i, n))
				_, err := maker.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: name})
				if err == nil {
					_, err = maker.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: name})
				}
				if err != nil && ctx.Err() == nil {
					t.Errorf("bucket %s: %v", *name, err)
					return
				}
				buckets.Add(1)
			}
		})
	}
	first := r.timed(t, "first")
	began := time.Now()
	var crowd errgroup.Group
	for i, p := range r.nodes {
		api := r.admin(p)
		crowd.Go(func() error {
			for n := i; n < crowdAccounts; n += len(r.nodes) {
				if _, err := api.AddAccount(ctx, &adminpb.AddAccountRequest{Name: fmt.Sprintf("crowd-%d", n)}); err != nil {
					return fmt.Errorf("account %d: %w", n, err)
				}
			}
			return nil
		})
	}
	require.NoError(t, crowd.Wait())
	t.Logf("%d accounts beside %d clients, who made %d buckets, took %s", crowdAccounts, crowdClients, buckets.Load(), time.Since(began))
	t.Logf("an account, one after the other: %s at first, %s with %d there", first, r.timed(t, "last"), timedAccounts+crowdAccounts)

	for range disableRounds {
		r.everywhere(t, access, secret, func(err error) bool { return err == nil })
		api := r.admin(r.nodes[0])
		_, err := api.SetAccountDisabled(ctx, &adminpb.SetAccountDisabledRequest{Account: "victim", Disabled: true})
		require.NoError(t, err)
		told := time.Now()
		_, err = clientAs(r.nodes[0], access, secret).ListBuckets(ctx, &s3.ListBucketsInput{})
		require.Error(t, err, "the node that was told lets it in")
		time.Sleep(time.Until(told.Add(promisedWithin))) // This is the time that is promised, and no deadline of the test.
		for _, p := range r.nodes {
			_, err := clientAs(p, access, secret).ListBuckets(ctx, &s3.ListBucketsInput{})
			require.Error(t, err, "%s lets it in", p)
		}
		// It must be refused because it is disabled, and not because the metadata could not be asked.
		r.everywhere(t, access, secret, func(err error) bool { return err != nil && strings.Contains(err.Error(), "AccessDenied") })
		_, err = api.SetAccountDisabled(ctx, &adminpb.SetAccountDisabledRequest{Account: "victim"})
		require.NoError(t, err)
	}
	stop()
	makers.Wait()
	require.Positive(t, buckets.Load())

	// It may make as many buckets as its bound says, and no more.
	r.must("account", "buckets", "maker", "2")
	// This node has answered the command, so it knows the bound.
	maker := clientAs(r.nodes[0], "MAKER000000000000001", secret)
	have, err := maker.ListBuckets(t.Context(), &s3.ListBucketsInput{})
	require.NoError(t, err)
	for n := len(have.Buckets); ; n++ {
		_, err = maker.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(fmt.Sprintf("last-%d", n))})
		if n >= 2 {
			break
		}
		require.NoError(t, err)
	}
	require.ErrorContains(t, err, "TooManyBuckets")
}

// timed makes accounts one after the other, and returns how long one takes.
func (r *rights) timed(t *testing.T, name string) time.Duration {
	api, began := r.admin(r.nodes[0]), time.Now()
	for i := range timedAccounts {
		_, err := api.AddAccount(t.Context(), &adminpb.AddAccountRequest{Name: fmt.Sprintf("%s-%d", name, i)})
		require.NoError(t, err)
	}
	return (time.Since(began) / timedAccounts).Round(100 * time.Microsecond)
}

// everywhere waits until every node answers an account as wanted says.
func (r *rights) everywhere(t *testing.T, access, secret string, wanted func(error) bool) {
	t.Helper()
	for _, p := range r.nodes {
		last := error(nil)
		require.Eventually(t, func() bool {
			_, last = clientAs(p, access, secret).ListBuckets(t.Context(), &s3.ListBucketsInput{})
			return wanted(last)
		}, adminTimeout, pollEvery, "%s: %v", p, &last)
	}
}

// delegated tries what an administrator may not do who has rights about access keys only.
func (r *rights) delegated(t *testing.T) {
	const secret = "delegated/secret+of=some/length0123456"
	dir := t.TempDir()
	document := filepath.Join(dir, "keys.json")
	require.NoError(t, os.WriteFile(document, []byte(`{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": "admin:AddAccessKey", "Resource": "*"}]}`), 0o600))
	disabler := filepath.Join(dir, "disabler.json")
	require.NoError(t, os.WriteFile(disabler, []byte(`{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": "admin:SetAccessKeyDisabled", "Resource": "*"}]}`), 0o600))
	r.must("account", "add", "operators", "--admin", "--access-key", "OPERATORS00000000001", "--secret-key", secret)
	r.must("account", "add", "tenant", "--access-key", "TENANT00000000000001", "--secret-key", secret)
	for i, account := range []string{"operators", "tenant"} {
		r.must("policy", "add", "keys", "--account", account, "--file", document)
		r.must("policy", "add", "disabler", "--account", account, "--file", disabler)
		for user, policy := range map[string]string{"clerk": "keys", "guard": "disabler", "boss": "admin"} {
			r.must("user", "add", user, "--account", account)
			r.must("policy", "attach", policy, "--account", account, "--user", user)
		}
		clerk, guard, boss := fmt.Sprintf("CLERK00000000000000%d", i), fmt.Sprintf("GUARD00000000000000%d", i), fmt.Sprintf("BOSS000000000000000%d", i)
		r.must("accesskey", "add", "--account", account, "--user", "clerk", "--access-key", clerk, "--secret-key", secret)
		r.must("accesskey", "add", "--account", account, "--user", "guard", "--access-key", guard, "--secret-key", secret)
		r.must("accesskey", "add", "--account", account, "--user", "boss", "--access-key", boss, "--secret-key", secret)
		root := []string{"OPERATORS00000000001", "TENANT00000000000001"}[i]
		for _, refused := range [][]string{
			{clerk, "accesskey", "add"}, {clerk, "accesskey", "add", "--account", account},
			{clerk, "accesskey", "add", "--account", "operators"}, {clerk, "accesskey", "add", "--account", "cairn"},
			{clerk, "accesskey", "add", "--account", "operators", "--user", "boss"},
			{clerk, "accesskey", "add", "--account", account, "--user", "boss"},
			{clerk, "accesskey", "disable", root}, {clerk, "user", "add", "friend"},
			{guard, "accesskey", "disable", root}, {guard, "accesskey", "disable", "OPERATORS00000000001"},
			{guard, "accesskey", "disable", boss}, {guard, "accesskey", "disable", rootUser}, {guard, "accesskey", "add", "--user", "guard"},
		} {
			out, err := r.cairnAs(refused[0], secret, refused[1:]...)
			require.Error(t, err, "%v: %s", refused, out)
			require.NotContains(t, out, "secret", "%v", refused)
		}
		out, err := r.cairnAs(clerk, secret, "accesskey", "add", "--user", "clerk")
		require.NoError(t, err, "what it may do: %s", out)
		out, err = r.cairnAs(guard, secret, "accesskey", "enable", guard)
		require.NoError(t, err, "what it may do: %s", out)
		out, err = r.cairnAs(root, secret, "accesskey", "list")
		require.NoError(t, err, "root's key still works: %s", out)
		require.NotContains(t, out, "disabled")
	}
}

// copies has boto3 and the aws CLI copy from a source that a policy denies, in every spelling of the
// source.
func (r *rights) copies(t *testing.T) {
	const secret = "copier/secret+of=some/length0123456789"
	r.must("account", "add", "owner", "--access-key", "OWNER000000000000001", "--secret-key", secret)
	r.must("user", "add", "copier", "--account", "owner")
	r.must("policy", "attach", "readwrite", "--account", "owner", "--user", "copier")
	r.must("accesskey", "add", "--account", "owner", "--user", "copier", "--access-key", "COPIER00000000000001", "--secret-key", secret)
	cmd := exec.CommandContext(t.Context(), python(t), "testdata/boto3_copy_source.py")
	cmd.Env = append(os.Environ(), "AWS_DEFAULT_REGION=us-east-1", "ENDPOINT="+r.nodes[0].Endpoint(), "OTHER_ENDPOINT="+r.nodes[1].Endpoint(),
		"OWNER=OWNER000000000000001", "COPIER=COPIER00000000000001", "SECRET="+secret)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)
}
