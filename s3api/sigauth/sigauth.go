package sigauth

import (
	"context"
	"crypto/rand"
	"io"
	"time"
)

// Limits of what is parsed.
const (
	DefaultMaxSkew = 15 * time.Minute
	// MaxExpiry bounds how long a presigned URL is good.
	MaxExpiry = 7 * 24 * time.Hour
	// MaxChunkBytes bounds a signed chunk, because it is held in memory until it is verified. SDKs
	// send 64 KiB to 1 MiB.
	MaxChunkBytes = 16 << 20

	maxAuthorizationBytes = 4096
	maxSignedHeaders      = 128
	maxParameters         = 1024 // Of a query that is signed, because they are sorted.
)

// MaxServiceBodyBytes bounds the body of a request to a service other than S3 that does not tell
// the body's hash. It is read into memory to be hashed.
const MaxServiceBodyBytes = 64 << 10

// Version is the scheme by which a request is signed. Its values are those of the condition key
// s3:signatureversion.
type Version string

// The versions.
const (
	V2  Version = "AWS"
	V4  Version = "AWS4-HMAC-SHA256"
	OBS Version = "OBS" // V2 with x-obs- in place of x-amz-.
)

// The services that the scope of a V4 signature may name.
const (
	ServiceS3  = "s3"
	ServiceSTS = "sts"
)

// Credential is an access key, its secret, and whom it stands for.
type Credential struct {
	AccessKey string
	Secret    string
	Subject   any // Whom the key stands for, as Keys represents it. This package only hands it on.
}

// String keeps the secret out of every log line and error.
func (c Credential) String() string { return "sigauth.Credential(" + c.AccessKey + ", redacted)" }

// GoString is String, for %#v.
func (c Credential) GoString() string { return c.String() }

// MarshalText is String, for encoders of logs.
func (c Credential) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Keys finds credentials. It must be safe for concurrent use.
type Keys interface {
	// Lookup returns the credential of an access key. token is the session token that came with it;
	// empty if none did. Errors: NotFound, if the access key does not exist, or came without the
	// token that it needs; Denied, if the token does not belong to the access key, or the access
	// key has no token; Expired, if the token has ended. Lookup is called for each request before
	// its signature is verified, so anybody can cause it: it should answer from memory.
	Lookup(ctx context.Context, accessKey, token string) (Credential, error)
}

// Config sets up a Verifier.
type Config struct {
	Keys    Keys
	Region  string        // Scopes of this region and of us-east-1 are accepted; empty: scopes of every region.
	MaxSkew time.Duration // Between a client's clock and ours; zero: DefaultMaxSkew.
	// HostBucket returns the bucket that a Host header names; empty if it names none (path style).
	// V2 and OBS sign the bucket together with the path. Nil: no host names a bucket.
	HostBucket func(host string) string
}

// Verifier verifies requests.
type Verifier struct {
	keys       Keys
	region     string
	maxSkew    time.Duration
	hostBucket func(host string) string
	signing    *keyCache
	// noSecret is the secret by which requests with unknown keys are verified, so that their answer
	// takes as long as that to a wrong signature.
	noSecret string
}

// New returns a Verifier.
func New(c Config) *Verifier {
	if c.MaxSkew <= 0 {
		c.MaxSkew = DefaultMaxSkew
	}
	if c.HostBucket == nil {
		c.HostBucket = func(string) string { return "" }
	}
	return &Verifier{keys: c.Keys, region: c.Region, maxSkew: c.MaxSkew, hostBucket: c.HostBucket,
		signing: newKeyCache(maxCachedKeys), noSecret: rand.Text()}
}

// Request is a verified request: who sent it and what its body says.
type Request struct {
	Credential Credential
	Anonymous  bool // The request has no credential; Credential is empty.
	Presigned  bool
	Form       bool      // It came in a POST form.
	Version    Version   // Empty for an anonymous request.
	Token      bool      // The credential is temporary: it came with a session token.
	SignedAt   time.Time // By the client's clock; zero for a presigned URL of V2 or OBS, which does not say.
	Region     string    // Of the credential's scope; empty for V2 and OBS, which have none.

	// Body is the plaintext: aws-chunked is decoded. Its errors are *s3err.Error. If the payload's
	// hash, the signature of a chunk or the length is wrong, an error comes in place of the last
	// byte or earlier. A body that is not read is not verified.
	Body io.Reader
	// Size is the length of the plaintext; -1 if it is not known in advance.
	Size int64
	// Streaming says that the body came aws-chunked.
	Streaming bool
	// TrailerNames are the trailers that x-amz-trailer declares, in lower case.
	TrailerNames []string

	trailers map[string]string
}

// Trailers returns the trailers by their names in lower case. It may be called only after Body was
// read to its end.
func (r *Request) Trailers() map[string]string { return r.trailers }
