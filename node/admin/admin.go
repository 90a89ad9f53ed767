// Package admin is the admin API: what the commands of cairn ask of any node,
// under requests signed with S3 credentials.
//
// It does not define what it changes: accounts belong to s3api/iam, the metadata to meta/state, and
// what a node knows of itself to node (Peer).
//
// The root of the cluster may ask anything, and so may the roots of accounts that were made to
// administer it. The root of another account manages what is in its account and nothing else. Users and
// roles may do what their policies allow, within what the root of their account may do (rights.go).
// Each call that changes something is logged once, with who asked and the outcome.
//
// Any node answers. It reads from the metadata what the whole cluster knows. What only one node knows,
// it asks that node over the internode listener. If that node does not answer in time, the answer says
// so and does not fail.
//
// Methods return errors of cluster/errs, whose kinds become the codes of Connect. Invalid means that
// the request cannot be right, Denied that the caller may not make it, and NotFound that what it names
// is not there or belongs to another account.
package admin

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"connectrpc.com/connect"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/cluster/rpc"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb/adminpbconnect"
	"github.com/cairnstore/cairn/s3api"
	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sigauth"
	"github.com/cairnstore/cairn/shard"
)

// Metadata is how the admin API reads and changes the metadata.
type Metadata interface {
	meta.Client
	TopologyAtLeast(ctx context.Context, epoch uint64) (*meta.Topology, error)
	Members(ctx context.Context) (*metapb.MembersResponse, error)
}

// Config says what the admin API tells of and works on.
type Config struct {
	Node     cluster.NodeID
	Version  string
	Verifier *sigauth.Verifier // The Subject of the credentials that it returns is an *iam.Identity.
	Metadata Metadata
	State    func(cluster.NodeID) gossip.State
	// Peer returns the client that asks a node, this one or another.
	Peer func(*cluster.Node) Peer
	// Stores reaches the shards of any drive, as stripe.Config.Stores does.
	Stores func(cluster.DriveID) (shard.Store, error)

	Region string // The region in the ARNs of master keys.
	// Directory returns the directory of accounts as an identity may change it.
	Directory  func(by *iam.Identity) Directory
	Settings   Settings
	Own        OwnSettings
	MasterKeys MasterKeys
	Entries    Entries

	Limits      Limits
	AccountName func(id string) string // The id, if this node knows no such account.

	EventTargets EventTargets
	KnownTargets KnownTargets

	LifecycleDay time.Duration // How long a day of lifecycle rules is; 0: lifecycle.DefaultDay.

	// Backup writes a backup of the metadata. Warnings returns sentences for operators about what
	// the metadata do not tell; nil: there are none.
	Backup   func(context.Context, io.Writer) error
	Warnings func() []string

	Rights    Rights
	Simulator Simulator
	// Named finds somebody by name, as iam.Keys.Named does.
	Named func(ctx context.Context, account, name string, within bool) (*iam.Somebody, error)
	// Conditions returns the facts of a request that conditions of policies ask for. Nil: none.
	Conditions func(*http.Request) func(key string) ([]string, bool)
	Log        *slog.Logger
	// Done is told of each call after it was answered, and of a stream when it begins. Nil: nobody
	// is told.
	Done func(*Call)
	// Ending is closed when the node is to stop, which ends all streams. Nil: they end by
	// themselves.
	Ending <-chan struct{}
}

// Rights says what policies allow of the admin API. iam.Authorizer implements it.
type Rights interface {
	AllowsAdmin(id *iam.Identity, method string, ofCluster bool, resource string, facts func(string) ([]string, bool),
		why *iam.Why) bool
}

// Simulator says what would be decided about requests to the S3 API. s3api.Simulator implements it.
type Simulator interface {
	Simulate(ctx context.Context, in *s3api.Supposed) (*s3api.Simulated, error)
}

// maxBody is how many bytes a request may have. Requests have a few fields.
const maxBody = 1 << 20

// withDefaults fills in what may be nil.
func (c Config) withDefaults() Config {
	if c.Warnings == nil {
		c.Warnings = func() []string { return nil }
	}
	if c.Conditions == nil {
		c.Conditions = func(*http.Request) func(string) ([]string, bool) { return nil }
	}
	if c.Done == nil {
		c.Done = func(*Call) {}
	}
	return c
}

// New returns the handler of the admin API.
func New(c Config) http.Handler {
	c = c.withDefaults()
	return &authenticated{c: c, next: handler(c)}
}

// handler returns the handler of requests whose context says who the caller is.
func handler(c Config) http.Handler {
	c = c.withDefaults()
	options := append(rpc.ConnectOptions(), connect.WithInterceptors(&guard{c}))
	_, h := adminpbconnect.NewAdminServiceHandler(&service{c: c}, options...)
	return h
}

// service implements AdminService.
type service struct {
	c          Config
	tolerances meta.Tolerances
}

var _ adminpbconnect.AdminServiceHandler = (*service)(nil)

// authenticated is a handler that lets requests with a valid signature through and refuses others.
type authenticated struct {
	c    Config
	next http.Handler
}

// errorWriter returns what writes the errors of requests that do not reach the service.
func errorWriter() *connect.ErrorWriter { return connect.NewErrorWriter() }

// coversBody reports whether the signature of a request covers its body. Other signatures of S3 leave
// the body out, and a presigned URL may be passed on: neither is enough to administer with.
func coversBody(r *http.Request, req *sigauth.Request) bool {
	hash := r.Header.Get("X-Amz-Content-Sha256")
	raw, err := hex.DecodeString(hash)
	return req.Version == sigauth.V4 && !req.Presigned && err == nil && len(raw) == sha256.Size
}

// ServeHTTP implements http.Handler.
func (a *authenticated) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asked := &question{id: rand.Text(), facts: a.c.Conditions(r)}
	w.Header().Set("X-Amz-Request-Id", asked.id)
	req, err := a.c.Verifier.Verify(r)
	if err == nil && !coversBody(r, req) {
		err = s3err.AccessDenied.Say("admin requests must be signed with AWS4-HMAC-SHA256, in headers and with the hash of their body")
	}
	if err != nil {
		call := &Call{Method: knownMethod(r.URL.Path), Claimed: sigauth.Claimed(r)}
		a.c.done(asked, call, errs.New("admin", errs.Denied, err))
		_ = errorWriter().Write(w, r, connect.NewError(connect.CodePermissionDenied, fmt.Errorf("%w", err)))
		return
	}
	// The body is small, so all of it is read here: its hash is checked before anything is done.
	body, err := io.ReadAll(io.LimitReader(req.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = fmt.Errorf("a request is at most %d bytes", maxBody)
	}
	if err != nil {
		_ = errorWriter().Write(w, r, connect.NewError(connect.CodeInvalidArgument, err))
		return
	}
	asked.caller, _ = req.Credential.Subject.(*iam.Identity)
	r = r.WithContext(asked.context(r.Context()))
	r.Body = io.NopCloser(bytes.NewReader(body))
	a.next.ServeHTTP(w, r)
}
