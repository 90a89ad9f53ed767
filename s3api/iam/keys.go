package iam

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"strings"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/policy"
	"github.com/cairnstore/cairn/s3api/sigauth"
)

// KeysConfig sets up Keys.
type KeysConfig struct {
	Directory *Directory
	// SecretKey is the key that secrets and session tokens are sealed under. It is derived from the
	// cluster key and is the same on every node.
	SecretKey [SecretKeyBytes]byte
	// RootUser and RootPassword are the access key and the secret of the cluster's root, from the
	// settings of the node.
	RootUser, RootPassword string
}

// String keeps the secrets out of every log line and error.
func (KeysConfig) String() string { return "iam.KeysConfig(redacted)" }

// GoString is String, for %#v.
func (c KeysConfig) GoString() string { return c.String() }

// Keys knows access keys and sessions. It implements sigauth.Keys; the Subject of a credential is
// an *Identity.
//
// It answers from the directory's snapshot and opens the sealed secret at each lookup. That costs
// microseconds, and no opened secret stays in memory.
type Keys struct {
	directory              *Directory
	secret                 *secretKey
	rootUser, rootPassword string
}

var _ sigauth.Keys = (*Keys)(nil)

// NewKeys returns the keys of a directory and the cluster's root.
func NewKeys(c KeysConfig) *Keys {
	return &Keys{directory: c.Directory, secret: &secretKey{c.SecretKey}, rootUser: c.RootUser, rootPassword: c.RootPassword}
}

// String keeps the root's secret out of every log line and error.
func (*Keys) String() string { return "iam.Keys(redacted)" }

// GoString is String, for %#v.
func (k *Keys) GoString() string { return k.String() }

// errStale marks the error of a session that is refused by a snapshot which may be behind: see
// Lookup. It adds nothing to the message.
var errStale = errors.New("")

// Lookup implements sigauth.Keys. It answers from a directory that was current at most MaxAge ago.
// If it can have none, it returns Unavailable, because it might let in somebody who was disabled
// meanwhile. Only the root user, which is known by the settings, is answered even then. Errors:
// NotFound, Denied and Expired, as sigauth.Keys has them; Unavailable, also if the secret was
// sealed under another cluster's key.
func (k *Keys) Lookup(ctx context.Context, accessKey, session string) (sigauth.Credential, error) {
	if accessKey != k.rootUser {
		if err := k.directory.fresh(ctx); err != nil {
			return sigauth.Credential{}, err
		}
	}
	c, err := k.lookup(accessKey, session)
	if !errs.Is(err, errs.NotFound) && !errors.Is(err, errStale) {
		return c, err
	}
	// Another node may just have made the key, or the key that the session was made with.
	if err := k.directory.refreshSoon(ctx); err != nil {
		return sigauth.Credential{}, err
	}
	return k.lookup(accessKey, session)
}

func (k *Keys) lookup(accessKey, session string) (sigauth.Credential, error) {
	const op = "iam.Lookup"
	s := k.directory.current.Load()
	if accessKey != k.rootUser && strings.HasPrefix(accessKey, sessionKeyPrefix) {
		if session == "" {
			return sigauth.Credential{}, errs.Newf(op, errs.NotFound, "access key %s is good only with its session token", accessKey)
		}
		return k.session(s, accessKey, session)
	}
	c, err := k.longLived(s, accessKey)
	if err == nil && session != "" {
		err = errs.Newf(op, errs.Denied, "access key %s has no session token", accessKey)
	}
	if err != nil {
		return sigauth.Credential{}, err
	}
	return c, nil
}

// longLived returns the credential of a key that is not a session's.
func (k *Keys) longLived(s *snapshot, accessKey string) (sigauth.Credential, error) {
	if accessKey == k.rootUser {
		return sigauth.Credential{AccessKey: accessKey, Secret: k.rootPassword, Subject: k.rootIdentity()}, nil
	}
	id, key := s.holder(accessKey)
	if id == nil {
		return sigauth.Credential{}, errs.Newf("iam.Lookup", errs.NotFound, "access key %s is not known, or disabled", accessKey)
	}
	secret, err := k.secret.open(keyLabel, accessKey, key.SealedSecret)
	if err != nil {
		return sigauth.Credential{}, errs.Newf("iam.Lookup", errs.Unavailable,
			"the secret of access key %s: %w; every node needs the cluster key that it was made with", accessKey, err)
	}
	defer clear(secret)
	return sigauth.Credential{AccessKey: accessKey, Secret: string(secret), Subject: id}, nil
}

