package node

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin"
	"github.com/cairnstore/cairn/node/member"
	"github.com/cairnstore/cairn/s3api"
	"github.com/cairnstore/cairn/s3api/bucket"
	"github.com/cairnstore/cairn/s3api/federate"
	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/kms"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/policy"
	"github.com/cairnstore/cairn/s3api/sigauth"
	"github.com/cairnstore/cairn/s3api/sse"
)

// Labels of the keys that are derived from the cluster key.
const (
	labelSecrets  = "cairn secrets v1"  // The key that seals secrets of access keys, and session tokens.
	labelKMS      = "cairn kms seed v1" // The root key, if none is given.
	labelSettings = "cairn settings v1" // The key of the digests by which nodes compare settings.
)

// access is who may do what, and the keys of the key service, as far as this node knows.
type access struct {
	directory *iam.Directory
	buckets   *bucket.Cache
	keys      *iam.Keys
	admin     *iam.Admin
	kms       *kms.Service
	told      sse.KeyService // Like kms, with the errors that clients are told.
	web       *federate.Verifier
}

// openAccess builds the directory of accounts and keys on top of the metadata. It is empty until
// the node has joined its cluster.
func (n *Node) openAccess(ctx context.Context) error {
	a := &n.access
	a.directory = iam.NewDirectory(n.client)
	a.directory.OnChange(func() { n.applySettings(a.directory.Settings()) })
	a.directory.OnChange(n.setEventTargets)
	a.directory.OnChange(n.setLimits)
	a.buckets = a.directory.Buckets(n.client)
	a.keys = iam.NewKeys(iam.KeysConfig{Directory: a.directory, SecretKey: n.secret(labelSecrets),
		RootUser: n.cfg.RootUser, RootPassword: n.cfg.RootPassword})
	a.admin = iam.NewAdmin(iam.AdminConfig{Directory: a.directory, Keys: a.keys,
		HasBuckets: n.hasBuckets, BucketPolicies: n.bucketPolicies, CheckSetting: admin.CheckSetting})
	root, err := n.kmsRoot()
	if err != nil {
		return err
	}
	n.agreed = member.Digests(n.secret(labelSettings), n.cfg.agreed(root))
	cfg := kms.Config{Region: n.cfg.Region, Root: root}
	if n.cfg.Vault.Address != "" {
		v, err := kms.NewVault(n.cfg.Vault)
		if err != nil {
			return fmt.Errorf("setting --vault-address: %w", err)
		}
		n.later(func(context.Context) error { v.Close(); return nil })
		cfg.External = v
	}
	a.kms = kms.New(a.directory, cfg)
	n.later(func(context.Context) error { a.kms.Close(); return nil })
	a.told = s3api.KeyErrors(a.kms)
	a.web = federate.NewVerifier(federate.Config{Events: n.obs.Federation()})
	a.directory.OnChange(func() { a.web.Forget(a.directory.HasProvider) })
	n.later(func(context.Context) error { a.web.Close(); return nil })
	n.wg.Go(func() { a.directory.Run(ctx) })
	return nil
}

// kmsRoot returns the key that master keys are sealed under.
func (n *Node) kmsRoot() (*kms.RootKey, error) {
	switch {
	case n.cfg.KMSRootKeyFile != "":
		root, err := kms.LoadRootKey(n.cfg.KMSRootKeyFile)
		if err != nil {
			return nil, fmt.Errorf("setting --kms-root-key-file: %w", err)
		}
		return root, nil
	case n.cfg.KMSRootKey != "":
		root, err := kms.ParseRootKey(n.cfg.KMSRootKey)
		if err != nil {
			return nil, fmt.Errorf("setting --kms-root-key: %w", err)
		}
		return root, nil
	}
	seed := n.secret(labelKMS)
	return kms.DeriveRootKey(seed[:]), nil
}

// secret returns the key of a label. Every node derives the same from the cluster key.
func (n *Node) secret(label string) [32]byte {
	if n.identity == nil { // A simulated node has no cluster key.
		return sha256.Sum256([]byte(label))
	}
	return n.identity.Secret(label)
}

func (n *Node) hasBuckets(ctx context.Context, account string) (bool, error) {
	a, err := n.client.Read(ctx, &metapb.Query{Op: &metapb.Query_ListBuckets{ListBuckets: &metapb.ListBuckets{Owner: account}}})
	if err != nil {
		return false, err
	}
	return len(a.Buckets) > 0, nil
}

// bucketPolicies returns the policies of an account's buckets.
func (n *Node) bucketPolicies(ctx context.Context, account string) ([]*policy.Policy, error) {
	a, err := n.client.Read(ctx, &metapb.Query{Op: &metapb.Query_ListBuckets{ListBuckets: &metapb.ListBuckets{Owner: account}}})
	if err != nil {
		return nil, err
	}
	var out []*policy.Policy
	for _, b := range a.Buckets {
		found, err := n.access.buckets.Get(ctx, b.Name)
		switch {
		case errs.Is(err, errs.NotFound):
		case err != nil:
			return nil, err
		case found.Owner == account && found.Policy != nil:
			out = append(out, found.Policy)
		}
	}
	return out, nil
}

// loadDirectory waits until this node knows the directory. Before that it would refuse everybody
// except the root.
func (n *Node) loadDirectory(ctx context.Context) error {
	for {
		err := n.access.directory.Refresh(ctx)
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		n.log.Debug("the directory is not loaded yet", "cause", err)
		if err := n.peers.Await(ctx, directoryRetry); err != nil {
			return err
		}
	}
}

const directoryRetry = 500 * time.Millisecond

// callerOf returns who a verified credential stands for.
func callerOf(c sigauth.Credential) (object.Caller, *iam.Identity) {
	id, ok := c.Subject.(*iam.Identity)
	if !ok {
		return object.Caller{}, nil
	}
	name := id.AccountName
	if id.User != "" {
		name = id.User
	}
	return object.Caller{Account: id.Account, DisplayName: name, User: id.Initiator()}, id
}

// keyName returns the name by which clients are told of a master key.
func (n *Node) keyName(id string) string {
	k, err := n.access.kms.Show(id)
	if err != nil {
		return id // The key was deleted, but objects that are encrypted under it still name it.
	}
	return kms.AnswerID(n.cfg.Region, k.Account, id)
}

// stsHandler returns the STS API.
func (n *Node) stsHandler(v *sigauth.Verifier, forwarded func(*http.Request) bool) http.Handler {
	sts := iam.NewSTS(n.access.directory, n.access.keys)
	sts.Federate(n.access.web)
	return iam.NewSTSHandler(iam.STSConfig{STS: sts, Verifier: v,
		Conditions: s3api.Facts(forwarded),
		Done: func(d iam.STSDone) {
			n.log.Info("sts", "request", d.RequestID, "action", d.Action, "status", d.Status, "cause", d.Err)
			n.obs.STSDone(&d)
			n.stsDone(&d, s3api.Facts(forwarded)(d.Request))
		}})
}
