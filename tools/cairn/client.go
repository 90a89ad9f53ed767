package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/cairnstore/cairn/cluster/rpc"
	"github.com/cairnstore/cairn/node/admin/adminpb/adminpbconnect"
	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
)

// adminPath is where a node serves the admin API; no bucket has this name.
const adminPath = "/cairn.admin."

// adminTimeout bounds one admin call.
const adminTimeout = 15 * time.Second

// target is the cluster that an admin command talks to.
type target struct {
	Endpoint  string `yaml:"endpoint" json:"endpoint"`
	AccessKey string `yaml:"access-key" json:"access_key"`
	SecretKey string `yaml:"secret-key" json:"secret_key"`
	CAFile    string `yaml:"ca-file" json:"ca_file"`

	profile string
}

// flags registers the settings of the target on an admin command.
func (t *target) flags(cmd *cobra.Command) {
	t.placeFlags(cmd)
	cmd.Flags().StringVar(&t.AccessKey, "access-key", "", "access key (CAIRN_ACCESS_KEY)")
	cmd.Flags().StringVar(&t.SecretKey, "secret-key", "", "secret key (better set as CAIRN_SECRET_KEY)")
}

// placeFlags is flags without the credentials.
func (t *target) placeFlags(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&t.Endpoint, "endpoint", "", "S3 endpoint of any node, as https://HOST:PORT (CAIRN_ENDPOINT; default: a running cairn dev)")
	fs.StringVar(&t.CAFile, "ca-file", "", "certificate authority (PEM) that the endpoint's certificate is checked against (CAIRN_CA_FILE; default: those of this machine)")
	fs.StringVar(&t.profile, "profile", "", "YAML file with endpoint, access-key, secret-key and ca-file (CAIRN_PROFILE; default ~/.config/cairn/profile.yaml)")
}

// resolve fills what flags left open from the environment, the profile file and
// a running `cairn dev`, in this order.
func (t *target) resolve() error {
	env := target{os.Getenv("CAIRN_ENDPOINT"), os.Getenv("CAIRN_ACCESS_KEY"),
		os.Getenv("CAIRN_SECRET_KEY"), os.Getenv("CAIRN_CA_FILE"), os.Getenv("CAIRN_PROFILE")}
	if t.profile == "" {
		t.profile = env.profile
	}
	t.fill(env)
	file, err := readProfile(t.profile)
	if err != nil {
		return err
	}
	t.fill(file)
	if t.Endpoint == "" || t.AccessKey == "" {
		if err := t.fillFromDev(runningDevs()); err != nil {
			return err
		}
	}
	switch {
	case t.Endpoint == "":
		return &statusError{exitUsage, errors.New("no cluster to talk to: give --endpoint or CAIRN_ENDPOINT, or start `cairn dev`")}
	case t.AccessKey == "" || t.SecretKey == "":
		return &statusError{exitUsage, errors.New("no credentials: give CAIRN_ACCESS_KEY and CAIRN_SECRET_KEY, or --access-key and --secret-key")}
	case !strings.HasPrefix(t.Endpoint, "http://") && !strings.HasPrefix(t.Endpoint, "https://"):
		return &statusError{exitUsage, fmt.Errorf("--endpoint %q must begin with http:// or https://", t.Endpoint)}
	}
	return nil
}

func (t *target) fill(from target) {
	for _, p := range []struct{ to, from *string }{{&t.Endpoint, &from.Endpoint}, {&t.AccessKey, &from.AccessKey},
		{&t.SecretKey, &from.SecretKey}, {&t.CAFile, &from.CAFile}} {
		if *p.to == "" {
			*p.to = *p.from
		}
	}
}

