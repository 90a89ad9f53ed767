package transfer

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
)

// How requests are made. All of them may be repeated.
const (
	attempts     = 7
	pauseMax     = 2 * time.Second // Between two attempts.
	dialTimeout  = 15 * time.Second
	answerWithin = 15 * time.Minute // After a request is sent: a copy of 5 GiB takes its time.
	stallAfter   = time.Minute      // A body that brings nothing for so long is asked for anew.
	usualRegion  = "us-east-1"
)

// Endpoint says which store is meant, and who asks. What is empty comes from the environment and the files
// of AWS.
type Endpoint struct {
	URL       string // Empty: as the AWS files say, and if they say nothing AWS itself.
	Region    string
	AccessKey string
	SecretKey string
	Profile   string // Of the AWS files.
	CAFile    string // Certificates (PEM) that the endpoint's is checked against.
	Anonymous bool   // Requests are not signed.

	PauseMax time.Duration // Between two attempts; 0: some seconds.
	Stall    time.Duration // A body that brings nothing for so long is asked for anew; 0: a minute.
}

// Store is the S3 API of an endpoint.
type Store struct {
	*s3.Client
	Name  string // The endpoint, for people.
	Keys  aws.CredentialsProvider
	stall time.Duration
	pause time.Duration // The longest one between two attempts.
}

// Open returns a store. It asks nothing of it yet.
func Open(ctx context.Context, e Endpoint) (*Store, error) {
	hc := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost, t.MaxIdleConns = connectionsKept, connectionsKept
		t.ResponseHeaderTimeout = answerWithin
	}).WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout })
	options := []func(*config.LoadOptions) error{config.WithHTTPClient(hc), config.WithLogger(logging.Nop{})}
	if e.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(e.Profile))
	}
	if e.Region != "" {
		options = append(options, config.WithRegion(e.Region))
	}
	if e.CAFile != "" {
		pem, err := os.ReadFile(e.CAFile)
		if err != nil {
			return nil, fmt.Errorf("the certificate authority: %w", err)
		}
		options = append(options, config.WithCustomCABundle(bytes.NewReader(pem)))
	}
	switch {
	case e.Anonymous:
		options = append(options, config.WithCredentialsProvider(aws.AnonymousCredentials{}))
	case e.AccessKey != "":
		keys := credentials.NewStaticCredentialsProvider(e.AccessKey, e.SecretKey, "")
		options = append(options, config.WithCredentialsProvider(keys))
	}
	if e.URL != "" { // Keys that a machine of AWS has are for AWS.
		options = append(options, config.WithEC2IMDSClientEnableState(imds.ClientDisabled))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("the settings of AWS: %w", err)
	}
	if cfg.Region == "" {
		cfg.Region = usualRegion
	}
	// Checksums are computed and compared here: of the whole, however many requests it takes.
	cfg.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	cfg.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	s := &Store{Keys: cfg.Credentials, stall: stallAfter, pause: pauseMax}
	if e.PauseMax > 0 {
		s.pause = e.PauseMax
	}
	if e.Stall > 0 {
		s.stall = e.Stall
	}
	cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.MaxBackoff, o.RateLimiter = attempts, s.pause, ratelimit.None
		})
	}
	s.Client = s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.DisableLogOutputChecksumValidationSkipped = true
		if e.URL != "" {
			o.BaseEndpoint = aws.String(strings.TrimRight(e.URL, "/"))
		}
		s.Name = "AWS, region " + o.Region
		if o.BaseEndpoint != nil {
			s.Name = *o.BaseEndpoint
			o.UsePathStyle = !strings.Contains(s.Name, ".amazonaws.com")
		}
	})
	return s, nil
}

// connectionsKept is how many connections to an endpoint are kept for the next request.
const connectionsKept = 64

// HasKeys reports whether there are keys to sign with, or none are wanted.
func (s *Store) HasKeys(ctx context.Context) error {
	if s.Keys == nil || aws.IsCredentialsProvider(s.Keys, aws.AnonymousCredentials{}) {
		return nil
	}
	_, err := s.Keys.Retrieve(ctx)
	return err
}
