package node

import (
	"net/http"
	"strings"

	"github.com/cairnstore/cairn/node/admin"
	"github.com/cairnstore/cairn/s3api"
	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/sigauth"
)

// adminHandler returns the admin API of this node.
func (n *Node) adminHandler(v *sigauth.Verifier, forwarded func(*http.Request) bool) http.Handler {
	a := &n.access
	return http.StripPrefix(strings.TrimSuffix(s3api.AdminPrefix, "/"), admin.New(admin.Config{
		Node: n.home.ID(), Version: n.env.Version, Verifier: v,
		Metadata: n.client, State: n.gossip.State, Peer: n.peer, Stores: n.stores.store,
		Region: n.cfg.Region, Directory: func(by *iam.Identity) admin.Directory { return a.admin.For(by) }, Settings: a.admin, Own: n.ownSettings(), MasterKeys: a.kms, Entries: a.directory,
		EventTargets: a.admin, KnownTargets: n.eventTargets, LifecycleDay: n.cfg.LifecycleDay,
		Limits: a.admin, AccountName: a.directory.AccountName,
		Backup: n.backup, Warnings: n.warnings,
		Rights: iam.NewAuthorizer(a.directory), Named: a.keys.Named,
		Simulator: &s3api.Simulator{Access: s3api.Access{Buckets: a.buckets, Authorizer: iam.NewAuthorizer(a.directory)},
			Meta: n.client},
		Conditions: s3api.Facts(forwarded),
		Log:        n.log, Done: n.adminDone, Ending: n.ending,
	}))
}
