// Package admin is the admin API: what the commands of cairn ask of any node,
// under requests signed with S3 credentials.
//
// Who administers the cluster (its root, and accounts made to) may ask anything.
// The root of another account manages what is in its account, and no more. Users and
// roles may do what their policies allow of that (see rights.go). Whatever changes
// something is logged once, with who asked and what came of it.
//
// What only a node itself knows is asked of it over the internode listener (Peer).
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

	"connectrpc.com/connect"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/cluster/rpc"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb/adminpbconnect"
	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sigauth"
	"github.com/cairnstore/cairn/shard"
)

// Metadata is what the admin API reads, and how it aborts uploads.
type Metadata interface {
	meta.Client
	TopologyAtLeast(ctx context.Context, epoch uint64) (*meta.Topology, error)
	Members(ctx context.Context) (*metapb.MembersResponse, error)
}

// Config says what the admin API tells of and works on.
type Config struct {
	Node     cluster.NodeID
	Version  string
	Verifier *sigauth.Verifier // The Subject of its credentials is an *iam.Identity.
	Metadata Metadata
	State    func(cluster.NodeID) gossip.State
	// Peer is a node, this one or another, as the admin API asks it.
	Peer func(*cluster.Node) Peer
	// Stores finds the shards of a drive, as stripe.Config.Stores does.
	Stores func(cluster.DriveID) (shard.Store, error)

	Region string // Of the ARNs of master keys.
	// Directory returns the directory as an identity may change it.
	Directory  func(by *iam.Identity) Directory
	Settings   Settings
	NodeKnobs  map[string]string // Run-time knobs of the node's own settings.
	MasterKeys MasterKeys
	Entries    Entries

	EventTargets EventTargets
	KnownTargets KnownTargets

	// Backup writes a backup of the metadata; Warnings are sentences for operators that
	// the metadata do not tell. Nil: there are none.
	Backup   func(context.Context, io.Writer) error
	Warnings func() []string

	Rights Rights
	// Conditions returns the facts of a request for the conditions of policies. Nil:
	// none.
	Conditions func(*http.Request) func(key string) ([]string, bool)
	Log        *slog.Logger
	// Done is told of each call when it is answered, and of a stream when it begins.
	// Nil: nobody is.
	Done func(*Call)
	// Ending is closed when the node is to stop: streams end then. Nil: never.
	Ending <-chan struct{}
}

// Rights says what policies allow of the admin API; iam.Authorizer does.
type Rights interface {
	AllowsAdmin(id *iam.Identity, method string, ofCluster bool, resource string, facts func(string) ([]string, bool)) bool
}

// maxBody bounds a request: they hold a few fields.
const maxBody = 1 << 20

// New returns the handler of the admin API.
func New(c Config) http.Handler {
	return &authenticated{c: c, next: handler(c)}
}

// handler is New's for requests whose context says who the caller is.
func handler(c Config) http.Handler {
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

// authenticated lets signed requests through and refuses others.
type authenticated struct {
	c    Config
	next http.Handler
}

// errorWriter writes errors of requests that do not reach the service.
func errorWriter() *connect.ErrorWriter { return connect.NewErrorWriter() }

// coversBody reports whether a request is signed, its body too: the other signatures
// of S3 leave it out, and a URL may be passed on.
func coversBody(r *http.Request, req *sigauth.Request) bool {
	hash := r.Header.Get("X-Amz-Content-Sha256")
	raw, err := hex.DecodeString(hash)
	return req.Version == sigauth.V4 && !req.Presigned && err == nil && len(raw) == sha256.Size
}

// ServeHTTP implements http.Handler.
func (a *authenticated) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asked := &question{id: rand.Text()}
	if a.c.Conditions != nil {
		asked.facts = a.c.Conditions(r)
	}
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
	// The body is small: it is read here, so that its hash is checked first.
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