func readProfile(path string) (target, error) {
	var t target
	explicit := path != ""
	if !explicit {
		dir, err := os.UserConfigDir()
		if err != nil {
			return t, nil
		}
		path = filepath.Join(dir, "cairn", "profile.yaml")
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && !explicit {
		return t, nil
	}
	if err != nil {
		return t, fmt.Errorf("profile: %w", err)
	}
	if err := yaml.UnmarshalWithOptions(text, &t, yaml.Strict()); err != nil {
		return t, fmt.Errorf("profile %s: %w", path, err)
	}
	return t, nil
}

// client returns the admin API of the target.
func (t *target) client() (adminpbconnect.AdminServiceClient, error) {
	hc, err := t.httpClient()
	if err != nil {
		return nil, err
	}
	hc.Transport = &signer{next: hc.Transport, target: t}
	return adminpbconnect.NewAdminServiceClient(hc, strings.TrimRight(t.Endpoint, "/")+adminPath), nil
}

// streams is client for calls that last: only their context ends them.
func (t *target) streams() (adminpbconnect.AdminServiceClient, error) {
	hc, err := t.httpClient()
	if err != nil {
		return nil, err
	}
	hc.Transport, hc.Timeout = &signer{next: hc.Transport, target: t}, 0
	return adminpbconnect.NewAdminServiceClient(hc, strings.TrimRight(t.Endpoint, "/")+adminPath), nil
}

func (t *target) httpClient() (*http.Client, error) {
	tr := http.DefaultTransport.(*http.Transport).Clone()
	pool, err := t.roots()
	if err != nil {
		return nil, err
	}
	if pool != nil {
		tr.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	return &http.Client{Transport: tr, Timeout: adminTimeout, CheckRedirect: rpc.NoRedirect}, nil
}

// roots returns the authorities that the endpoint's certificate is checked against; nil: those of this machine.
func (t *target) roots() (*x509.CertPool, error) {
	if t.CAFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(t.CAFile)
	if err != nil {
		return nil, fmt.Errorf("--ca-file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--ca-file %s: no certificate in it", t.CAFile)
	}
	return pool, nil
}

// signer signs requests with the target's keys (AWS Signature V4).
type signer struct {
	next   http.RoundTripper
	target *target
}

// RoundTrip implements http.RoundTripper.
func (s *signer) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		_ = req.Body.Close()
		req.Body = io.NopCloser(bytes.NewReader(body))
		req.ContentLength = int64(len(body))
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	req.Header.Set("x-amz-content-sha256", hash)
	creds := aws.Credentials{AccessKeyID: s.target.AccessKey, SecretAccessKey: s.target.SecretKey}
	sig := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err := sig.SignHTTP(req.Context(), creds, req, hash, "s3", "us-east-1", time.Now()); err != nil {
		return nil, err
	}
	return s.next.RoundTrip(req)
}

// adminError gives a failed admin call its exit status and a next step.
func (t *target) adminError(err error) error {
	var ce *connect.Error
	if !errors.As(err, &ce) {
		return &statusError{exitUnavailable, fmt.Errorf("%s: %w", t.Endpoint, err)}
	}
	say := func(status int, format string, args ...any) error {
		return &statusError{status, fmt.Errorf(format, args...)}
	}
	switch ce.Code() {
	case connect.CodePermissionDenied, connect.CodeUnauthenticated:
		return say(exitError, "%s refuses these credentials: %s", t.Endpoint, ce.Message())
	case connect.CodeNotFound:
		return say(exitNotFound, "%s", ce.Message())
	case connect.CodeInvalidArgument:
		return say(exitUsage, "%s", ce.Message())
	case connect.CodeUnimplemented:
		return say(exitError, "%s does not know this command: it runs an older version of cairn", t.Endpoint)
	case connect.CodeUnknown:
		return say(exitUnavailable, "%s: %s: the change may or may not have been made; look before you repeat it", t.Endpoint, ce.Message())
	case connect.CodeUnavailable, connect.CodeDeadlineExceeded, connect.CodeCanceled:
		return say(exitUnavailable, "%s: %s", t.Endpoint, ce.Message())
	}
	return say(exitError, "%s", ce.Message())
}

// withTimeout bounds one admin call.
func withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, adminTimeout)
}
