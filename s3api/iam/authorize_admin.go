package iam

import "github.com/cairnstore/cairn/s3api/policy"

// AdminService is the beginning of the names of actions of the admin API.
const AdminService = "admin:"

// AllowsAdmin decides whether policies allow a user or a role to call a method of the admin API,
// whose action is admin:METHOD, on a resource. If the method concerns the whole cluster
// (ofCluster), they can allow it only in an account that administers the cluster. facts are those
// of the request; nil: none. why is told how the decision comes about; nil: nobody asks.
func (z *Authorizer) AllowsAdmin(id *Identity, method string, ofCluster bool, resource string,
	facts func(key string) ([]string, bool), why *Why) bool {
	account := z.directory.current.Load().account(id.Account)
	if account == nil || ofCluster && !account.Admin {
		return false
	}
	if facts == nil {
		facts = func(string) ([]string, bool) { return nil, false }
	}
	r := &policy.Request{Action: AdminService + method, Resource: resource, Principal: id.Principal(), Conditions: facts}
	switch z.identityEffect(id, r, why) {
	case policy.Allow:
		return why.verdict(allowedInside)
	case policy.Deny:
		return why.verdict(forbidden)
	}
	return why.verdict(nothingAllows)
}
