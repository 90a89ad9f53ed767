package iam

import (
	"cmp"
	"time"

	"github.com/cairnstore/cairn/s3api/policy"
)

// The account of the cluster's root. The root access key of the settings stands for it.
const (
	RootAccount     = "cairn-root" // Account id.
	RootAccountName = "cairn"      // Display name.
)

// Identity is who makes a request. Nobody changes an Identity once it is made.
type Identity struct {
	Account     string // Id.
	AccountName string // Display name.
	User        string // Name; empty for an account's root, for roles and for federated users.
	UserID      string // Of the user: tells it from an earlier user of the same name.
	Role        string // Name of the role that was assumed, if one was.
	SessionName string // Of the role's session.

	// SessionPolicy is the policy that a session was scoped down to: the session may do only what
	// this policy allows too. Nil: not scoped down.
	SessionPolicy *policy.Policy

	Root bool // It is the account itself.
	// Admin says that the identity may do everything, because it is the root of an account that
	// administers the cluster. Users and roles of that account have only what their policies give.
	Admin     bool
	Temporary bool // It is a session, which came with a token.

	AccessKey string
	Issued    time.Time // Of a session.
	Expires   time.Time // Of a session.

	// Provider is the name of the identity provider that vouches for a session; empty: none does.
	// Subject is who the caller is there, and Claims what the session keeps of what it says.
	Provider, Subject string
	Claims            *policy.Claims

	parent    string          // The access key that the session was made with, and ends with.
	federated *federatedToken // If a provider vouches for the session.
	granted   []string        // The policies of a session without a role that a provider vouches for.
}

// Principal returns the identity as policies see it.
func (i *Identity) Principal() policy.Principal {
	p := policy.Principal{Account: i.Account, User: i.User, UserID: i.UniqueID(), Role: i.Role,
		SessionName: i.SessionName, Claims: i.Claims}
	if i.isFederated() {
		p.Federated, p.SessionName = i.Provider, i.federatedName()
	}
	return p
}

// isFederated reports whether an identity provider vouches for the identity, and it has no role.
func (i *Identity) isFederated() bool { return i.Provider != "" && i.Role == "" }

// Initiator returns the id by which uploads record who began them. It tells this identity from
// others in its account: the user's id, the account's for its root, and ACCOUNT:ROLE/SESSION for a
// session of a role. A session of a user has the user's.
func (i *Identity) Initiator() string {
	if i.Role != "" {
		return i.Account + ":" + i.Role + "/" + i.SessionName
	}
	return i.UniqueID()
}

// LongLivedKey returns the access key that it came with: of a session, the one that made it.
func (i *Identity) LongLivedKey() string { return cmp.Or(i.parent, i.AccessKey) }

// ARN returns the resource name of the identity: arn:aws:iam::ACCOUNT:root,
// arn:aws:iam::ACCOUNT:user/NAME, arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION or
// arn:aws:sts::ACCOUNT:federated-user/PROVIDER/SUBJECT.
func (i *Identity) ARN() string {
	p := i.Principal()
	return p.ARN()
}

// UniqueID returns the value of aws:userid: the user's id, the account's for its root, ROLE:SESSION
// for a session of a role, and ACCOUNT:federated-user/PROVIDER/SUBJECT for somebody for whom a provider
// vouches.
func (i *Identity) UniqueID() string {
	switch {
	case i.Role != "":
		return i.Role + ":" + i.SessionName
	case i.isFederated():
		return i.Account + ":federated-user/" + i.federatedName()
	case i.UserID != "":
		return i.UserID
	}
	return i.Account
}

// String returns who it is, for logs.
func (i *Identity) String() string { return i.ARN() + " by " + i.AccessKey }
