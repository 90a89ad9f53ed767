package iam

import (
	"time"

	"github.com/cairnstore/cairn/s3api/policy"
)

// The cluster's root: whom the root access key of the settings stands for.
const (
	RootAccount     = "cairn-root" // Account id.
	RootAccountName = "cairn"      // Display name.
)

// Identity is who makes a request. Nobody changes one.
type Identity struct {
	Account     string // Id.
	AccountName string // Display name.
	User        string // Name; empty for an account's root and for roles.
	UserID      string // Of the user.
	Role        string // Name of the role that was assumed, if one was.
	SessionName string // Of the role's session.

	// SessionPolicy is what a session was scoped down to: it may do what this policy
	// allows as well. Nil: not scoped down.
	SessionPolicy *policy.Policy

	Root bool // The account itself.
	// Admin says that it may do everything: it is the root of an account that
	// administers the cluster. Users and roles of that account have their policies.
	Admin     bool
	Temporary bool // A session: it came with a token.

	AccessKey string
	Issued    time.Time // Of a session.
	Expires   time.Time // Of a session.

	parent string // The access key that a session hangs on.
}

// Principal returns the identity as policies see it.
func (i *Identity) Principal() policy.Principal {
	return policy.Principal{Account: i.Account, User: i.User, UserID: i.UniqueID(), Role: i.Role, SessionName: i.SessionName}
}

// Initiator returns the id that tells this identity from others in its account, as
// uploads record it: the user's id, the account's for its root, and
// ACCOUNT:ROLE/SESSION for a session of a role. A session of a user is the user.
func (i *Identity) Initiator() string {
	if i.Role != "" {
		return i.Account + ":" + i.Role + "/" + i.SessionName
	}
	return i.UniqueID()
}

// ARN returns the resource name of the identity: arn:aws:iam::ACCOUNT:root,
// arn:aws:iam::ACCOUNT:user/NAME or arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION.
func (i *Identity) ARN() string {
	p := i.Principal()
	return p.ARN()
}

// UniqueID returns what aws:userid is: the user's id, the account's for its root,
// and ROLE:SESSION for a session of a role.
func (i *Identity) UniqueID() string {
	switch {
	case i.Role != "":
		return i.Role + ":" + i.SessionName
	case i.UserID != "":
		return i.UserID
	}
	return i.Account
}

// String returns who it is, for logs.
func (i *Identity) String() string { return i.ARN() + " by " + i.AccessKey }