// rootIdentity returns the identity of the cluster's root.
func (k *Keys) rootIdentity() *Identity {
	return &Identity{Account: RootAccount, AccountName: RootAccountName, Root: true, Admin: true, AccessKey: k.rootUser}
}

// holder returns whom an access key of the directory stands for. It returns nil if the key, its
// user or its account is disabled or gone.
func (s *snapshot) holder(accessKey string) (*Identity, *metapb.AccessKey) {
	key := s.keys.get(accessKey)
	if key == nil || key.Disabled {
		return nil, nil
	}
	account := s.account(key.Account)
	if account == nil || account.Disabled {
		return nil, nil
	}
	id := &Identity{Account: account.Id, AccountName: account.Name, AccessKey: accessKey}
	if key.User == "" {
		id.Root, id.Admin = true, account.Admin
		return id, key
	}
	user := s.users.get(path(key.Account, key.User))
	if user == nil || user.Disabled {
		return nil, nil
	}
	id.User, id.UserID = user.Name, user.Id
	return id, key
}

// account returns the account with this id; nil if there is none. The account of the cluster's root
// always exists, whether it is written or not.
func (s *snapshot) account(id string) *metapb.Account {
	if a := s.accounts.get(id); a != nil || id != RootAccount {
		return a
	}
	return &metapb.Account{Id: RootAccount, Name: RootAccountName, Admin: true}
}

// session returns the credential of a session. It is refused whenever the access key that it was
// made with would be, or the identity provider that vouches for it does no more.
func (k *Keys) session(s *snapshot, accessKey, text string) (sigauth.Credential, error) {
	const op = "iam.Lookup"
	t, err := k.secret.openToken(accessKey, text)
	if err != nil {
		return sigauth.Credential{}, err
	}
	if !time.Now().Before(t.expires()) {
		return sigauth.Credential{}, errs.Newf(op, errs.Expired, "the session of %s ended at %v", accessKey, t.expires().UTC())
	}
	if t.Federated != nil {
		id, err := k.federatedIdentity(s, t)
		if err != nil {
			return sigauth.Credential{}, err
		}
		id.AccessKey, id.Temporary, id.Issued, id.Expires = accessKey, true, time.Unix(t.Issued, 0), t.expires()
		return sigauth.Credential{AccessKey: accessKey, Secret: t.Secret, Subject: id}, nil
	}
	parent, err := k.longLived(s, t.Parent)
	if errs.Is(err, errs.NotFound) || err == nil && !hmac.Equal(k.sum(parent), t.ParentSum) {
		return sigauth.Credential{}, errs.Newf(op, errs.Denied, "the access key %s that session %s was made with is gone or disabled%w", t.Parent, accessKey, errStale)
	}
	if err != nil {
		return sigauth.Credential{}, err
	}
	id := *parent.Subject.(*Identity)
	if t.Role != nil {
		role, err := s.roleIdentity(t.Role)
		if err != nil {
			return sigauth.Credential{}, err
		}
		id = *role
	}
	id.AccessKey, id.Temporary, id.parent = accessKey, true, t.Parent
	id.Issued, id.Expires = time.Unix(t.Issued, 0), t.expires()
	return sigauth.Credential{AccessKey: accessKey, Secret: t.Secret, Subject: &id}, nil
}

// roleIdentity returns whom a session of a role stands for. Errors: Denied, if the role is gone, is
// another one of the same name, or its account is disabled.
func (s *snapshot) roleIdentity(t *roleToken) (*Identity, error) {
	const op = "iam.Lookup"
	account, role := s.account(t.Account), s.roles.get(path(t.Account, t.Name))
	if account == nil || account.Disabled || role == nil || role.CreatedMs != t.Created {
		return nil, errs.Newf(op, errs.Denied, "the role %s of account %s is gone or disabled", t.Name, t.Account)
	}
	id := &Identity{Account: account.Id, AccountName: account.Name, Role: t.Name, SessionName: t.Session}
	if len(t.Policy) > 0 {
		scope, err := policy.Parse(t.Policy, policy.Identity)
		if err != nil {
			return nil, errs.Newf(op, errs.Denied, "the policy of the session: %w", err)
		}
		id.SessionPolicy = scope
	}
	return id, nil
}

// sum returns a digest of a key's secret. Only this cluster can make it, so it can travel in a
// token without telling anything about the secret.
func (k *Keys) sum(c sigauth.Credential) []byte {
	mac := hmac.New(sha256.New, k.secret.derive(parentLabel, nil, SecretKeyBytes))
	mac.Write([]byte(c.AccessKey))
	mac.Write([]byte{0})
	mac.Write([]byte(c.Secret))
	return mac.Sum(nil)[:16]
}
