package s3api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/cairnstore/cairn/cluster/events"
	"github.com/cairnstore/cairn/s3api/accesslog"
	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/limit"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/sigauth"
	"github.com/cairnstore/cairn/s3api/sse"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// Limits that S3 sets.
const (
	MaxKeyBytes      = 1024
	MaxMetadataBytes = 2048 // Of the names, without their prefix, and the values together.
	MaxListKeys      = 1000 // Also of parts, uploads, and keys of one DeleteObjects.
	MaxPartNumber    = 10000
)

// Defaults of Limits.
const (
	DefaultMaxHeaderBytes    = 64 << 10
	DefaultMaxXMLBytes       = wirexml.MaxBodyBytes
	DefaultMaxPutBytes       = 5 << 30
	DefaultReadHeaderTimeout = 20 * time.Second
	DefaultIdleConnTimeout   = 2 * time.Minute
	DefaultIdleReadTimeout   = 30 * time.Second
	DefaultIdleWriteTimeout  = 30 * time.Second
	DefaultDocumentTimeout   = 2 * time.Minute
	DefaultHalfClosedTimeout = 10 * time.Second
)

// Config is what the S3 handler needs. A zero field means its default, if one is named.
type Config struct {
	Objects  *object.Service
	Verifier *sigauth.Verifier
	// Caller says who a credential stands for. Access decides about the identity.
	Caller func(sigauth.Credential) (object.Caller, *iam.Identity)
	// Access decides who may do what, and knows how buckets are configured. It is required: New
	// panics without it.
	Access *Access
	// Keys is the key service of SSE-KMS and SSE-S3; nil: there is none. KeyName returns a key id
	// as clients are told it.
	Keys    sse.KeyService
	KeyName func(keyID string) string

	Domains []string // Virtual hosts: bucket.DOMAIN. None: path style alone.
	// WebsiteDomains are the hosts under which buckets are served as websites: BUCKET.DOMAIN.
	WebsiteDomains []string
	Region         string // Of buckets that are made; us-east-1.
	HostID         string // x-amz-id-2: which node answered.

	// SSECAllowed reports whether a request may carry customer keys, because it came over TLS or in
	// another way that is safe for them. Nil: only TLS is.
	SSECAllowed func(*http.Request) bool

	// Forwarded reports whether a request comes from a proxy whose X-Forwarded-For and
	// X-Forwarded-Proto are to be believed. Nil: none is.
	Forwarded func(*http.Request) bool

	Events Events
	Limits Limits

	// Budget is the memory of the node's requests, of which documents take a share; who waits
	// longer than BudgetWait for some is told to slow down. Nil: one of its own; 0:
	// buf.DefaultMaxWait.
	Budget     Budget
	BudgetWait time.Duration

	// Limiter holds requests to what callers may take. Nil: they may take what there is.
	Limiter *limit.Limiter

	KnownTarget func(ctx context.Context, arn, account string) bool // Whether events of an account's buckets may go to a target. Nil: there is none.

	// AccessLog takes the lines of requests to buckets whose logging is on. Nil: they are dropped.
	AccessLog func(accesslog.Stream, []byte)

	LifecycleDay time.Duration // How long a day of lifecycle rules is. 0: lifecycle.DefaultDay.

	// Profile returns the settings of now that can change at run time. It is asked once for each
	// request. Nil: those of profile.Default.
	Profile func() *profile.Profile

	STS    http.Handler // Serves the STS API at the root; authenticates by itself. Nil: none.
	Admin  http.Handler // Serves paths under AdminPrefix; authenticates by itself. Nil: none.
	Livez  func() error // Nil result or nil func: alive.
	Readyz func() error // Nil result or nil func: ready.
}

// Unheld reports whether a request is answered while a node is still joining its cluster. Health
// checks and the admin API are.
func Unheld(r *http.Request) bool {
	return r.URL.Path == "/livez" || r.URL.Path == "/readyz" || strings.HasPrefix(r.URL.Path, AdminPrefix)
}

// AdminPrefix is where Config.Admin is. No bucket has this name.
const AdminPrefix = "/cairn.admin./"

// Limits bound what a request may cost. A zero field means its default.
type Limits struct {
	MaxHeaderBytes int
	MaxXMLBytes    int64 // Of the document of a DeleteObjects or a Complete.
	MaxPartBytes   int64 // Of an UploadPart.
	MaxPutBytes    int64 // Of a PutObject.

	ReadHeaderTimeout time.Duration // For a request's headers to arrive.
	IdleConnTimeout   time.Duration // Between requests of a connection.
	// IdleReadTimeout is how long a body may bring less than minProgressBytes, IdleWriteTimeout how
	// long a client may take to accept a block.
	IdleReadTimeout  time.Duration
	IdleWriteTimeout time.Duration
	// DocumentTimeout is how long a document may take to arrive, and the body of a request that is
	// not to S3.
	DocumentTimeout time.Duration
	// HalfClosedTimeout is how long a request goes on whose client has closed its side of the
	// connection.
	HalfClosedTimeout time.Duration
}

func (c Config) withDefaults() Config {
	if c.Region == "" {
		c.Region = wirexml.DefaultRegion
	}
	if c.SSECAllowed == nil {
		c.SSECAllowed = func(r *http.Request) bool { return r.TLS != nil }
	}
	if c.Forwarded == nil {
		c.Forwarded = func(*http.Request) bool { return false }
	}
	if c.KeyName == nil {
		c.KeyName = func(id string) string { return id }
	}
	if c.KnownTarget == nil {
		c.KnownTarget = func(context.Context, string, string) bool { return false }
	}
	if c.Profile == nil {
		p := profile.Default()
		c.Profile = func() *profile.Profile { return p }
	}
	c.Limits, c.Events = c.Limits.withDefaults(), events.Filled(c.Events)
	return c
}

func (l Limits) withDefaults() Limits {
	orDefault(&l.MaxHeaderBytes, DefaultMaxHeaderBytes)
	orDefault(&l.MaxXMLBytes, DefaultMaxXMLBytes)
	orDefault(&l.MaxPartBytes, DefaultMaxPutBytes)
	orDefault(&l.MaxPutBytes, DefaultMaxPutBytes)
	orDefault(&l.ReadHeaderTimeout, DefaultReadHeaderTimeout)
	orDefault(&l.IdleConnTimeout, DefaultIdleConnTimeout)
	orDefault(&l.IdleReadTimeout, DefaultIdleReadTimeout)
	orDefault(&l.IdleWriteTimeout, DefaultIdleWriteTimeout)
	orDefault(&l.DocumentTimeout, DefaultDocumentTimeout)
	orDefault(&l.HalfClosedTimeout, DefaultHalfClosedTimeout)
	return l
}

func orDefault[T int | int64 | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}
